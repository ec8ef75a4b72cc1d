"""What a manifest is: an image that runs here, one for elsewhere, something beside images, or nothing to be read."""

import json
from typing import Any

import pytest

from flywheel.domain.image_manifest import (
    ConfigWanted,
    Finding,
    ImagesWanted,
    look_at_config,
    look_at_images,
    look_at_manifest,
)
from flywheel.domain.image_platform import Platform
from tests.manifests import (
    AMD,
    ARM,
    BESIDE,
    DOCKER_CONFIG,
    DOCKER_IMAGE,
    DOCKER_LAYER,
    DOCKER_LIST,
    ELSEWHERE,
    MALFORMED,
    OCI_CONFIG,
    OCI_IMAGE,
    OCI_INDEX,
    OCI_LAYER,
    attestation_of,
    descriptor,
    digest,
    entry,
    image,
    index,
)

HERE = Platform("linux", "arm64")


def look(manifest: Any, media_type: str = "") -> Finding | ConfigWanted | ImagesWanted:
    return look_at_manifest(manifest if isinstance(manifest, str) else json.dumps(manifest), media_type, HERE)


def found(manifest: Any, media_type: str = "") -> Finding:
    finding = look(manifest, media_type)
    assert isinstance(finding, Finding), finding
    return finding


@pytest.mark.parametrize("name", BESIDE)
def test_what_is_kept_beside_images_is_no_image(name: str) -> None:
    finding = found(BESIDE[name])
    assert finding.kind == "no_image", finding
    assert finding.runs == ""


@pytest.mark.parametrize("name", MALFORMED)
def test_what_cannot_be_read_is_said_to_be_and_breaks_nothing(name: str) -> None:
    finding = found(MALFORMED[name])
    assert finding.kind == "unreadable", finding
    assert len(finding.reason) < 300


@pytest.mark.parametrize("name", ELSEWHERE)
def test_an_index_without_our_platform_names_those_it_has_and_ours(name: str) -> None:
    finding = found(ELSEWHERE[name])
    assert finding.kind == "wrong_platform", finding
    assert "this environment runs linux/arm64: build it with --platform linux/arm64" in finding.reason
    assert len(finding.reason) < 400


