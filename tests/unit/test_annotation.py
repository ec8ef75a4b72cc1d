"""Asking people about a decided gate: each answer once, and never at the cost of the verdict."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from flywheel.domain.outcome import TrialKey
from flywheel.domain.verdict import Reason, Verdict, VerdictKind
from flywheel.errors import InvalidRequestError, NotFoundError, TransientError
from tests.fakes.outside import InMemorySettings
from tests.fakes.world import AGENT, POLICY, World, golden_items, requested_event


def small_world() -> World:
    """Twelve items, one trial each."""
    policy = json.dumps(POLICY | {"max_trials": 1})
    world = World(settings=InMemorySettings(agent=json.dumps(AGENT), policy=policy))
    world.datasets.datasets["golden"] = golden_items(12)
    return world


def decided(
    world: World, kind: VerdictKind = "FAIL", score: Callable[[TrialKey], float | str] = lambda _: 0.2, **detail: Any
) -> str:
    """A gate that answered once and was decided like this; its id."""
    gate = world.plan(requested_event(**{"annotate": True} | detail))
    world.evaluate(world.decider.decide(gate, 0), score)
    reasons = () if kind == "PASS" else (Reason("minimum" if kind == "FAIL" else "undecided", "why"),)
    world.evidence.write_verdict(gate, Verdict(kind, reasons))
    return gate


def traces(world: World, gate: str) -> list[str]:
    return sorted(record.trace_id for record in world.evidence.results(gate)[0])


def queued(world: World) -> list[str]:
    return sorted(trace for _, trace in world.reviews.items)


def test_what_decided_a_failure_waits_for_people() -> None:
    world = small_world()
    gate = decided(world)
    asked = world.annotator.annotate_if_asked(gate, deadline_s=30)

    assert asked is not None
    assert asked == world.evidence.annotation(gate)
    assert (asked.state, asked.queue_name) == ("queued", "gate reviews")
    assert queued(world) == traces(world, gate)
    assert asked.counts()["random"] == 10


def test_an_undecided_gate_is_asked_about_too() -> None:
    world = small_world()
    gate = decided(world, "INCONCLUSIVE")
    asked = world.annotator.annotate_if_asked(gate, deadline_s=30)

    assert asked is not None
    assert (asked.state, asked.counts()) == ("queued", {"random": 10, "decided": 2})


def test_a_gate_without_a_scored_answer_has_nothing_to_review_which_is_no_failure() -> None:
    world = small_world()
    asked = world.annotator.annotate_if_asked(decided(world, "INCONCLUSIVE", lambda _: "judge"), deadline_s=30)

    assert asked is not None
    assert (asked.state, queued(world)) == ("nothing", [])


def test_nobody_is_asked_about_a_gate_that_passed_or_that_nobody_wants_reviewed() -> None:
    world = small_world()
    assert world.annotator.annotate_if_asked(decided(world, "PASS"), deadline_s=30) is None
    other = small_world()
    assert other.annotator.annotate_if_asked(decided(other, annotate=False), deadline_s=30) is None
    assert other.annotator.annotate_if_asked("g-unknown", deadline_s=30) is None
    assert world.reviews.items + other.reviews.items == []


def test_asking_again_queues_nothing_twice() -> None:
    world = small_world()
    gate = decided(world)
    first = world.annotator.annotate_if_asked(gate, deadline_s=30)
    del world.objects.objects[f"gates/{gate}/annotation.json"]  # killed before it was written

    assert world.annotator.annotate_if_asked(gate, deadline_s=30) == first
    assert world.annotator.annotate(gate, deadline_s=30) == first
    assert queued(world) == traces(world, gate)


def test_a_run_that_was_killed_after_langfuse_took_the_trace_is_completed_without_queueing_it_twice() -> None:
    world = small_world()
    gate = decided(world)

    def dies(_: str) -> None:
        if len(world.reviews.items) == 3:
            raise KeyboardInterrupt

    world.reviews.after_add = dies
    with pytest.raises(KeyboardInterrupt):
        world.annotator.annotate_if_asked(gate, deadline_s=30)
    world.reviews.after_add = lambda _: None
    world.clock.advance(600)
    world.annotator.annotate_if_asked(gate, deadline_s=30)

    assert queued(world) == traces(world, gate)


def test_while_another_run_queues_the_answers_this_one_waits_and_does_not_interfere() -> None:
    world = small_world()
    gate = decided(world)
    mine = traces(world, gate)[0]
    world.asked_about.claim(gate, mine, now=world.clock.now(), until=world.clock.now() + timedelta(minutes=5))

    asked = world.annotator.annotate_if_asked(gate, deadline_s=30)
    assert asked is not None
    assert asked.state == "failed"
    assert "by somebody else" in asked.message
    assert mine not in queued(world)
    world.asked_about.settle(gate, mine, now=world.clock.now())
    again = world.annotator.annotate(gate, deadline_s=30)
    assert again.state == "queued"
    assert mine not in queued(world)


@pytest.mark.parametrize(
    "trouble",
    [
        TransientError("Langfuse does not answer"),
        InvalidRequestError("no further queue on this plan"),
        KeyError("a defect of ours"),
    ],
)
def test_a_queue_that_cannot_be_reached_changes_no_verdict_and_is_put_on_record(trouble: Exception) -> None:
    world = small_world()
    gate = decided(world)
    verdict = world.evidence.verdict(gate)

    def fails(_: str) -> None:
        if world.reviews.items:
            raise trouble

    world.reviews.before_add = fails
    asked = world.annotator.annotate_if_asked(gate, deadline_s=30)
    assert asked is not None
    assert (asked.state, asked.tasks) == ("failed", ())
    assert str(trouble) in asked.message
    assert world.evidence.verdict(gate) == verdict

    world.reviews.before_add = lambda _: None
    world.clock.advance(600)
    with_hands = world.annotator.annotate(gate, deadline_s=30)
    assert with_hands.state == "queued"
    assert queued(world) == traces(world, gate)


def test_by_hand_a_gate_that_passed_gives_its_random_share() -> None:
    world = small_world()
    gate = decided(world, "PASS")
    asked = world.annotator.annotate(gate, deadline_s=30)

    assert asked.counts() == {"random": 10}


def test_what_is_not_decided_cannot_be_reviewed() -> None:
    world = small_world()
    gate = world.plan(requested_event(annotate=True))
    assert world.annotator.annotate_if_asked(gate, deadline_s=30) is None
    with pytest.raises(InvalidRequestError, match="no verdict"):
        world.annotator.annotate(gate, deadline_s=30)
    with pytest.raises(NotFoundError):
        world.annotator.annotate("g-unknown", deadline_s=30)
