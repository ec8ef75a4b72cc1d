"""Images of our repository <- ECR: a tag becomes a digest once; the digest is all that is used afterwards."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

import boto3
import urllib3
from botocore.config import Config
from urllib3.exceptions import HTTPError

from flywheel.adapters.awserrors import translated
from flywheel.domain.image_manifest import (
    MANIFEST_TYPES,
    MOST_BYTES,
    ConfigWanted,
    Finding,
    ImagesWanted,
    look_at_config,
    look_at_images,
    look_at_manifest,
)
from flywheel.domain.image_platform import Platform
from flywheel.errors import FlywheelError, NotFoundError, TransientError
from flywheel.ports import Image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

_REVISION = "org.opencontainers.image.revision"
_BLOB_LIMIT = 1_000_000
_BLOB_TIMEOUT_S = 5.0
# AgentCore runs nothing else.
AGENTCORE = Platform("linux", "arm64")


def _download(url: str) -> bytes:
    """Fetch one small blob, quickly or not at all; empty when it is not given out."""
    with urllib3.PoolManager(timeout=_BLOB_TIMEOUT_S, retries=False) as pool:
        reply = pool.request("GET", url, preload_content=False)
        try:
            return reply.read(MOST_BYTES + 1) if reply.status == HTTPStatus.OK else b""
        finally:
            reply.release_conn()


class EcrImageRegistry:
    """One repository. `platform`: where its images are to run."""

    def __init__(
        self,
        client: "ECRClient",
        repository: str,
        download: Callable[[str], bytes] = _download,
        platform: Platform = AGENTCORE,
    ) -> None:
        self._client = client
        self._repository = repository
        self._download = download
        self._platform = platform

    @classmethod
    def from_repository(cls, repository: str, platform: Platform = AGENTCORE) -> Self:
        config = Config(retries={"mode": "standard", "total_max_attempts": 5})
        return cls(boto3.client("ecr", config=config), repository, platform=platform)

    def resolve(self, reference: str) -> Image:
        found = self._image(reference)
        registry = found["registryId"]
        region = self._client.meta.region_name
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        return Image(
            repository_uri=f"{registry}.dkr.ecr.{region}.{suffix}/{self._repository}",
            digest=found["imageId"]["imageDigest"],
            revision=self._revision(found),
        )

    def look(self, reference: str) -> Finding:
        found = self._image(reference)
        looked = self._manifest(found)
        if not isinstance(looked, ImagesWanted):
            return self._config(found, looked)
        return look_at_images([(digest, self._image_of_index(digest)) for digest in looked.digests])

    def _image_of_index(self, digest: str) -> Finding:
        try:
            found = self._image(digest)
        except NotFoundError:
            return Finding("unreadable", f"is not in the repository {self._repository}")
        looked = self._manifest(found)
        if isinstance(looked, ImagesWanted):
            return Finding("no_image", "is an index again")
        return self._config(found, looked)

    def _manifest(self, found: dict[str, Any]) -> Finding | ConfigWanted | ImagesWanted:
        return look_at_manifest(found["imageManifest"], found.get("imageManifestMediaType", ""), self._platform)

    def _config(self, found: dict[str, Any], looked: Finding | ConfigWanted) -> Finding:
        if isinstance(looked, Finding):
            return looked
        try:
            blob = self._blob(looked.digest)
        except NotFoundError:
            return Finding("unreadable", f"cannot be read: the repository {self._repository} lacks its configuration")
        except (HTTPError, OSError) as error:
            raise TransientError(f"the configuration {looked.digest} cannot be downloaded: {error}") from error
        if not blob:
            raise TransientError(f"the configuration {looked.digest} was not given out")
        return look_at_config(blob.decode(errors="replace"), found["imageId"]["imageDigest"], self._platform)

    def _image(self, reference: str) -> dict[str, Any]:
        image_id = {"imageDigest": reference} if reference.startswith("sha256:") else {"imageTag": reference}
        with translated(f"ecr:BatchGetImage {self._repository}"):
            reply: dict[str, Any] = self._client.batch_get_image(  # type: ignore[assignment]
                repositoryName=self._repository,
                imageIds=[image_id],  # type: ignore[list-item]
                acceptedMediaTypes=list(MANIFEST_TYPES),
            )
        if not reply["images"]:
            why = ", ".join(failure.get("failureCode", "") for failure in reply.get("failures", []))
            raise NotFoundError(f"the repository {self._repository} has no image {reference[:100]!r} ({why})")
        return dict(reply["images"][0])

    def _revision(self, found: dict[str, Any]) -> str | None:
        """Find the commit that the image was built from; a label that cannot be read never holds a gate up."""
        try:
            manifest = json.loads(found["imageManifest"])
            if "manifests" in manifest:  # an index: look into the image that AgentCore will run
                platform = next(
                    m
                    for m in manifest["manifests"]
                    if m.get("platform", {}).get("architecture") == self._platform.architecture
                )
                manifest = json.loads(self._image(platform["digest"])["imageManifest"])
            revision = manifest.get("annotations", {}).get(_REVISION) or self._label(manifest["config"])
        except (KeyError, TypeError, ValueError, StopIteration, AttributeError, OSError, FlywheelError, HTTPError):
            return None
        return revision if isinstance(revision, str) and revision else None

    def _label(self, config: dict[str, Any]) -> Any:
        if config.get("size", 0) > _BLOB_LIMIT:
            return None
        return json.loads(self._blob(config["digest"]))["config"]["Labels"].get(_REVISION)

    def _blob(self, digest: str) -> bytes:
        with translated(f"ecr:GetDownloadUrlForLayer {self._repository}"):
            url = self._client.get_download_url_for_layer(repositoryName=self._repository, layerDigest=digest)
        return self._download(url["downloadUrl"])
