"""A manifest of a registry -> an image that runs here, or one of the other things that registries keep beside images.

Sources: OCI image specification 1.1 (manifest, index, config, guidelines for artifacts), Docker's manifest schema 2,
BuildKit's documentation of attestations and registry caches.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from flywheel.domain.artifact_names import artifact_name
from flywheel.domain.image_platform import Platform

# ECR's own limit of a manifest; a configuration is much smaller than that.
MOST_BYTES = 4 * 1024 * 1024
_MOST_ENTRIES = 1000
_MOST_LOOKED_INTO = 8
_MOST_SHOWN = 6

_IMAGES = frozenset(
    {"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"}
)
_INDEXES = frozenset(
    {"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}
)
MANIFEST_TYPES = (*sorted(_IMAGES), *sorted(_INDEXES))
_CONFIGS = frozenset({"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"})
_LAYER = re.compile(
    r"application/vnd\.oci\.image\.layer\.(nondistributable\.)?v1\.tar(\+(gzip|zstd))?"
    r"|application/vnd\.docker\.image\.rootfs\.(foreign\.)?diff\.tar(\.(gzip|zstd))?"
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ATTESTATION = "vnd.docker.reference.type"
type Kind = Literal["runnable", "wrong_platform", "no_image", "unreadable"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a manifest turned out to be; `reason` goes on after its name: "v1 is a Helm chart".

    `runs`: digest of the image that would run, which for an index is the one of our platform; empty unless `runnable`.
    """

    kind: Kind
    reason: str
    runs: str = ""


@dataclass(frozen=True, slots=True)
class ConfigWanted:
    """It looks like an image: its configuration says for which platform."""

    digest: str


@dataclass(frozen=True, slots=True)
class ImagesWanted:
    """An index: these of its images may be ours."""

    digests: tuple[str, ...]


class _UnreadableError(ValueError):
    pass


def look_at_manifest(text: str, media_type: str, platform: Platform) -> Finding | ConfigWanted | ImagesWanted:
    """Say what a manifest is, or what has to be read to know. Never raises, whatever the text is.

    `media_type`: the one that the registry keeps it under; empty when it does not say.
    """
    try:
        data = _parsed(text, "manifest")
        if _class_of(data, media_type) == "index":
            return _aside(data) or _look_at_index(data, platform)
        return _aside(data) or _look_at_image(data)
    except _UnreadableError as error:
        return Finding("unreadable", f"cannot be read: {error}")


def look_at_config(text: str, digest: str, platform: Platform) -> Finding:
    """Hold the platform of an image's configuration against ours. `digest`: of the image. Never raises."""
    try:
        config = _parsed(text, "configuration")
        names = [config.get(name, "") for name in ("os", "architecture")]
        if not all(isinstance(name, str) for name in names):
            raise _UnreadableError("its configuration names no platform")  # noqa: TRY301
    except _UnreadableError as error:
        return Finding("unreadable", f"cannot be read: {error}")
    found = Platform.of(*names)
    if not found.is_known:
        return Finding("no_image", "is for no platform: it is an attestation or a signature, not an image")
    if found != platform:
        return _wrong([found], platform)
    return Finding("runnable", f"is an image for {platform}", digest)


def look_at_images(found: Sequence[tuple[str, Finding]]) -> Finding:
    """What an index is, by what those of its images are that may be ours; at least one."""
    for digest, finding in found:
        if finding.kind == "runnable":
            return Finding("runnable", finding.reason, digest)
    worst = next((f for kind in ("unreadable", "wrong_platform") for _, f in found if f.kind == kind), found[0][1])
    return Finding(worst.kind, f"is an index, and the image in it {worst.reason}")


def _parsed(text: str, what: str) -> dict[str, Any]:
    if len(text) > MOST_BYTES:
        raise _UnreadableError(f"its {what} has over {MOST_BYTES // 1024 // 1024} MB")
    try:
        data = json.loads(text, object_pairs_hook=_members)
    except _UnreadableError:
        raise
    except (ValueError, RecursionError):
        raise _UnreadableError(f"its {what} is no JSON") from None
    if not isinstance(data, dict):
        raise _UnreadableError(f"its {what} is no JSON object")
    return data


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers of a key that is there twice may see two images."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _UnreadableError("it has a key twice")
    return found


