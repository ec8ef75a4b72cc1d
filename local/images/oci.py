"""OCI images as data: media types, digests, and the parts of one image."""

import hashlib
import re
from dataclasses import dataclass

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
REVISION = "org.opencontainers.image.revision"

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class ImageError(Exception):
    """An image cannot be packed, pushed, pulled or unpacked; the message says why and what to do."""


def digest_of(content: bytes) -> str:
    """`sha256:` and 64 hex digits."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def is_digest(text: object) -> bool:
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Image:
    """The exact bytes of an image; `digest` is that of its manifest, the one that a registry reports."""

    manifest: bytes
    config: bytes
    layers: tuple[bytes, ...]

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)
