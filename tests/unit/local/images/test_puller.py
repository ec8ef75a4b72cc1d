import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.images import puller
from local.images.oci import Image, ImageError, digest_of
from local.images.packer import pack
from local.images.puller import pull, unpack


def tar(*entries: tarfile.TarInfo, content: bytes = b"x") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for entry in entries:
            if entry.isfile():
                entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


HOSTILE: dict[str, tuple[tarfile.TarInfo, ...]] = {
    "a parent folder": (entry("../evil"),),
    "a parent folder further down": (entry("app/../../evil"),),
    "an absolute path": (entry("/etc/evil"),),
    "a link out": (entry("app/link", tarfile.SYMTYPE, "../../evil"),),
    "an absolute link": (entry("app/link", tarfile.SYMTYPE, "/etc/passwd"),),
    "a hard link out": (entry("app/link", tarfile.LNKTYPE, "../evil"),),
    "a write through a link": (entry("l", tarfile.SYMTYPE, "/tmp"), entry("l/evil")),  # noqa: S108
    "a device": (entry("dev", tarfile.CHRTYPE),),
    "a pipe": (entry("pipe", tarfile.FIFOTYPE),),
    "a white-out above": (entry("../.wh.victim"),),
}


@pytest.mark.parametrize("case", sorted(HOSTILE))
@pytest.mark.parametrize("compressed", [True, False])
def test_a_layer_that_leaves_its_folder_is_refused(tmp_path: Path, case: str, *, compressed: bool) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    layer = tar(*HOSTILE[case])
    target = tmp_path / "root"
    target.mkdir()

    with pytest.raises(ImageError, match="refused"):
        unpack(gzip.compress(layer) if compressed else layer, target)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["root", "victim"]
    assert victim.read_text() == "kept"


@pytest.mark.parametrize(
    "layer", [b"", b"no archive", gzip.compress(b"no archive" * 60), gzip.compress(tar(entry("a")))[:40], b"\x1f\x8b"]
)
def test_a_damaged_layer_is_refused(tmp_path: Path, layer: bytes) -> None:
    with pytest.raises(ImageError, match="cannot be unpacked"):
        unpack(layer, tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_zstd_layer_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="zstd"):
        unpack(b"\x28\xb5\x2f\xfd....", tmp_path)


def test_a_layer_that_grows_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(puller, "_UNPACKED_LIMIT", 10_000)

    with pytest.raises(ImageError, match="unpacks to more"):
        unpack(gzip.compress(b"\0" * 1_000_000), tmp_path)


def test_a_layer_of_too_many_entries_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(puller, "_ENTRY_LIMIT", 2)

    with pytest.raises(ImageError, match="more than 2 entries"):
        unpack(tar(entry("a"), entry("b"), entry("c")), tmp_path)


def test_white_outs_delete_what_lower_layers_brought(tmp_path: Path) -> None:
    unpack(tar(entry("app/a"), entry("app/b"), entry("old/one"), entry("old/deep/two")), tmp_path)

    unpack(tar(entry("app/.wh.a"), entry("old/.wh..wh..opq"), entry("old/new")), tmp_path)

    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == [
        "app/b",
        "old/new",
    ]