def _class_of(data: dict[str, Any], media_type: str) -> Literal["image", "index"]:
    said = {_bare(name) for name in (media_type, data.get("mediaType") or "") if name}
    shape: Literal["image", "index"] = "index" if "manifests" in data else "image"
    if shape == "index" and ("config" in data or "layers" in data):
        raise _UnreadableError("it is an image and an index at once")
    if data.get("schemaVersion", 2) != 2:  # noqa: PLR2004
        raise _UnreadableError("it has an old schema; docker build and buildx write schema 2")
    if (shape == "image" and said & _INDEXES) or (shape == "index" and said & _IMAGES):
        raise _UnreadableError("it is not what its media type says")
    return shape


def _bare(media_type: Any) -> str:
    if not isinstance(media_type, str):
        raise _UnreadableError("a media type in it is no text")
    return media_type.partition(";")[0].strip().lower()


def _aside(data: dict[str, Any]) -> Finding | None:
    """What says of itself that it belongs to something else, or is something else."""
    kind = _bare(data.get("artifactType") or "")
    if kind and kind not in _CONFIGS:
        return _artifact(kind)
    if data.get("subject") is not None:
        return Finding("no_image", "refers to an image (subject): it is a signature, an attestation or an SBOM of it")
    own = _bare(data.get("mediaType") or "")
    return _artifact(own) if own and own not in _IMAGES | _INDEXES else None


def _artifact(media_type: str) -> Finding:
    return Finding("no_image", f"is {artifact_name(media_type)}, not an image")


def _look_at_image(data: dict[str, Any]) -> Finding | ConfigWanted:
    config, layers = data.get("config"), data.get("layers")
    if not isinstance(config, dict) or not isinstance(layers, list):
        raise _UnreadableError("it has no config and layers")
    kind = _bare(config.get("mediaType") or "")
    if not kind:
        raise _UnreadableError("its config has no media type")
    if kind not in _CONFIGS:
        return _artifact(kind)
    for layer in layers:
        inside = _bare(layer.get("mediaType") or "") if isinstance(layer, dict) else ""
        if not inside:
            raise _UnreadableError("a layer has no media type")
        if not _LAYER.fullmatch(inside):
            return _artifact(inside)
    if not layers:
        return Finding("no_image", "has no layers: there is nothing in it that could run")
    return ConfigWanted(_digest(config))


def _look_at_index(data: dict[str, Any], platform: Platform) -> Finding | ImagesWanted:
    entries = data["manifests"]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _UnreadableError("its manifests are no list of objects")
    if len(entries) > _MOST_ENTRIES:
        raise _UnreadableError(f"it lists over {_MOST_ENTRIES} manifests")
    images = [entry for entry in entries if _may_be_image(entry)]
    ours: list[str] = []
    unsaid: list[str] = []
    others: list[Platform] = []
    for entry in images:
        found = _platform(entry)
        if found is None:
            unsaid.append(_digest(entry))
        elif found == platform:
            ours.append(_digest(entry))
        elif found.is_known:
            others.append(found)
    if ours or unsaid:
        return ImagesWanted(tuple((ours or unsaid)[:_MOST_LOOKED_INTO]))
    if others:
        return _wrong(others, platform)
    kinds = [_bare(entry.get("mediaType") or "") for entry in entries]
    cache = next((kind for kind in kinds if kind.startswith("application/vnd.buildkit.cacheconfig.")), None)
    return _artifact(cache) if cache else Finding("no_image", "is an index that lists no image")


def _may_be_image(entry: dict[str, Any]) -> bool:
    annotations = entry.get("annotations")
    if isinstance(annotations, dict) and _ATTESTATION in annotations:
        return False
    artifact = _bare(entry.get("artifactType") or "")
    return _bare(entry.get("mediaType") or "") in _IMAGES and artifact in {"", *_CONFIGS}


def _platform(entry: dict[str, Any]) -> Platform | None:
    """The platform that an index states for one of its images; None when it states none."""
    stated = entry.get("platform")
    if stated is None:
        return None
    if not isinstance(stated, dict):
        raise _UnreadableError("a platform in it is no object")
    names = [stated.get(name, "") for name in ("os", "architecture")]
    if not all(isinstance(name, str) for name in names):
        raise _UnreadableError("a platform in it is no text")
    return Platform.of(*names)


def _digest(descriptor: dict[str, Any]) -> str:
    digest = descriptor.get("digest")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise _UnreadableError("it names something by no sha256 digest")
    return digest


def _wrong(found: Iterable[Platform], platform: Platform) -> Finding:
    names = sorted({str(one) for one in found})
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    listed = ", ".join(names[:_MOST_SHOWN]) + more
    return Finding(
        "wrong_platform",
        f"is for {listed}; this environment runs {platform}: build it with --platform {platform} and push it again",
    )
