"""What a reference is, by manifest and configuration as ECR gives them out."""

import json
from collections.abc import Mapping
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from urllib3.exceptions import HTTPError

from flywheel.adapters.ecr import EcrImageRegistry
from flywheel.adapters.ecr_tags import EcrTags
from flywheel.domain.image_manifest import Finding
from flywheel.domain.image_platform import Platform
from flywheel.errors import FlywheelError, NotFoundError, TransientError
from tests.manifests import AMD, ARM, BESIDE, MALFORMED, OCI_IMAGE, attestation_of, digest, entry, image, index

TAG = "v1"
PUSHED = "sha256:" + "f" * 64
CONFIGS = {"os": "linux", "architecture": "arm64"}


class Registry:
    """Manifests by digest (the one under the tag first), configurations by digest."""

    def __init__(self, manifests: Mapping[str, Any], blobs: Mapping[str, Any], platform: str = "linux/arm64") -> None:
        self.sdk = boto3.client("ecr", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
        self.manifests = {key: m if isinstance(m, str) else json.dumps(m) for key, m in manifests.items()}
        self.blobs = blobs
        self.asked: list[str] = []
        self.registry = EcrImageRegistry(self.sdk, "agent", self.download, Platform.parsed(platform))
        self.sdk.batch_get_image = self.batch_get_image  # type: ignore[method-assign]
        self.sdk.get_download_url_for_layer = self.url  # type: ignore[method-assign]

    def batch_get_image(self, **request: Any) -> Any:
        (wanted,) = request["imageIds"]
        found = wanted.get("imageDigest") or next(iter(self.manifests))
        if found not in self.manifests:
            return {"images": [], "failures": [{"failureCode": "ImageNotFound"}]}
        return {
            "images": [{"registryId": "1", "imageId": {"imageDigest": found}, "imageManifest": self.manifests[found]}]
        }

    def url(self, **request: Any) -> Any:
        self.asked.append(request["layerDigest"])
        if request["layerDigest"] not in self.blobs:
            raise NotFoundError("LayersNotFoundException")
        return {"downloadUrl": request["layerDigest"]}

    def download(self, address: str) -> bytes:
        blob = self.blobs[address]
        if isinstance(blob, Exception):
            raise blob
        return blob if isinstance(blob, bytes) else json.dumps(blob).encode()

    def look(self) -> Finding:
        return self.registry.look(TAG)


def of_image(config: Any, platform: str = "linux/arm64") -> Registry:
    return Registry({PUSHED: image(of="one")}, {digest("one"): config}, platform)


def test_an_image_runs_where_its_configuration_says() -> None:
    assert of_image(CONFIGS).look() == Finding("runnable", "is an image for linux/arm64", PUSHED)
    assert of_image(CONFIGS, "linux/amd64").look().kind == "wrong_platform"
    assert of_image(AMD, "linux/amd64").look().runs == PUSHED


def test_of_an_index_its_image_is_what_runs() -> None:
    listed = index(entry(AMD, "amd"), entry(ARM, "arm"), attestation_of("arm"))
    registry = Registry({PUSHED: listed, digest("arm"): image(of="one")}, {digest("one"): CONFIGS})
    assert registry.look() == Finding("runnable", "is an image for linux/arm64", digest("arm"))


@pytest.mark.parametrize(
    ("child", "config", "kind"),
    [
        (image(of="one"), AMD, "wrong_platform"),
        (BESIDE["attestation of buildx"], CONFIGS, "no_image"),
        (BESIDE["Helm chart"], CONFIGS, "no_image"),
        (index(entry(ARM)), CONFIGS, "no_image"),
        ("not json", CONFIGS, "unreadable"),
        (None, CONFIGS, "unreadable"),
    ],
)
def test_what_an_index_says_of_its_image_is_not_taken_on_trust(child: Any, config: Any, kind: str) -> None:
    manifests = {PUSHED: index(entry(ARM, "arm"))} | ({} if child is None else {digest("arm"): child})
    finding = Registry(manifests, {digest("one"): config}).look()
    assert finding.kind == kind
    assert finding.reason.startswith("is an index, and the image in it ")


def test_an_index_without_platforms_is_what_its_images_are() -> None:
    listed = index(entry(None, "a"), entry(None, "b"))
    manifests = {PUSHED: listed, digest("a"): image(of="one"), digest("b"): image(of="two")}
    registry = Registry(manifests, {digest("one"): AMD, digest("two"): CONFIGS})
    assert registry.look().runs == digest("b")


@pytest.mark.parametrize("name", [*BESIDE, *MALFORMED])
def test_nothing_is_downloaded_of_what_is_no_image(name: str) -> None:
    registry = Registry({PUSHED: BESIDE.get(name) or MALFORMED.get(name, "")}, {})
    assert registry.look().kind in {"no_image", "unreadable"}
    assert registry.asked == []


@pytest.mark.parametrize("blob", [b"not json", b"[]", b"\xff\xfe", b"x" * 5_000_000])
def test_a_configuration_that_cannot_be_read_is_said_to_be_so(blob: bytes) -> None:
    assert of_image(blob).look().kind == "unreadable"


def test_a_configuration_that_is_not_there_is_said_to_be_so() -> None:
    assert "lacks its configuration" in Registry({PUSHED: image(of="one")}, {}).look().reason


@pytest.mark.parametrize("blob", [b"", OSError("cut"), HTTPError("timed out")])
def test_a_configuration_that_cannot_be_downloaded_now_is_asked_for_again(blob: bytes | Exception) -> None:
    with pytest.raises(TransientError, match="configuration"):
        of_image(blob).look()


def tags_with(*responses: tuple[str, Any], error: str | None = None) -> tuple[EcrTags, Stubber]:
    sdk = boto3.client("ecr", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
    stub = Stubber(sdk)
    for operation, response in responses:
        stub.add_response(operation, response)
    if error:
        stub.add_client_error("put_image", error)
    stub.activate()
    return EcrTags(sdk, "agent"), stub


FOUND = {"images": [{"imageManifest": json.dumps(image()), "imageManifestMediaType": OCI_IMAGE}]}


def test_one_more_tag_names_the_same_manifest() -> None:
    tags, stub = tags_with(("batch_get_image", FOUND), ("put_image", {}))
    tags.add_tag(PUSHED, "flywheel-release-000001")
    stub.assert_no_pending_responses()


def test_a_tag_that_is_there_already_is_no_error() -> None:
    tags, stub = tags_with(("batch_get_image", FOUND), error="ImageAlreadyExistsException")
    tags.add_tag(PUSHED, "flywheel-release-000001")
    stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("responses", "error", "expected"),
    [
        ((("batch_get_image", {"images": []}),), None, NotFoundError),
        ((("batch_get_image", FOUND),), "ServerException", FlywheelError),
        ((("batch_get_image", FOUND),), "ImageTagAlreadyExistsException", FlywheelError),
    ],
)
def test_a_tag_that_cannot_be_put_is_an_error(responses: Any, error: str | None, expected: type[Exception]) -> None:
    tags, _ = tags_with(*responses, error=error)
    with pytest.raises(expected):
        tags.add_tag(PUSHED, "flywheel-release-000001")