class Registry:
    """Blobs and manifests behind a transport; no sockets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.held: dict[str, bytes] = {}
        client = httpx.Client
        monkeypatch.setattr(
            httpx, "Client", lambda **options: client(**options | {"transport": httpx.MockTransport(self._answer)})
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        content = self.held.get(request.url.path.rsplit("/", 1)[-1])
        return httpx.Response(404) if content is None else httpx.Response(200, content=content)

    def hold(self, image: Image) -> str:
        for blob in (image.manifest, image.config, *image.layers):
            self.held[digest_of(blob)] = blob
        return image.digest

    def manifest(self, value: Any) -> str:
        content = json.dumps(value).encode()
        self.held[digest_of(content)] = content
        return digest_of(content)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    return Registry(monkeypatch)


@pytest.fixture
def image(tmp_path: Path) -> Image:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "app.py").write_text("x = 1")
    return pack(tmp_path / "source", entrypoint=("python", "-m", "agent.app"), env={"A": "b=c"}, labels={"l": "v"})


def fetch(digest: str, target: Path) -> puller.ImageConfig:
    return pull("http://registry", "repo", digest, target, headers={})


def test_what_was_packed_is_what_is_pulled(registry: Registry, image: Image, tmp_path: Path) -> None:
    found = fetch(registry.hold(image), tmp_path / "root")

    assert (tmp_path / "root" / "app" / "agent" / "app.py").read_text() == "x = 1"
    assert (found.entrypoint, found.working_dir) == (("python", "-m", "agent.app"), "/app")
    assert (found.env, found.labels) == ({"A": "b=c"}, {"l": "v"})


def test_an_index_leads_to_its_linux_image(registry: Registry, image: Image, tmp_path: Path) -> None:
    inner = registry.hold(image)
    attestation = {"digest": "sha256:" + "0" * 64, "platform": {"os": "unknown"}}
    index = registry.manifest({"manifests": [attestation, {"digest": inner, "platform": {"os": "linux"}}]})

    assert fetch(index, tmp_path / "root").entrypoint


def change_layer(registry: Registry, image: Image) -> str:
    registry.hold(image)
    registry.held[digest_of(image.layers[0])] = b"other bytes"
    return image.digest


def drop_layer(registry: Registry, image: Image) -> str:
    registry.hold(image)
    del registry.held[digest_of(image.layers[0])]
    return image.digest


def change_manifest(registry: Registry, image: Image) -> str:
    registry.held[image.digest] = b"{}"
    return image.digest


def configured(registry: Registry, config: dict[str, Any], **more: Any) -> str:
    return registry.manifest({"config": {"digest": registry.manifest({"config": config})}} | more)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change_layer, "other bytes"),
        (drop_layer, "blob sha256:[0-9a-f]+ does not exist"),
        (change_manifest, "other bytes"),
        (lambda _r, _i: "sha256:" + "0" * 64, "image sha256:0+ does not exist"),
        (lambda _r, _i: "latest", "not a digest"),
        (lambda _r, _i: "sha256:../../etc", "not a digest"),
        (lambda r, _i: r.manifest([]), "not a JSON object"),
        (lambda r, _i: r.manifest({}), "no valid digest"),
        (lambda r, _i: r.manifest({"config": {"digest": 5}}), "no valid digest"),
        (lambda r, _i: r.manifest({"manifests": "x"}), "lists no image"),
        (lambda r, _i: r.manifest({"manifests": [{"platform": "linux"}]}), "lists no image"),
        (lambda r, _i: configured(r, {"Entrypoint": 5}), "`Entrypoint` is no list"),
        (lambda r, _i: configured(r, {"Entrypoint": ["x"], "Env": 5}), "`Env` is no list"),
        (lambda r, _i: configured(r, {"Entrypoint": ["x"], "Labels": ["x"]}), "`Labels` are no object"),
        (lambda r, _i: configured(r, {"Entrypoint": ["x"]}, layers=5), "`layers` is no list"),
        (lambda r, _i: r.manifest({"config": {"digest": r.manifest({"config": {}})}}), "no entrypoint"),
        (
            lambda r, _i: r.manifest({"config": {"digest": r.manifest({"config": {"Entrypoint": [1]}})}}),
            "no entrypoint",
        ),
    ],
)
def test_a_damaged_image_is_refused_and_leaves_nothing(
    registry: Registry, image: Image, tmp_path: Path, damage: Callable[[Registry, Image], str], message: str
) -> None:
    digest = damage(registry, image)

    with pytest.raises(ImageError, match=message):
        fetch(digest, tmp_path / "root")

    assert not (tmp_path / "root").exists()