@pytest.mark.parametrize(
    "manifest",
    [
        image(),
        image(OCI_CONFIG, OCI_LAYER, OCI_LAYER.replace("gzip", "zstd"), "application/vnd.oci.image.layer.v1.tar"),
        image(DOCKER_CONFIG, DOCKER_LAYER, mediaType=DOCKER_IMAGE),
        image(OCI_CONFIG, "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", OCI_LAYER),
        image(DOCKER_CONFIG, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", DOCKER_LAYER),
        {name: value for name, value in image().items() if name != "mediaType"},
        image(subject=None, artifactType="", annotations={"org.opencontainers.image.revision": "abc"}),
        image(artifactType=OCI_CONFIG),
        image(mediaType=f"{OCI_IMAGE}; charset=utf-8"),
    ],
)
def test_what_looks_like_an_image_has_its_configuration_read(manifest: dict[str, Any]) -> None:
    assert look(manifest) == ConfigWanted(manifest["config"]["digest"])


def test_of_an_index_our_image_is_looked_into_and_nothing_else() -> None:
    pushed_by_buildx = index(entry(AMD, "amd"), entry(ARM, "arm"), attestation_of("amd"), attestation_of("arm"))
    assert look(pushed_by_buildx) == ImagesWanted((digest("arm"),))


@pytest.mark.parametrize(
    "platform",
    [
        {"os": "linux", "architecture": "arm64", "variant": "v8"},
        {"os": "Linux", "architecture": "ARM64"},
        {"os": "linux", "architecture": "aarch64"},
    ],
)
def test_a_platform_has_several_spellings(platform: dict[str, Any]) -> None:
    assert look(index(entry(platform), mediaType=DOCKER_LIST)) == ImagesWanted((digest("image"),))


def test_of_an_index_that_names_no_platforms_the_images_are_looked_into() -> None:
    assert look(index(entry(None, "a"), entry(AMD, "b"))) == ImagesWanted((digest("a"),))


def test_a_hostile_index_has_few_of_its_images_looked_into() -> None:
    wanted = look(index(*(entry(None, str(n)) for n in range(900))))
    assert isinstance(wanted, ImagesWanted)
    assert len(wanted.digests) == 8


@pytest.mark.parametrize(("manifest", "kept_as"), [(index(entry(ARM)), OCI_IMAGE), (image(), OCI_INDEX)])
def test_a_manifest_that_the_registry_keeps_as_something_else_is_not_trusted(
    manifest: dict[str, Any], kept_as: str
) -> None:
    assert found(manifest, kept_as).kind == "unreadable"


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ('{"os": "linux", "architecture": "arm64"}', "runnable"),
        ('{"os": "linux", "architecture": "arm64", "variant": "v8", "rootfs": {}}', "runnable"),
        ('{"os": "linux", "architecture": "amd64"}', "wrong_platform"),
        ('{"os": "windows", "architecture": "arm64"}', "wrong_platform"),
        ('{"os": "wasip1", "architecture": "wasm"}', "wrong_platform"),
        ('{"os": "linux", "architecture": "arm"}', "wrong_platform"),
        ('{"os": "unknown", "architecture": "unknown"}', "no_image"),
        ('{"os": "", "architecture": ""}', "no_image"),
        ("{}", "no_image"),
        ('{"os": 1, "architecture": []}', "unreadable"),
        ("not json", "unreadable"),
        ("[]", "unreadable"),
        ("", "unreadable"),
        (json.dumps({"os": "linux", "architecture": "arm64", "x": "y" * 5_000_000}), "unreadable"),
    ],
)
def test_the_configuration_says_for_which_platform_an_image_is(config: str, kind: str) -> None:
    finding = look_at_config(config, digest("image"), HERE)
    assert (finding.kind, finding.runs) == (kind, digest("image") if kind == "runnable" else "")


def test_a_name_from_outside_cannot_write_into_a_message() -> None:
    finding = found(image("application/x\x1b]0;title\x07" + "y" * 500))
    assert finding.kind == "no_image"
    assert finding.reason.isprintable()
    assert len(finding.reason) < 200


def test_an_index_runs_when_one_of_its_images_does() -> None:
    other = Finding("wrong_platform", "is for linux/amd64")
    fits = Finding("runnable", "is an image for linux/arm64", "of itself")
    assert look_at_images([("a", other), ("b", fits)]) == Finding("runnable", fits.reason, "b")
    assert look_at_images([("a", other)]).kind == "wrong_platform"
    gone = Finding("unreadable", "is not in the repository")
    assert (
        look_at_images([("a", other), ("b", gone)]).reason
        == "is an index, and the image in it is not in the repository"
    )


@pytest.mark.parametrize("text", ["", "linux", "linux/", "/arm64", "linux/arm64/v8/x"])
def test_a_platform_is_written_with_a_slash(text: str) -> None:
    with pytest.raises(ValueError, match="expected os/architecture"):
        Platform.parsed(text)


def test_another_platform_can_be_ours() -> None:
    amd = Platform.parsed("linux/x86_64")
    assert look_at_manifest(json.dumps(index(entry(AMD))), OCI_INDEX, amd) == ImagesWanted((digest("image"),))
    assert look_at_config('{"os": "linux", "architecture": "amd64"}', "d", amd).kind == "runnable"


def test_a_cache_is_named_even_when_it_is_an_index() -> None:
    cache = descriptor("application/vnd.buildkit.cacheconfig.v0")
    assert found(index(descriptor(OCI_LAYER), cache)).reason.startswith("is a build cache (")
