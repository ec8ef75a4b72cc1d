"""The short-lived runtime of an experiment: one that cannot be had is a result, and nothing outlives a stop."""

from dataclasses import replace

import pytest

from flywheel.domain.experiment import RuntimePlan
from flywheel.errors import ConflictError, NotFoundError
from flywheel.experiment_events import DeployRuntimeReply
from flywheel.ports import Runtime, RuntimeSpec, RuntimeStatus
from flywheel.ports.experiments import ExperimentRuntime
from tests.experiment_samples import BASE, EXPERIMENT, experiment_plan
from tests.fakes.experiment_world import ExperimentWorld, ended
from tests.fakes.runtimes import InMemoryRuntimes
from tests.fakes.world import STACK


@pytest.fixture
def world() -> ExperimentWorld:
    world = ExperimentWorld()
    world.begin()
    return world


def only(world: ExperimentWorld) -> ExperimentRuntime:
    return world.row().runtimes["r01"]


def test_the_first_call_creates_and_a_later_one_settles_it(world: ExperimentWorld) -> None:
    assert world.deploy(looks=1) == DeployRuntimeReply(experiment_id=EXPERIMENT, runtime="r01", settled=False, wait_s=2)
    assert only(world).runtime_id is not None
    assert only(world).ready is False
    assert world.deploy(looks=1).settled is True
    assert only(world).ready is True
    assert world.deploy(looks=3).settled is True
    assert len(world.runtimes.stored) == 1


def test_it_takes_overrides_and_leaves_the_release_to_each_request(world: ExperimentWorld) -> None:
    world.deploy()
    (stored,) = world.runtimes.stored.values()
    spec = stored.specs["1"]
    assert spec.environment["ALLOW_OVERRIDES"] == "true"
    assert "LANGFUSE_RELEASE" not in spec.environment
    assert spec.environment["MODEL_ID"] == "model-small"
    assert stored.tags == {
        "flywheel:lifetime": "short-lived",
        "flywheel:stack": STACK,
        "flywheel:experiment": EXPERIMENT,
        "flywheel:created": "2026-11-23T12:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("status", "why"),
    [("CREATE_FAILED", "the runtime is CREATE_FAILED: no such image"), ("DELETING", "the runtime is DELETING")],
)
def test_one_that_fails_is_settled_with_its_reason(world: ExperimentWorld, status: RuntimeStatus, why: str) -> None:
    world.deploy(looks=1)
    world.runtimes.becomes[only(world).runtime_name] = (status, "no such image")
    assert world.deploy(looks=1).settled is True
    assert (only(world).failed or "").startswith(why)
    assert world.deploy(looks=1).wait_s == 0


def test_one_that_is_never_ready_is_given_up_after_its_time(world: ExperimentWorld) -> None:
    world.deploy(looks=1)
    world.runtimes.becomes[only(world).runtime_name] = ("CREATING", "")
    world.clock.advance(30)
    assert world.deploy(looks=1).wait_s == 10
    world.clock.advance(31)
    assert world.deploy(looks=1).settled is True
    assert only(world).failed == "the runtime was not READY within 60 s"


def test_one_that_somebody_deleted_is_given_up(world: ExperimentWorld) -> None:
    world.deploy(looks=1)
    world.runtimes.stored.clear()
    assert world.deploy(looks=1).settled is True
    assert only(world).failed == "the runtime was deleted by somebody else"


def test_one_that_agentcore_does_not_take_is_given_up_and_the_others_are_not() -> None:
    world = ExperimentWorld()
    impossible = replace(BASE, parameters=(("LANGFUSE_HOST", "https://elsewhere.test"),))
    plan = replace(experiment_plan(), runtimes=(RuntimePlan("r01", impossible), RuntimePlan("r02", BASE)))
    world.begin(plan)
    assert world.deploy(looks=1).settled is True
    assert "must not be called" in (only(world).failed or "")
    world.deploy(runtime="r02")
    assert world.row().runtimes["r02"].ready is True


def test_a_call_that_was_killed_before_it_noted_the_runtime_finds_it_again(world: ExperimentWorld) -> None:
    world.deploy(looks=1)
    found = only(world)
    world.experiments.note_runtime(EXPERIMENT, "r01", replace(found, runtime_id=None))
    world.deploy(looks=1)
    assert only(world).runtime_id == found.runtime_id
    assert len(world.runtimes.stored) == 1


def test_nothing_is_created_for_an_experiment_that_has_ended(world: ExperimentWorld) -> None:
    world.experiment_retirer.execution_ended(ended())
    with pytest.raises(ConflictError, match="has ended"):
        world.deploy(looks=1)
    assert world.runtimes.stored == {}


@pytest.mark.parametrize("resumed", [False, True])
def test_one_that_is_created_just_while_it_is_stopped_is_discarded(world: ExperimentWorld, resumed: bool) -> None:
    class Stopping(InMemoryRuntimes):
        def create(self, spec: RuntimeSpec) -> Runtime:
            made = super().create(spec)
            world.experiment_retirer.execution_ended(ended())
            if resumed:
                world.begin(execution="arn:2")
            return made

    world.runtimes = Stopping(world.clock)
    world.runtimes.deletes_refused = 2
    with pytest.raises(ConflictError):
        world.deploy(looks=1)
    assert world.runtimes.stored == {}
    assert world.pauses == [2.0]
    assert (only(world).runtime_id is None) is resumed


def test_what_is_not_planned_is_not_deployed(world: ExperimentWorld) -> None:
    with pytest.raises(NotFoundError):
        world.deploy(runtime="r09", looks=1)
    with pytest.raises(NotFoundError):
        world.deploy("x-20260101t000000-00000000", looks=1)
