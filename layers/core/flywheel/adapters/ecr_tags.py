"""Tags of our repository <-> ECR: what has one, and one more for an image that is there."""

from datetime import UTC
from typing import TYPE_CHECKING, Self

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from flywheel.adapters.awserrors import error_code, translated
from flywheel.domain.image_manifest import MANIFEST_TYPES
from flywheel.errors import NotFoundError
from flywheel.ports import TaggedImage

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

# The manifest has the tag already.
_UNCHANGED = "ImageAlreadyExistsException"


class EcrTags:
    """`ReleaseTags` of one repository."""

    def __init__(self, client: "ECRClient", repository: str) -> None:
        self._client = client
        self._repository = repository

    @classmethod
    def from_repository(cls, repository: str) -> Self:
        config = Config(retries={"mode": "standard", "total_max_attempts": 5})
        return cls(boto3.client("ecr", config=config), repository)

    def tagged(self) -> list[TaggedImage]:
        images: list[TaggedImage] = []
        with translated(f"ecr:DescribeImages {self._repository}"):
            pages = self._client.get_paginator("describe_images").paginate(
                repositoryName=self._repository, filter={"tagStatus": "TAGGED"}
            )
            for page in pages:
                images.extend(
                    TaggedImage(one["imageDigest"], tuple(one["imageTags"]), one["imagePushedAt"].astimezone(UTC))
                    for one in page["imageDetails"]
                    if one.get("imageTags")
                )
        return images

    def add_tag(self, digest: str, tag: str) -> None:
        with translated(f"ecr:BatchGetImage {self._repository}"):
            found = self._client.batch_get_image(
                repositoryName=self._repository,
                imageIds=[{"imageDigest": digest}],
                acceptedMediaTypes=list(MANIFEST_TYPES),
            )["images"]
        if not found:
            raise NotFoundError(f"the repository {self._repository} has no image {digest}")
        with translated(f"ecr:PutImage {self._repository} {tag}"):
            try:
                self._client.put_image(
                    repositoryName=self._repository,
                    imageManifest=found[0]["imageManifest"],
                    imageManifestMediaType=found[0]["imageManifestMediaType"],
                    imageDigest=digest,
                    imageTag=tag,
                )
            except ClientError as error:
                if error_code(error) != _UNCHANGED:
                    raise
