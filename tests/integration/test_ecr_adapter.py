"""Images in the emulated ECR, pushed as `docker push` would."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from flywheel.adapters.ecr import EcrImageRegistry
from flywheel.adapters.ecr_tags import EcrTags
from flywheel.errors import NotFoundError
from flywheel.ports import ImageRegistry
from local.stack import StackInfo
from tests.fakes.contracts import ImageRegistryContract
from tests.local_agents import SERVER, Agents
from tests.manifests import ARM, BESIDE, OCI_IMAGE, attestation_of, descriptor, digest, index


@pytest.fixture
def agents(aws: StackInfo, tmp_path: Path) -> Agents:
    return Agents(aws, tmp_path)


class TestEcr(ImageRegistryContract):
    @pytest.fixture
    def digest(self, agents: Agents) -> str:
        return agents.push(SERVER % "one")

    @pytest.fixture
    def images(self, agents: Agents, digest: str) -> ImageRegistry:
        return EcrImageRegistry.from_repository(agents.repository)


def test_the_uri_is_the_one_that_the_repository_has(agents: Agents) -> None:
    digest = agents.push(SERVER % "one")
    image = EcrImageRegistry.from_repository(agents.repository).resolve("v1")
    assert f"{image.repository_uri}@{image.digest}" == agents.uri(digest)


def test_a_tag_that_moved_names_the_new_image_and_the_digest_still_the_old(agents: Agents) -> None:
    images = EcrImageRegistry.from_repository(agents.repository)
    first = agents.push(SERVER % "one")
    second = agents.push(SERVER % "two")
    assert images.resolve("v1").digest == second != first
    assert images.resolve(first).digest == first


def test_a_repository_that_does_not_exist_is_not_found(aws: StackInfo) -> None:
    with pytest.raises(NotFoundError, match="no-such-repository"):
        EcrImageRegistry.from_repository("no-such-repository").resolve("v1")


class Shelf:
    """A repository that manifests of any kind are pushed to, as the tools of the trade do it."""

    def __init__(self, agents: Agents) -> None:
        self.agents = agents
        self.registry = EcrImageRegistry.from_repository(agents.repository)
        self.tags = EcrTags.from_repository(agents.repository)

    def put(self, manifest: dict[str, Any], tag: str | None = None) -> str:
        content = json.dumps(manifest)
        url = f"{self.agents.info.aws.url}/v2/{self.agents.repository}/manifests/{tag or digest(content)}"
        headers = {"Content-Type": manifest.get("mediaType", OCI_IMAGE)}
        httpx.put(url, content=content, headers=headers).raise_for_status()
        return digest(content)


@pytest.fixture
def shelf(agents: Agents) -> Shelf:
    return Shelf(agents)


@pytest.mark.parametrize("name", BESIDE)
def test_what_is_kept_beside_images_is_held_and_known(shelf: Shelf, name: str) -> None:
    pushed = shelf.put(BESIDE[name], "odd")
    assert shelf.registry.look("odd").kind == "no_image"
    assert [(image.digest, image.tags) for image in shelf.tags.tagged()] == [(pushed, ("odd",))]


def test_of_an_index_the_image_of_our_platform_is_what_runs(shelf: Shelf) -> None:
    ours = shelf.agents.push(SERVER % "one", tag="child")
    listed = index(descriptor(OCI_IMAGE) | {"digest": ours, "platform": ARM}, attestation_of("image"))
    pushed = shelf.put(listed, "v1")
    found = shelf.registry.look("v1")
    assert (found.kind, found.runs) == ("runnable", ours)
    assert shelf.registry.resolve("v1").digest == pushed


def test_an_image_for_another_processor_is_told_from_ours(shelf: Shelf) -> None:
    shelf.agents.push(SERVER % "one", tag="laptop", architecture="amd64")
    assert "is for linux/amd64; this environment runs linux/arm64" in shelf.registry.look("laptop").reason


def test_a_release_tag_is_one_more_name_of_the_same_image(shelf: Shelf) -> None:
    pushed = shelf.agents.push(SERVER % "one")
    shelf.put(BESIDE["attestation of buildx"])
    before = datetime.now(UTC) - timedelta(minutes=1)
    shelf.tags.add_tag(pushed, "flywheel-release-000001")
    shelf.tags.add_tag(pushed, "flywheel-release-000001")
    (image,) = shelf.tags.tagged()
    assert (image.digest, sorted(image.tags)) == (pushed, ["flywheel-release-000001", "v1"])
    assert image.pushed_at > before
    assert shelf.registry.look("flywheel-release-000001").runs == pushed
    with pytest.raises(NotFoundError):
        shelf.tags.add_tag("sha256:" + "0" * 64, "flywheel-release-000002")
