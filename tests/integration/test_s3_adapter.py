"""Evidence on the emulated S3."""

from collections.abc import Iterator
from uuid import uuid4

import boto3
import pytest

from flywheel.adapters.s3 import S3ObjectStore
from flywheel.errors import NotFoundError
from flywheel.ports import ObjectStore
from local.stack import StackInfo
from tests.fakes.contracts import ObjectStoreContract


class TestS3(ObjectStoreContract):
    @pytest.fixture
    def objects(self, aws: StackInfo) -> Iterator[ObjectStore]:
        bucket = f"evidence-{uuid4().hex[:8]}"
        client = boto3.client("s3")
        client.create_bucket(Bucket=bucket)
        store = S3ObjectStore.from_bucket(bucket)
        yield store
        for key in store.keys(""):
            client.delete_object(Bucket=bucket, Key=key)
        client.delete_bucket(Bucket=bucket)


def test_a_bucket_that_does_not_exist_is_an_error_and_not_an_empty_answer(aws: StackInfo) -> None:
    with pytest.raises(NotFoundError, match="NoSuchBucket"):
        S3ObjectStore.from_bucket("no-such-bucket").create("a", b"")
