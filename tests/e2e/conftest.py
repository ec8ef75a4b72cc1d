"""The whole system once: local stack up, template built and deployed by SAM, a small golden dataset in Langfuse."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import boto3
import pytest

from local import deploy, stack
from local.services import Outside
from local.stack import StackInfo
from tests.e2e.agents import Told
from tests.e2e.announcements import Announcements
from tests.e2e.breaking import Broken
from tests.e2e.system import ANSWERS, DATASET, POLICY, System, golden_items

PARAMETERS = {
    "DatasetName": DATASET,
    "TrialConcurrency": "4",
    "ShardsPerWave": "1",
    "WavePairs": "8",
    "ReadyTimeoutSeconds": "12",
    "InvokeTimeoutSeconds": "20",
    "JudgeTimeoutSeconds": "4",
    "ScoreReadBackSeconds": "12",
    "SweepOlderThanMinutes": "5",
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Nobody's real Langfuse is broken on purpose."""
    if Outside.from_environment(os.environ).replaces("langfuse"):
        breaking = [item for item in items if item.get_closest_marker("stand_in")]
        config.hook.pytest_deselected(items=breaking)
        items[:] = [item for item in items if item not in breaking]


@contextmanager
def pointed_at(info: StackInfo) -> Iterator[None]:
    """boto3, Langfuse and OpenAI clients made in here go to this stack; outside, nothing of it is left."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(info.environment())
    boto3.setup_default_session()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        boto3.setup_default_session()


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One deployed stack for all tests of this folder."""
    state = tmp_path_factory.mktemp("stack")
    try:
        info = stack.up(state=state)
        with pointed_at(info):
            # A stand-in shows scores at once; only where some are missing on purpose is the whole time waited.
            read_back = PARAMETERS["ScoreReadBackSeconds"] if info.langfuse.kind == "stand-in" else "90"
            outputs = deploy.deploy(
                info,
                PARAMETERS
                | {"JudgeBaseUrl": info.model_url, "McpUrl": info.mcp_url, "ScoreReadBackSeconds": read_back},
                settings={
                    "/flywheel/dev/agent": json.dumps({"model_id": "local.deterministic", "parameters": {}}),
                    "/flywheel/dev/policy": json.dumps(POLICY),
                },
            )
            ready = System(info, outputs, tmp_path_factory.mktemp("images"), state)
            ready.import_items(golden_items())
        yield ready
    finally:
        stack.down(state)


@pytest.fixture
def system(deployed: System) -> Iterator[System]:
    """The deployed stack, and every client pointed at it; each test leaves it without short-lived runtimes."""
    with pointed_at(deployed.info):
        yield deployed


@pytest.fixture(scope="session")
def announcements(deployed: System) -> Announcements:
    """What the stack says on its bus and in its letters, from now on."""
    with pointed_at(deployed.info):
        return Announcements.of(deployed.outputs["EventBusName"], deployed.outputs["NotificationTopicArn"])


@pytest.fixture
def good() -> Told:
    """The agent that knows every answer."""
    return Told(answers=ANSWERS)


@pytest.fixture
def broken(system: System) -> Iterator[Callable[[str], Broken]]:
    """Break a function, by its logical id; mended at the end at the latest."""
    made: list[Broken] = []

    def break_it(logical_id: str) -> Broken:
        made.append(Broken(logical_id))
        return made[-1]

    yield break_it
    for function in made:
        function.mend()


@pytest.fixture(autouse=True)
def nothing_left_behind(system: System) -> Iterator[None]:
    """Law 3, after every test: no fault stays on, no gate runs, no short-lived runtime is there."""
    yield
    system.clear_faults()
    system.wait_until_quiet()
    assert system.short_lived_runtimes() == []
