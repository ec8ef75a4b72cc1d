"""Stored answers are judged again: no invocation, no trace, the record of any other trial."""

from dataclasses import replace

import pytest

from flywheel.domain.outcome import FactScore, ToolCall, TrialKey, TrialRecord, Usage, dump_records, load_records
from flywheel.domain.plan import Shard, StoredArm, dump_plan, dump_shard
from flywheel.errors import InvalidRequestError, NotFoundError
from flywheel.evaluation.checkpoint import dump_checkpoint
from flywheel.evaluation.delivery import Finished
from flywheel.evaluation.ports import JudgementFailure
from flywheel.evaluation.tracing import Timings
from flywheel.evidence import plan_key, shard_key, stored_key
from tests.unit.evaluation.doubles import GATE, golden, plan
from tests.unit.evaluation.test_shard import CHECKPOINT, RESULT, World

ITEMS = [golden(0, facts=1), golden(1, facts=2)]
FILE = "incumbent-01234567"


def answer(item: int, trial: int, text: str = "The old answer.", **more: object) -> TrialRecord:
    it = TrialRecord(
        TrialKey(f"i-{item:03}", trial, "incumbent"),
        "answered",
        scores={"correctness": 0.1},
        facts=(FactScore("an old fact", "D", 0.1),),
        answer=text,
        stop_reason="end_turn",
        trajectory=(ToolCall("search"),),
        usage=Usage(10, 10, 1),
        latency_ms=700,
        cost_usd=0.5,
        trace_id=f"trace-{item}-{trial}",
        stored_from="g-old",
    )
    return replace(it, **more)  # type: ignore[arg-type]


def world_with(*stored: TrialRecord) -> World:
    """A gate whose only shard asks the candidate for each item, and for these stored answers again."""
    world = World(ITEMS)
    trials: dict[str, int] = {}
    for record in stored:
        trials[record.key.item_id] = trials.get(record.key.item_id, 0) + 1
    made = plan(ITEMS)
    arm = StoredArm("incumbent", made.arms[0].candidate, 1, trials, ("g-old",), FILE)
    world.shard = Shard(GATE, "1-00", (*world.shard.lines, *(record.key for record in stored)))
    world.objects.stored |= {
        plan_key(GATE): dump_plan(replace(made, stored=(arm,))).encode(),
        shard_key(GATE, "1-00"): dump_shard(world.shard).encode(),
        stored_key(GATE, FILE): dump_records(stored).encode(),
    }
    return world


def stored_results(world: World) -> list[TrialRecord]:
    return [record for record in load_records(world.objects.stored[RESULT]) if record.key.arm == "incumbent"]


def test_a_stored_answer_is_judged_again_and_nobody_is_invoked_for_it() -> None:
    world = world_with(answer(0, 1), answer(1, 1), answer(1, 2, "Another."))

    summary = world.evaluate()

    assert (summary.trials, summary.errored, summary.undelivered) == (5, 0, 0)
    assert len(world.agent.calls) == 2
    assert all("incumbent" not in call["tags"] for call in world.agent.calls)
    first, _, third = stored_results(world)
    assert first == TrialRecord(
        TrialKey("i-000", 1, "incumbent"),
        "answered",
        scores={"correctness": 1.0, "fact_coverage": 1.0, "trajectory": 1.0, "tool_success": 1.0},
        facts=(FactScore("fact 0 of 0", "B", 1.0),),
        answer="The old answer.",
        stop_reason="end_turn",
        trajectory=(ToolCall("search"),),
        trace_id="trace-0-1",
        stored_from="g-old",
    )
    assert third.answer == "Another."


def test_both_arms_meet_the_same_judge_at_the_same_time() -> None:
    world = world_with(answer(0, 1, "An answer."))
    world.jury.verdict = lambda _q, fact, _a: FactScore(fact, "A", 0.5)

    world.evaluate()

    scores = {record.key.arm: record.scores["correctness"] for record in load_records(world.objects.stored[RESULT])}
    assert scores == {"candidate": 0.5, "incumbent": 0.5}
    # The same answer to the same fact is one question.
    assert len([asked for asked in world.jury.asked if asked[1] == "fact 0 of 0"]) == 1


def test_langfuse_sees_no_trace_of_what_was_not_invoked() -> None:
    world = world_with(answer(0, 1), answer(1, 1))

    world.evaluate()

    tags = {tag for span in world.langfuse.spans.values() for tag in span.attributes.get("langfuse.trace.tags", ())}
    assert "incumbent" not in tags
    assert {score.metadata["arm"] for score in world.langfuse.scores.values()} == {"candidate"}


def test_no_session_is_stopped_and_no_runtime_is_needed_for_stored_answers() -> None:
    world = world_with(answer(0, 1))
    world.objects.stored[shard_key(GATE, "1-00")] = dump_shard(Shard(GATE, "1-00", world.shard.lines[-1:])).encode()

    summary = world.evaluate()

    assert (summary.trials, world.agent.calls, world.agent.stopped) == (1, [], [])


def test_a_judge_that_fails_makes_the_stored_trial_errored_with_its_answer_kept() -> None:
    world = world_with(answer(0, 1))
    world.jury.verdict = lambda _q, _f, text: (
        JudgementFailure("timeout", "60 s") if "old" in text else FactScore(_f, "B", 1.0)
    )

    world.evaluate()

    (record,) = stored_results(world)
    assert record.error is not None
    assert (record.outcome, record.error.stage, record.answer) == ("errored", "judge", "The old answer.")
    assert record.stored_from == "g-old"


def test_a_stored_refusal_is_scored_without_the_judge() -> None:
    world = world_with(answer(0, 1, "I'm sorry, but I can't help with that."))

    world.evaluate()

    (record,) = stored_results(world)
    assert (record.outcome, record.scores["correctness"]) == ("refused", 0.0)


def test_a_shard_that_goes_on_judges_no_stored_answer_twice_and_delivers_none() -> None:
    world = world_with(answer(0, 1))
    done = Finished(answer(0, 1, scores={"correctness": 0.3}, facts=()), Timings(1, 1, 2))
    world.objects.stored[CHECKPOINT] = dump_checkpoint([done], [])

    summary = world.evaluate()

    assert summary.resumed == 1
    assert stored_results(world)[0].scores == {"correctness": 0.3}
    assert {score.metadata["arm"] for score in world.langfuse.scores.values()} == {"candidate"}


def test_a_line_whose_stored_answer_is_not_there_is_refused() -> None:
    world = world_with(answer(0, 1))
    world.objects.stored[stored_key(GATE, FILE)] = b"[]"
    with pytest.raises(InvalidRequestError, match="incumbent"):
        world.evaluate()
    del world.objects.stored[stored_key(GATE, FILE)]
    with pytest.raises(NotFoundError):
        world.evaluate()
