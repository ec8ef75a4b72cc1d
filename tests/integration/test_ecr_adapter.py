"""Images in the emulated ECR, pushed as `docker push` would."""

from pathlib import Path

import pytest

from flywheel.adapters.ecr import EcrImageRegistry
from flywheel.errors import NotFoundError
from flywheel.ports import ImageRegistry
from local.stack import StackInfo
from tests.fakes.contracts import ImageRegistryContract
from tests.local_agents import SERVER, Agents


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
