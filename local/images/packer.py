"""Source folder + overlay -> OCI image, without Docker; the same content gives the same bytes."""

import gzip
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from local.images.oci import CONFIG, LAYER, MANIFEST, REVISION, Image, ImageError, digest_of

ROOT = "app"
_SKIPPED_FOLDERS = frozenset({"__pycache__", ".git", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".venv"})
_SKIPPED_SUFFIXES = frozenset({".pyc", ".pyo"})
_SIZE_LIMIT = 256 * 1024 * 1024  # bytes of source; an agent's application layer is a few hundred kilobytes

type Architecture = Literal["arm64", "amd64"]


def pack(
    source_dir: Path,
    overlay_dir: Path | None = None,
    *,
    entrypoint: Sequence[str],
    package: str = "agent",
    env: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    architecture: Architecture = "arm64",
) -> Image:
    """Pack one application layer under `/app`.

    Args:
        source_dir: the agent's code; it becomes `/app/<package>`.
        overlay_dir: files that replace or join those of the source, by their path in it; None = none.
        entrypoint: what the container runs, in `/app`.
        package: folder below `/app`; empty = `/app` itself.
        env: the image's own environment variables.
        labels: the image's labels, such as `org.opencontainers.image.revision`. They are part of its digest.
        architecture: what the image says it is for, by default what AgentCore runs; the layer itself is the same.

    Raises:
        ImageError: a folder is missing or empty, a link points out of its folder, or the source is over 256 MB.
    """
    if not entrypoint:
        raise ImageError("an image needs an entrypoint, such as ['python', '-m', 'agent.app']")
    files = _files(source_dir, package)
    if overlay_dir is not None:
        files |= _files(overlay_dir, package)
    layer_tar = _tar(files)
    # No name and no time in the gzip header, so that equal content compresses to equal bytes.
    layer = gzip.compress(layer_tar, compresslevel=6, mtime=0)
    config = _json(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {
                "Entrypoint": list(entrypoint),
                "Env": [f"{name}={value}" for name, value in sorted((env or {}).items())],
                "WorkingDir": f"/{ROOT}",
                "User": "1000",
                "ExposedPorts": {"8080/tcp": {}},
                "Labels": dict(sorted((labels or {}).items())),
            },
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer_tar)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest_of(config), "size": len(config)},
            "layers": [{"mediaType": LAYER, "digest": digest_of(layer), "size": len(layer)}],
            # Whoever traces an image to its commit need not fetch the configuration.
            **({"annotations": {REVISION: labels[REVISION]}} if labels and REVISION in labels else {}),
        }
    )
    return Image(manifest, config, (layer,))


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _files(folder: Path, prefix: str) -> dict[str, Path]:
    if not folder.is_dir():
        raise ImageError(f"{folder} is not a folder; name the folder that holds the agent's code")
    root = folder.resolve()
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if _SKIPPED_FOLDERS.intersection(inside.parts) or path.suffix in _SKIPPED_SUFFIXES or not path.is_file():
            continue
        if not path.resolve().is_relative_to(root):
            raise ImageError(f"{path} is a link out of {folder}; an image holds only what is in the folder: copy it")
        found[f"{prefix}/{inside.as_posix()}".lstrip("/")] = path
    if not found:
        raise ImageError(f"{folder} holds no file; there is nothing to pack")
    return found


def _tar(files: Mapping[str, Path]) -> bytes:
    """Tar with everything that varies from machine to machine (order, times, owners) made the same."""
    size = sum(path.stat().st_size for path in files.values())
    if size > _SIZE_LIMIT:
        raise ImageError(f"the source has {size / 1e6:.0f} MB, the limit is {_SIZE_LIMIT / 1e6:.0f} MB: name less")
    folders = {parent.as_posix() for name in files for parent in Path(ROOT, name).parents if parent != Path()}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for folder in sorted(folders):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name, path in sorted(files.items()):
            content = path.read_bytes()
            entry = tarfile.TarInfo(f"{ROOT}/{name}")
            entry.size = len(content)
            entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
