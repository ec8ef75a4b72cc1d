"""Registry -> folder: an image's bytes, each checked against its digest, unpacked without leaving the folder."""

import gzip
import io
import json
import shutil
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import httpx

from local.images.oci import DOCKER_INDEX, DOCKER_MANIFEST, INDEX, MANIFEST, ImageError, digest_of, is_digest

_TIMEOUT_S = 30.0
_BLOB_LIMIT = 1024 * 1024 * 1024  # bytes, compressed
_UNPACKED_LIMIT = 2 * 1024 * 1024 * 1024
_ENTRY_LIMIT = 200_000
_WHITEOUT = ".wh."


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What an image says about how it runs."""

    entrypoint: tuple[str, ...]
    env: Mapping[str, str]
    working_dir: str
    labels: Mapping[str, str]


def pull(registry_url: str, repository: str, digest: str, target: Path, *, headers: Mapping[str, str]) -> ImageConfig:
    """Fetch exactly the image `digest` and unpack it into the new folder `target`.

    Raises:
        ImageError: there is no such image, bytes do not match their digest, or a layer is malformed or hostile;
            `target` does not exist then.
    """
    if not is_digest(digest):
        raise ImageError(f"{digest[:80]!r} is not a digest; an image runs by digest only")
    with httpx.Client(headers=dict(headers), timeout=_TIMEOUT_S, trust_env=False) as client:
        source = _Repository(client, f"{registry_url.rstrip('/')}/v2/{quote(repository)}", repository)
        manifest = source.manifest(digest)
        config = _config(source.blob(_entry(manifest.get("config"))))
        target.mkdir(parents=True)
        try:
            for layer in _list(manifest, "layers"):
                unpack(source.blob(_entry(layer)), target)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise
    return config


class _Repository:
    def __init__(self, client: httpx.Client, base: str, name: str) -> None:
        self._client, self._base, self._name = client, base, name

    def manifest(self, digest: str) -> dict[str, Any]:
        """Image manifest; of an index, that of its image for arm64, as AgentCore, else of its first for Linux.

        The interpreter is the host's in any case.
        """
        accept = f"{MANIFEST}, {INDEX}, {DOCKER_MANIFEST}, {DOCKER_INDEX}"
        content = self._get(f"manifests/{digest}", digest, "image", {"Accept": accept})
        manifest = _parsed(content, "manifest")
        if "manifests" not in manifest:
            return manifest
        entries = manifest["manifests"] if isinstance(manifest["manifests"], list) else []
        linux = [entry for entry in entries if _platform(entry).get("os") == "linux"]
        if not linux:
            raise ImageError(f"the image index {digest} lists no image for linux")
        chosen = _entry(next((one for one in linux if _platform(one).get("architecture") == "arm64"), linux[0]))
        return _parsed(self._get(f"manifests/{chosen}", chosen, "image", {}), "manifest")

    def blob(self, digest: str) -> bytes:
        return self._get(f"blobs/{digest}", digest, "blob", {})

    def _get(self, path: str, digest: str, kind: str, headers: dict[str, str]) -> bytes:
        received = bytearray()
        try:
            with self._client.stream("GET", f"{self._base}/{path}", headers=headers) as response:
                if response.status_code == httpx.codes.NOT_FOUND:
                    raise ImageError(f"the {kind} {digest} does not exist in the repository {self._name}")
                if response.status_code != httpx.codes.OK:
                    raise ImageError(f"the registry answered {response.status_code} for the {kind} {digest}")
                for chunk in response.iter_bytes():
                    received += chunk
                    if len(received) > _BLOB_LIMIT:
                        raise ImageError(f"the {kind} {digest} is over {_BLOB_LIMIT / 1e9:.0f} GB")
        except httpx.HTTPError as error:
            raise ImageError(f"the registry did not answer for the {kind} {digest}: {error}") from error
        content = bytes(received)
        if digest_of(content) != digest:
            raise ImageError(f"the registry sent other bytes ({digest_of(content)}) than the {kind} {digest}")
        return content


def _parsed(content: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ImageError(f"the image's {what} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ImageError(f"the image's {what} is not a JSON object")
    return value


def _platform(entry: object) -> dict[str, Any]:
    platform = entry.get("platform") if isinstance(entry, dict) else None
    return platform if isinstance(platform, dict) else {}


def _entry(entry: object) -> str:
    digest = entry.get("digest") if isinstance(entry, dict) else None
    if not isinstance(digest, str) or not is_digest(digest):
        raise ImageError(f"the manifest names no valid digest: {str(entry)[:80]}")
    return digest


def _list(of: Mapping[str, Any], name: str) -> list[Any]:
    """A list that an image's JSON may have, or have as null."""
    value = of.get(name) or []
    if not isinstance(value, list):
        raise ImageError(f"the image's `{name}` is no list")
    return value


