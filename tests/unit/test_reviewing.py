"""People's judgement comes back: reviews in the evidence, and the verdict by them beside the gate's own."""

import json

import pytest

from flywheel.domain.review import load_reviews
from flywheel.domain.verdict import Reason, Verdict
from flywheel.errors import InvalidRequestError, NotFoundError
from flywheel.evidence import reviews_key
from flywheel.reviewing import next_step
from tests.fakes.world import World
from tests.unit.test_annotation import decided, small_world

TODAY = "2026-11-23"


def asked(kind: str = "FAIL", score: float = 0.2) -> tuple[World, str]:
    """A gate of six answers about all of which people were asked."""
    world = small_world()
    gate = decided(world, kind, lambda _: score)  # type: ignore[arg-type]
    world.annotator.annotate(gate, deadline_s=30)
    return world, gate


def traces(world: World, gate: str) -> list[str]:
    annotation = world.evidence.annotation(gate)
    assert annotation is not None
    return [task.trace_id for task in annotation.tasks]


def test_nothing_is_written_before_anybody_has_judged() -> None:
    world, gate = asked()
    before = dict(world.objects.objects)
    collected = world.reviewing.collect(gate, TODAY)

    assert (len(collected.open), collected.reviews, collected.skipped, collected.reviewed) == (12, (), (), None)
    assert world.objects.objects == before
    assert "judge the answers: https://langfuse.test" in next_step(collected, held=False)


def test_what_people_say_becomes_reviews_of_that_judge() -> None:
    world, gate = asked()
    first, second, *_ = traces(world, gate)
    world.reviews.review(first, 1.0, "it is right")
    world.reviews.review(second, 0.0)
    world.reviews.finish(first)
    collected = world.reviewing.collect(gate, TODAY)

    plan = world.evidence.plan(gate)
    written = load_reviews(world.objects.objects[reviews_key(plan.judge.version, gate)])
    assert tuple(written) == collected.reviews
    assert {(r.trace_id, r.judge_score, r.human_score) for r in written} == {(first, 0.2, 1.0), (second, 0.2, 0.0)}
    assert {r.judge_version for r in written} == {plan.judge.version}
    tasks = {task.trace_id: task.chosen for task in collected.annotation.tasks}
    assert all(review.chosen == tasks[review.trace_id] for review in written)
    assert (len(collected.open), collected.comments) == (10, {first: "it is right"})
    assert world.reviewing.still_open(gate) == 10


def test_the_verdict_by_people_stands_beside_the_gates_own() -> None:
    world, gate = asked()
    original = world.evidence.verdict(gate)
    for trace in traces(world, gate):
        world.reviews.review(trace, 1.0)
    collected = world.reviewing.collect(gate, TODAY)

    assert world.evidence.verdict(gate) == original == collected.original
    assert collected.reviewed is not None
    assert world.evidence.reviewed_verdict(gate) == collected.reviewed
    assert (collected.original.kind, collected.reviewed.kind) == ("FAIL", "PASS")
    assert "push again" in next_step(collected, held=False)


def test_what_was_collected_says_how_far_the_judge_can_be_trusted() -> None:
    world, gate = asked()
    for trace in traces(world, gate):
        world.reviews.review(trace, 1.0)
    collected = world.reviewing.collect(gate, TODAY)

    assert collected.reviewed is not None
    assert collected.reviewed.estimates is not None
    judge = collected.reviewed.estimates["judge"]
    assert (judge["reviews"], judge["random"], judge["agreement"]["value"]) == (12, 10, 0.0)


def test_an_edit_replaces_what_was_collected_and_the_former_state_is_kept() -> None:
    world, gate = asked()
    first = traces(world, gate)[0]
    for value in (1.0, 0.0, 1.0):
        world.reviews.review(first, value)
        collected = world.reviewing.collect(gate, TODAY)
        assert [review.human_score for review in collected.reviews] == [value]

    copies = world.objects.keys(f"gates/{gate}/reviews/")
    assert sorted(load_reviews(world.objects.read(key))[0].human_score for key in copies) == [0.0, 1.0]
    named = json.loads(world.objects.read(f"gates/{gate}/verdict-reviewed.json"))["reviews"]
    assert load_reviews(world.objects.read(named)) == list(collected.reviews)


def test_a_score_that_was_taken_back_is_no_review_any_more() -> None:
    world, gate = asked()
    first = traces(world, gate)[0]
    world.reviews.review(first, 1.0)
    world.reviewing.collect(gate, TODAY)
    world.reviews.said.clear()
    collected = world.reviewing.collect(gate, TODAY)

    assert collected.reviews == ()
    assert world.evidence.reviews(world.evidence.plan(gate).judge.version, gate) == []
    assert world.evidence.reviewed_verdict(gate) == world.evidence.verdict(gate)


def test_what_was_finished_without_a_score_is_not_waited_for() -> None:
    world, gate = asked()
    first, *others = traces(world, gate)
    world.reviews.finish(first)
    collected = world.reviewing.collect(gate, TODAY)

    assert [task.trace_id for task in collected.skipped] == [first]
    assert [task.trace_id for task in collected.open] == others


def test_a_queue_that_was_deleted_leaves_nothing_open_and_loses_no_score() -> None:
    world, gate = asked()
    first = traces(world, gate)[0]
    world.reviews.review(first, 1.0)
    world.reviews.queues.clear()
    collected = world.reviewing.collect(gate, TODAY)

    assert (len(collected.reviews), collected.open, len(collected.skipped)) == (1, (), 11)


def test_a_verdict_in_which_scores_had_no_part_stays_as_it_is() -> None:
    world, gate = asked()
    del world.objects.objects[f"gates/{gate}/verdict.json"]
    world.evidence.write_verdict(gate, Verdict("INCONCLUSIVE", (Reason("superseded", "a newer push"),)))
    for trace in traces(world, gate):
        world.reviews.review(trace, 1.0)

    assert world.reviewing.collect(gate, TODAY).reviewed == world.evidence.verdict(gate)


@pytest.mark.parametrize(
    ("kind", "value", "held", "said"),
    [
        ("PASS", 1.0, False, "people's judgement does not change"),
        ("INCONCLUSIVE", 1.0, True, "flywheel gate approve"),
        ("PASS", 0.0, False, "rollback"),
    ],
)
def test_the_next_step_follows_from_both_verdicts(kind: str, value: float, said: str, *, held: bool) -> None:
    world, gate = asked(kind, 1.0)
    for trace in traces(world, gate):
        world.reviews.review(trace, value)

    assert said in next_step(world.reviewing.collect(gate, TODAY), held=held)


def test_a_gate_that_nobody_was_asked_about_has_no_reviews() -> None:
    world = small_world()
    gate = decided(world)
    with pytest.raises(InvalidRequestError, match="flywheel gate annotate"):
        world.reviewing.collect(gate, TODAY)
    with pytest.raises(NotFoundError):
        world.reviewing.collect("g-unknown", TODAY)
