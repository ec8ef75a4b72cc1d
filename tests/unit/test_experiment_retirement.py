"""After an experiment nothing is left, whoever ends it; a stopped one is on record as such, and told once."""

import pytest

from flywheel.errors import FlywheelError, NotFoundError
from flywheel.events import RetireReply
from tests.experiment_samples import EXPERIMENT
from tests.fakes.clock import NOON
from tests.fakes.experiment_world import ExperimentWorld, ended

HOUR = 3600


@pytest.fixture
def world() -> ExperimentWorld:
    world = ExperimentWorld()
    world.begin()
    world.deploy()
    return world


def test_a_runtime_is_retired_and_that_may_be_repeated(world: ExperimentWorld) -> None:
    assert world.experiment_retirer.retire(EXPERIMENT, "r01") == RetireReply(gone=True, wait_s=0)
    assert world.runtimes.stored == {}
    assert world.experiment_retirer.retire(EXPERIMENT, "r01").gone is True
    assert world.experiment_retirer.retire(EXPERIMENT, "r09").gone is True
    with pytest.raises(NotFoundError):
        world.experiment_retirer.retire("x-20260101t000000-00000000", "r01")


def test_one_that_takes_its_time_is_waited_for(world: ExperimentWorld) -> None:
    world.runtimes.deletion_takes = 3
    assert world.experiment_retirer.retire(EXPERIMENT, "r01") == RetireReply(gone=False, wait_s=15)
    replies = [world.experiment_retirer.retire(EXPERIMENT, "r01").gone for _ in range(3)]
    assert replies[-1] is True


def test_what_is_not_tagged_as_ours_is_left_alone(world: ExperimentWorld) -> None:
    (stored,) = world.runtimes.stored.values()
    stored.tags["flywheel:stack"] = "another-stack"
    with pytest.raises(FlywheelError, match="left alone"):
        world.experiment_retirer.retire(EXPERIMENT, "r01")
    assert len(world.runtimes.stored) == 1


@pytest.mark.parametrize(("status", "outcome"), [("ABORTED", "stopped"), ("TIMED_OUT", "broken"), ("FAILED", "broken")])
def test_an_execution_that_ended_badly_is_cleaned_up_ended_and_told_once(
    world: ExperimentWorld, status: str, outcome: str
) -> None:
    for _ in range(2):
        assert world.experiment_retirer.execution_ended(ended(status)) == RetireReply(gone=True, wait_s=0)
    row = world.row()
    assert (row.status, row.outcome, row.reasons) == ("ended", outcome, (f"its execution ended {status}",))
    assert world.runtimes.stored == {}
    assert [subject for subject, _ in world.notifier.letters] == [f"[dev] experiment {outcome}: models"]
    assert "resume" in world.notifier.letters[0][1]
    assert world.bus.events == []


def test_one_that_had_ended_before_stays_as_it_was(world: ExperimentWorld) -> None:
    row = world.experiments.end(EXPERIMENT, outcome="completed", reasons=(), ended=NOON, recommended="c02")
    world.experiment_announcer.announce(row)
    world.experiment_retirer.execution_ended(ended("FAILED"))
    assert world.row() == row
    assert world.runtimes.stored == {}
    assert len(world.notifier.letters) == 1
    assert world.bus.types == ["ExperimentCompleted"]


def test_an_execution_of_something_else_is_not_ours(world: ExperimentWorld) -> None:
    assert world.experiment_retirer.execution_ended(ended(execution="arn:gate")) is None
    assert world.row().status == "running"


def test_one_runtime_that_cannot_be_deleted_keeps_nothing_else_from_its_end(world: ExperimentWorld) -> None:
    (stored,) = world.runtimes.stored.values()
    stored.tags.clear()
    with pytest.raises(FlywheelError):
        world.experiment_retirer.execution_ended(ended())
    assert world.row().outcome == "stopped"
    assert len(world.notifier.letters) == 1


def test_a_late_word_of_an_earlier_attempt_takes_its_runtimes_and_not_those_of_the_next(world: ExperimentWorld) -> None:
    world.experiments.end(EXPERIMENT, outcome="stopped", reasons=(), ended=NOON)
    world.begin(execution="arn:2")
    world.deploy()
    assert len(world.runtimes.stored) == 2

    assert world.experiment_retirer.execution_ended(ended("ABORTED", "arn:1")) == RetireReply(gone=True, wait_s=0)

    assert [stored.runtime.name for stored in world.runtimes.stored.values()] == [
        world.row().runtimes["r01"].runtime_name
    ]
    assert world.row().status == "running"
    assert world.notifier.letters == []


def test_the_sweeper_keeps_what_a_running_experiment_needs_but_not_for_ever(world: ExperimentWorld) -> None:
    world.clock.advance(7 * HOUR)
    assert world.sweeper.sweep().swept == ()
    world.clock.advance(20 * HOUR)
    assert len(world.sweeper.sweep().swept) == 1


def test_the_sweeper_takes_what_an_ended_experiment_or_an_earlier_attempt_left(world: ExperimentWorld) -> None:
    world.experiments.end(EXPERIMENT, outcome="stopped", reasons=(), ended=NOON)
    world.begin(execution="arn:2")
    (left,) = world.runtimes.runtimes()
    world.clock.advance(2 * HOUR)
    assert world.sweeper.sweep().swept == (left.name,)
    assert world.sweeper.sweep().seen == 0
