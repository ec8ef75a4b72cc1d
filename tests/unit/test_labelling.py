"""The label `production` in Langfuse follows the release in production, and never holds a promotion up for good."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from flywheel.errors import AccessDeniedError, FlywheelError, InvalidRequestError, TransientError
from flywheel.events import ExecutionEnded
from flywheel.labelling import ProductionLabel
from flywheel.ports import Head, Promotion, Release
from flywheel.rollback import RolledBack, plan_rollback
from tests.fakes.clock import NOON
from tests.fakes.world import World, requested_event

NAME = "docs-agent"


def world_with_prompt(version: int | None = 1) -> World:
    """Production runs that version, which has the label; version 2 is the candidate."""
    world = World()
    world.labels.prompts = {NAME: {1: {"production"}, 2: {"candidate"}, 3: set()}}
    release = world.in_production()
    if version is not None:
        candidate = replace(release.candidate, prompt_name=NAME, prompt_version=version)
        release = replace(release, candidate=candidate)
        world.releases.history[1] = release
        world.releases.now_in_production = Head(release)
    return world


def passed(world: World, version: int = 2, request: str = "r-1", time: str = "2026-11-23T11:59:30Z") -> str:
    prompt = {"name": NAME, "version": version}
    event = requested_event(time, request_id=request, image="production", prompt=prompt, reason="prompt-version")
    return world.passed(event, f"arn:execution:{request}")


def promotion(world: World, gate: str) -> Promotion:
    found = world.gates.rows[gate].promotion
    assert found is not None
    return found


def holder(world: World) -> int | None:
    return world.labels.holder(NAME, "production")


def rolled_back(world: World, ticks: Callable[[], float] = lambda: 0.0) -> RolledBack:
    return world.rollback(monotonic=ticks).roll_back(plan_rollback(world.releases), by="me", reason="r")


def test_a_prompt_version_that_is_promoted_gets_the_label_after_its_release_is_on_record() -> None:
    world = world_with_prompt()
    gate = passed(world)
    assert holder(world) == 1
    assert world.promote(gate) is True
    assert holder(world) == 2
    release = world.releases.head().release
    assert release is not None
    assert release.candidate.prompt_version == 2
    assert (promotion(world, gate).step, promotion(world, gate).label) == ("committed", "moved")


def test_a_call_that_is_repeated_moves_nothing_again() -> None:
    world = world_with_prompt()
    gate = passed(world)
    world.promote(gate)
    world.promote(gate)
    assert world.labels.moves == [(NAME, 2, "production")]
    assert world.bus.types == ["AgentPromoted"]


def test_a_candidate_without_a_prompt_in_langfuse_asks_langfuse_for_nothing() -> None:
    world = World()
    world.labels.trouble = [InvalidRequestError("nobody may be asked")]
    gate = world.passed()
    assert world.promote(gate) is True
    assert len(world.labels.trouble) == 1
    assert promotion(world, gate).label is None


def test_a_promotion_that_is_refused_leaves_the_label_where_it_was() -> None:
    world = world_with_prompt()
    gate = passed(world)
    world.runtimes.lagging_endpoints = {"production"}
    assert world.promoter.promote(gate).done is False
    world.clock.advance(301)
    world.runtimes.lagging_endpoints.clear()
    with pytest.raises(FlywheelError, match="promotion_timeout"):
        world.promote(gate)
    assert (holder(world), world.labels.moves) == (1, [])


def test_a_langfuse_that_is_down_for_a_moment_is_asked_again_and_the_promotion_is_announced_meanwhile() -> None:
    world = world_with_prompt()
    gate = passed(world)
    world.labels.trouble = [TransientError("down")] * 2
    first = world.promoter.promote(gate)
    assert (first.done, first.wait_s > 0) == (False, True)
    assert world.bus.types == ["AgentPromoted"]
    assert promotion(world, gate).step == "committed"
    assert world.promote(gate) is True
    assert (holder(world), promotion(world, gate).label) == (2, "moved")
    assert world.bus.types == ["AgentPromoted"]


def test_a_langfuse_that_stays_down_costs_two_minutes_and_a_note_not_the_promotion() -> None:
    world = world_with_prompt()
    gate = passed(world)
    world.labels.trouble = [TransientError(f"down {n}") for n in range(100)]
    calls = 0
    while not (reply := world.promoter.promote(gate)).done:
        world.clock.advance(reply.wait_s)
        calls += 1
    assert reply.promoted is True
    assert calls <= 13
    said = world.publisher().publish(gate, None)
    row = world.gates.rows[gate]
    assert (said.verdict, said.promoted, row.against, row.notes) == ("PASS", True, (), ("label_refused",))
    assert (promotion(world, gate).label_trouble or "").startswith("down")


@pytest.mark.parametrize("error", [AccessDeniedError("403: protected"), InvalidRequestError("400")])
def test_a_langfuse_that_refuses_is_noted_at_once_with_its_words(error: FlywheelError) -> None:
    world = world_with_prompt()
    gate = passed(world)
    world.labels.trouble = [error]
    assert world.promote(gate) is True
    found = promotion(world, gate)
    assert (found.label, found.label_trouble) == ("refused", f"docs-agent version 2: {error}")
    assert world.promote(gate) is True  # on record: it is not asked again
    assert world.labels.moves == []
    world.publisher().publish(gate, None)
    assert world.gates.rows[gate].notes == ("label_refused",)


def test_a_version_that_was_deleted_meanwhile_is_noted() -> None:
    world = world_with_prompt()
    gate = passed(world)
    del world.labels.prompts[NAME][2]
    assert world.promote(gate) is True
    assert "docs-agent version 2" in (promotion(world, gate).label_trouble or "")
    assert holder(world) == 1


def test_a_gate_whose_machine_broke_between_release_and_label_says_that_nobody_knows() -> None:
    world = world_with_prompt()
    gate = passed(world)
    world.labels.trouble = [TransientError("down")]
    world.promoter.promote(gate)
    world.publisher().publish(gate, None)
    assert world.gates.rows[gate].notes == ("label_refused",)


def test_a_plan_that_cannot_be_read_keeps_no_gate_from_its_end() -> None:
    world = world_with_prompt()
    gate = passed(world)
    world.objects.put(f"gates/{gate}/plan.json", b"{}")
    assert world.publisher().publish(gate, None).verdict == "PASS"
    assert any("cannot be read" in said for said in world.warnings)


def test_a_rollback_takes_the_label_back_to_the_version_before() -> None:
    world = world_with_prompt()
    world.promote(passed(world))
    done = rolled_back(world)
    assert (done.label_trouble, holder(world)) == (None, 1)
    assert done.release.candidate.prompt_version == 1


def test_a_rollback_that_langfuse_refuses_is_done_all_the_same_and_says_so() -> None:
    world = world_with_prompt()
    world.promote(passed(world))
    world.labels.trouble = [AccessDeniedError("403")]
    done = rolled_back(world)
    assert done.label_trouble == "docs-agent version 1: 403"
    assert world.releases.head().release == done.release
    assert world.bus.types == ["AgentPromoted", "AgentRolledBack"]


def test_a_rollback_waits_half_a_minute_for_langfuse_at_most() -> None:
    world = world_with_prompt()
    world.promote(passed(world))
    world.labels.trouble = [TransientError("down")] * 3
    assert rolled_back(world).label_trouble is None
    assert holder(world) == 1
    again = world_with_prompt()
    again.promote(passed(again))
    again.labels.trouble = [TransientError("down")] * 100
    clock = iter(range(0, 10_000, 4))
    assert rolled_back(again, lambda: float(next(clock))).label_trouble == "down"
    assert len(again.labels.trouble) > 85


def test_a_rollback_to_a_release_without_a_prompt_leaves_the_label() -> None:
    world = world_with_prompt(None)
    world.promote(passed(world))
    assert rolled_back(world).label_trouble is None
    assert (holder(world), world.labels.moves) == (2, [(NAME, 2, "production")])


def test_whoever_is_late_with_an_older_release_puts_the_label_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Production is rolled back between the look at the release and the move of its label."""
    world = world_with_prompt()
    gate = passed(world)
    give = world.labels.give

    def overtaken(name: str, version: int, label: str) -> None:
        monkeypatch.setattr(world.labels, "give", give)
        rolled_back(world)
        give(name, version, label)

    monkeypatch.setattr(world.labels, "give", overtaken)
    assert world.promote(gate) is True
    assert [version for _, version, _ in world.labels.moves] == [1, 2, 1]
    assert holder(world) == 1


