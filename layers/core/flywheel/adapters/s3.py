"""Evidence objects <-> S3; write-once by conditional put."""

from typing import TYPE_CHECKING, Self

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from flywheel.adapters.awserrors import error_code, translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class S3ObjectStore:
    """One bucket."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    @classmethod
    def from_bucket(cls, bucket: str) -> Self:
        return cls(boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 4})), bucket)

    def read(self, key: str) -> bytes:
        with translated(f"s3:GetObject {key}"):
            return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()

    def create(self, key: str, body: bytes, content_type: str = "application/json") -> bool:
        with translated(f"s3:PutObject {key}"):
            try:
                self._client.put_object(
                    Bucket=self._bucket, Key=key, Body=body, ContentType=content_type, IfNoneMatch="*"
                )
            except ClientError as error:
                if error_code(error) == "PreconditionFailed":
                    return False
                raise
        return True

    def put(self, key: str, body: bytes, content_type: str = "application/json") -> None:
        with translated(f"s3:PutObject {key}"):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType=content_type)

    def keys(self, prefix: str) -> list[str]:
        found: list[str] = []
        with translated(f"s3:ListBucket {prefix}"):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                found.extend(item["Key"] for item in page.get("Contents", []))
        return sorted(found)
