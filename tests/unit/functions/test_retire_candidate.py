"""Short-lived runtimes are gone after every kind of end; nothing else is ever touched."""

import json
from pathlib import Path

import pytest

from flywheel.errors import FlywheelError, NotFoundError, TransientError
from flywheel.events import ExecutionEnded, RetireReply, StatusChange
from flywheel.runtimes import short_lived_spec
from functions.retire_candidate.app import until_gone
from tests.fakes.world import World, surroundings

EVENTS = Path(__file__).parents[3] / "events"


def ended(status: str = "ABORTED", arn: str = "arn:execution:1") -> ExecutionEnded:
    return ExecutionEnded.model_validate({"executionArn": arn, "status": status})


def short_lived(world: World) -> list[str]:
    return [stored.runtime.name for stored in world.runtimes.stored.values() if stored.runtime.name.startswith("fw_")]


def test_the_runtime_of_an_arm_is_deleted_and_a_second_call_finds_nothing() -> None:
    world = World()
    gate = world.plan()
    world.deploy(gate)
    assert world.retirer.retire(gate, "candidate") == RetireReply(gone=True, wait_s=0)
    assert short_lived(world) == []
    assert world.retirer.retire(gate, "candidate").gone is True


def test_deletion_that_takes_time_is_looked_at_until_it_is_done() -> None:
    world = World()
    gate = world.plan()
    world.deploy(gate)
    world.runtimes.deletion_takes = 3
    assert world.retirer.retire(gate, "candidate") == RetireReply(gone=False, wait_s=2)
    replies = [world.retirer.retire(gate, "candidate").gone for _ in range(3)]
    assert replies[-1] is True


def test_a_runtime_that_is_still_being_created_is_deleted_later() -> None:
    world = World()
    gate = world.plan()
    world.deploy(gate)
    world.runtimes.deletes_refused = 1
    assert world.retirer.retire(gate, "candidate").gone is False
    assert world.retirer.retire(gate, "candidate").gone is True


def test_a_runtime_that_was_never_noted_is_found_by_its_name() -> None:
    world = World()
    gate = world.plan()
    arm = world.evidence.plan(gate).arms[0]
    world.runtimes.create(short_lived_spec(gate, arm, surroundings("candidate"), world.clock.now()))
    assert world.gates.rows[gate].arms["candidate"].runtime_id is None
    assert world.retirer.retire(gate, "candidate").gone is True
    assert short_lived(world) == []


@pytest.mark.parametrize(
    "tags", [{}, {"flywheel:lifetime": "production"}, {"flywheel:lifetime": "short-lived", "flywheel:stack": "other"}]
)
def test_a_runtime_without_our_tags_is_left_alone(tags: dict[str, str]) -> None:
    world = World()
    gate = world.plan()
    world.deploy(gate)
    (stored,) = world.runtimes.stored.values()
    stored.tags = tags
    with pytest.raises(FlywheelError, match="left alone"):
        world.retirer.retire(gate, "candidate")
    assert len(short_lived(world)) == 1


def test_an_arm_that_was_never_planned_is_gone_and_an_unknown_gate_is_named() -> None:
    world = World()
    gate = world.plan()
    assert world.retirer.retire(gate, "incumbent").gone is True
    with pytest.raises(NotFoundError):
        world.retirer.retire("g-20260101t000000-00000000", "candidate")


@pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT", "FAILED"])
def test_a_stopped_execution_leaves_nothing_and_its_gate_is_inconclusive(status: str) -> None:
    world = World()
    world.in_production()
    gate = world.plan()
    world.deploy(gate)
    assert len(short_lived(world)) == 2
    assert world.retirer.execution_ended(ended(status)).gone is True
    assert short_lived(world) == []
    row = world.gates.rows[gate]
    assert (row.status, row.verdict, row.reasons, row.promoted) == (
        "ended", "INCONCLUSIVE", (f"execution_{status.lower()}",), False,
    )  # fmt: skip
    assert world.bus.types == ["GateInconclusive"]


def test_a_gate_that_was_stopped_after_its_release_is_on_record_as_promoted() -> None:
    world = World()
    gate = world.passed()
    world.bus.failures = 1
    with pytest.raises(TransientError):  # killed between the release and the note of it
        world.promote(gate)
    world.retirer.execution_ended(ended("ABORTED"))
    assert world.gates.rows[gate].promoted is True
    release = world.releases.head().release
    assert release is not None
    assert release.gate_id == gate


def test_one_runtime_that_must_be_left_alone_keeps_neither_the_other_arm_nor_the_verdict() -> None:
    world = World()
    world.in_production()
    gate = world.plan()
    world.deploy(gate)
    (candidate,) = (s for s in world.runtimes.stored.values() if s.runtime.name.endswith("candidate"))
    candidate.tags = {}
    with pytest.raises(FlywheelError, match="left alone"):
        world.retirer.execution_ended(ended())
    assert short_lived(world) == [candidate.runtime.name]
    assert world.bus.types == ["GateInconclusive"]


def test_the_same_status_event_delivered_twice_announces_once() -> None:
    world = World()
    world.plan()
    world.retirer.execution_ended(ended())
    world.retirer.execution_ended(ended())
    assert world.bus.types == ["GateInconclusive"]


def test_a_verdict_that_was_published_stands() -> None:
    world = World()
    gate = world.passed()
    world.promote(gate)
    world.publisher().publish(gate, None)
    world.retirer.execution_ended(ended("FAILED"))
    row = world.gates.rows[gate]
    assert (row.verdict, row.promoted) == ("PASS", True)
    assert world.bus.types == ["AgentPromoted", "GatePassed"]
    assert short_lived(world) == []


def test_an_execution_without_a_gate_is_nobodys_business() -> None:
    world = World()
    assert world.retirer.execution_ended(ended(arn="arn:execution:unknown")).gone is True
    assert world.bus.events == []


def test_the_sample_status_event_is_understood() -> None:
    change = StatusChange.model_validate_json((EVENTS / "execution_aborted.json").read_text()).detail
    assert (change.execution_arn, change.status) == ("arn:execution:1", "ABORTED")
    assert json.loads((EVENTS / "execution_aborted.json").read_text())["source"] == "aws.states"


def test_a_status_event_is_worked_on_until_all_is_gone() -> None:
    replies = iter(
        [RetireReply(gone=False, wait_s=2), RetireReply(gone=False, wait_s=2), RetireReply(gone=True, wait_s=0)]
    )
    slept: list[float] = []
    assert until_gone(lambda: next(replies), lambda: 100.0, slept.append).gone is True
    assert slept == [2, 2]


def test_a_status_event_that_runs_out_of_time_is_delivered_again() -> None:
    with pytest.raises(TransientError):
        until_gone(lambda: RetireReply(gone=False, wait_s=2), lambda: 21.0, lambda _: None)


def test_people_hear_of_a_gate_whose_execution_was_stopped() -> None:
    world = World()
    gate = world.plan()
    for _ in range(2):
        world.retirer.execution_ended(ended("ABORTED"))
    ((subject, text),) = world.notifier.letters
    assert subject == "[dev] INCONCLUSIVE: v1"
    assert "ABORTED" in text
    assert f"flywheel gate show {gate}" in text