def test_production_that_never_stops_changing_is_given_up_for_now(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_with_prompt()
    head = world.releases.head().release
    assert head is not None
    numbers = iter(range(1, 100))
    monkeypatch.setattr(world.releases, "head", lambda: Head(replace(head, release_no=next(numbers))))
    with pytest.raises(TransientError, match="keeps changing"):
        ProductionLabel(world.labels, world.releases).follow()


def test_a_promotion_that_was_stopped_before_its_label_had_moved_is_finished_by_the_status_event() -> None:
    world = world_with_prompt()
    gate = passed(world)
    world.labels.trouble = [TransientError("down")]
    world.promoter.promote(gate)
    change = ExecutionEnded.model_validate({"executionArn": "arn:execution:r-1", "status": "ABORTED"})
    world.retirer.execution_ended(change)
    assert (holder(world), promotion(world, gate).label) == (2, "moved")
    assert world.gates.rows[gate].promoted is True


def test_the_status_event_comes_again_when_langfuse_is_down_and_cleans_up_all_the_same() -> None:
    world = world_with_prompt()
    gate = passed(world)
    world.labels.trouble = [TransientError("down")] * 2
    world.promoter.promote(gate)
    change = ExecutionEnded.model_validate({"executionArn": "arn:execution:r-1", "status": "FAILED"})
    with pytest.raises(TransientError):
        world.retirer.execution_ended(change)
    assert world.gates.rows[gate].status == "ended"
    assert all(world.runtimes.find(arm.runtime_name) is None for arm in world.gates.rows[gate].arms.values())
    world.retirer.execution_ended(change)
    assert holder(world) == 2


def test_a_stopped_promotion_whose_label_is_refused_tells_people() -> None:
    world = world_with_prompt()
    gate = passed(world)
    world.labels.trouble = [TransientError("down"), AccessDeniedError("403")]
    world.promoter.promote(gate)
    world.retirer.execution_ended(
        ExecutionEnded.model_validate({"executionArn": "arn:execution:r-1", "status": "ABORTED"})
    )
    assert promotion(world, gate).label == "refused"
    assert "Langfuse did not move its label: docs-agent version 2: 403" in world.notifier.letters[0][1]


def test_a_promotion_that_never_moved_production_moves_no_label_when_it_is_stopped() -> None:
    world = world_with_prompt()
    gate = passed(world)
    world.runtimes.lagging_endpoints = {"production"}
    world.promoter.promote(gate)
    world.runtimes.settle("production")
    world.retirer.execution_ended(
        ExecutionEnded.model_validate({"executionArn": "arn:execution:r-1", "status": "ABORTED"})
    )
    assert (holder(world), world.labels.moves) == (1, [])


def test_a_label_that_somebody_took_away_comes_back_when_what_is_live_passes_again() -> None:
    world = world_with_prompt()
    world.promote(passed(world))
    world.labels.give(NAME, 3, "production")
    release = world.releases.head().release
    assert release is not None
    gate = passed(world, request="r-2", time="2026-11-23T11:59:45Z")
    assert world.promote(gate) is True
    assert world.releases.head().release == release
    assert holder(world) == 2


def test_what_is_on_record_of_older_promotions_is_settled() -> None:
    """Rows from before there was a label to move: committed, and nothing more."""
    release = Release(1, World().in_production().candidate, "g", "r", "1", NOON)
    world = world_with_prompt(None)
    world.releases.now_in_production = Head(release)
    old = Promotion("committed", NOON - timedelta(days=9), "r", "1")
    assert ProductionLabel(world.labels, world.releases).settle(old, NOON) == old
