"""The commit behind an image: from the manifest, from its label, or none; it never holds a gate up."""

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from flywheel.adapters.ecr import EcrImageRegistry
from flywheel.errors import NotFoundError

DIGEST, ARM, CONFIG = ("sha256:" + letter * 64 for letter in "abc")
REVISION = "org.opencontainers.image.revision"


def resolve(manifests: list[dict[str, Any] | str], blob: bytes | Exception | None = None) -> Any:
    sdk = boto3.client("ecr", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")

    def download(address: str) -> bytes:
        assert address == "https://blob"
        if isinstance(blob, Exception):
            raise blob
        return blob or b""

    with Stubber(sdk) as stub:
        for manifest in manifests:
            image = {
                "registryId": "123456789012",
                "repositoryName": "agent",
                "imageId": {"imageDigest": DIGEST},
                "imageManifest": manifest if isinstance(manifest, str) else json.dumps(manifest),
            }
            stub.add_response("batch_get_image", {"images": [image], "failures": []})
        if blob is not None:
            stub.add_response("get_download_url_for_layer", {"downloadUrl": "https://blob", "layerDigest": CONFIG})
        found = EcrImageRegistry(sdk, "agent", download).resolve("v1")
        stub.assert_no_pending_responses()
    assert (found.digest, found.repository_uri) == (DIGEST, "123456789012.dkr.ecr.eu-central-1.amazonaws.com/agent")
    return found.revision


MANIFEST = {"config": {"digest": CONFIG, "size": 900}, "layers": []}
LABELLED = json.dumps({"config": {"Labels": {REVISION: "abc123"}}}).encode()


def test_the_revision_is_read_from_the_label_of_the_image() -> None:
    assert resolve([MANIFEST], LABELLED) == "abc123"


def test_an_annotation_of_the_manifest_saves_the_download() -> None:
    assert resolve([MANIFEST | {"annotations": {REVISION: "def456"}}]) == "def456"


def test_of_an_index_the_arm64_image_counts_and_the_digest_stays_that_of_the_index() -> None:
    index = {
        "manifests": [
            {"digest": "sha256:" + "9" * 64, "platform": {"architecture": "amd64"}},
            {"digest": ARM, "platform": {"architecture": "arm64"}},
        ]
    }
    assert resolve([index, MANIFEST | {"annotations": {REVISION: "def456"}}]) == "def456"


@pytest.mark.parametrize(
    "manifest", ["not json", "[]", "{}", '"text"', {"config": None}, {"manifests": []}, {"config": {"size": 10**9}}]
)
def test_a_manifest_that_says_nothing_gives_no_revision(manifest: dict[str, Any] | str) -> None:
    assert resolve([manifest]) is None


@pytest.mark.parametrize("blob", [b"", b"not json", b"[]", b'{"config": {"Labels": null}}', OSError("cut")])
def test_a_label_that_cannot_be_read_gives_no_revision(blob: bytes | Exception) -> None:
    assert resolve([MANIFEST], blob) is None


def test_an_image_that_is_not_there_is_not_found() -> None:
    sdk = boto3.client("ecr", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(sdk) as stub:
        failure = {"imageId": {"imageTag": "v1"}, "failureCode": "ImageNotFound"}
        stub.add_response("batch_get_image", {"images": [], "failures": [failure]})
        with pytest.raises(NotFoundError, match="no image 'v1' \\(ImageNotFound\\)"):
            EcrImageRegistry(sdk, "agent").resolve("v1")