def _config(content: bytes) -> ImageConfig:
    config = _parsed(content, "configuration").get("config") or {}
    if not isinstance(config, dict):
        raise ImageError("the image's configuration has no object `config`")
    command = [*_list(config, "Entrypoint"), *_list(config, "Cmd")]
    env = _list(config, "Env")
    labels = config.get("Labels") or {}
    if not isinstance(labels, dict):
        raise ImageError("the image's `Labels` are no object")
    if not command or not all(isinstance(part, str) for part in (*command, *env)):
        raise ImageError("the image has no entrypoint; its Dockerfile needs ENTRYPOINT or CMD")
    return ImageConfig(
        entrypoint=tuple(command),
        env=dict(item.split("=", 1) for item in env if "=" in item),
        working_dir=str(config.get("WorkingDir") or "/"),
        labels=labels,
    )


def unpack(layer: bytes, target: Path) -> None:
    """Lay one layer (tar, gzipped or not) over `target`; its white-outs delete what lower layers brought.

    Raises:
        ImageError: the archive is damaged, too large, or tries to write or link outside `target`.
    """
    try:
        plain = _decompressed(layer)
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as tar:
            for number, entry in enumerate(tar):
                if number >= _ENTRY_LIMIT:
                    raise ImageError(f"a layer holds more than {_ENTRY_LIMIT} entries")
                _lay(tar, entry, target)
    except tarfile.FilterError as error:
        raise ImageError(f"a layer is refused: {error}") from error
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        raise ImageError(f"a layer cannot be unpacked: {error}") from error


def _decompressed(layer: bytes) -> bytes:
    if layer[:2] != b"\x1f\x8b":
        if layer[:4] == b"\x28\xb5\x2f\xfd":
            raise ImageError("a layer is compressed with zstd; push it as gzip (docker build does by default)")
        return layer
    with gzip.GzipFile(fileobj=io.BytesIO(layer)) as stream:
        plain = stream.read(_UNPACKED_LIMIT + 1)
    if len(plain) > _UNPACKED_LIMIT:
        raise ImageError(f"a layer unpacks to more than {_UNPACKED_LIMIT / 1e9:.0f} GB")
    return plain


def _lay(tar: tarfile.TarFile, entry: tarfile.TarInfo, target: Path) -> None:
    path = PurePosixPath(entry.name)
    if path.is_absolute() or ".." in path.parts:
        raise ImageError(f"a layer is refused: {entry.name!r} leaves the image's folder")
    if path.name.startswith(_WHITEOUT):
        folder = (target / path.parent).resolve()
        hidden = folder / path.name.removeprefix(_WHITEOUT)
        if not hidden.resolve().is_relative_to(target.resolve()) or hidden.name in ("", ".", ".."):
            raise ImageError(f"a layer is refused: {entry.name!r} deletes outside the image's folder")
        if path.name == ".wh..wh..opq":
            for child in folder.iterdir() if folder.is_dir() else ():
                _delete(child)
        else:
            _delete(hidden)
        return
    if entry.ischr() or entry.isblk() or entry.isfifo():
        raise ImageError(f"a layer is refused: {entry.name!r} is a device")
    tar.extract(entry, target, filter="data")


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
