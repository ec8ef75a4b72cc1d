"""A shard and the judge: what was judged before is taken from the cache, and some of it is asked twice."""

from dataclasses import replace
from datetime import timedelta

import pytest

from flywheel.domain.outcome import Arm, FactScore, TrialRecord, load_records
from flywheel.domain.plan import GatePlan, JudgeSpec, StoredArm
from flywheel.domain.policy import GatePolicy
from flywheel.errors import TransientError
from flywheel.evaluation.instrument import judge_spec
from flywheel.evaluation.ports import StoredJudgement
from flywheel.evaluation.shard import ShardSummary
from tests.fakes.clock import NOON
from tests.fakes.judgements import InMemoryJudgements
from tests.unit.evaluation.doubles import Agent, Jury, golden, plan, said
from tests.unit.evaluation.test_shard import RESULT, World

ITEMS = [golden(number) for number in range(3)]
ARMS: tuple[Arm, ...] = ("candidate", "incumbent")


def records(world: World) -> list[TrialRecord]:
    return load_records(world.objects.stored[RESULT])


def test_the_next_shard_takes_what_the_last_one_judged() -> None:
    judgements, jury = InMemoryJudgements(), Jury()

    first = World(ITEMS, jury=jury, judgements=judgements).evaluate()
    later = World(ITEMS, jury=jury, judgements=judgements)

    assert first == ShardSummary(trials=3, errored=0)
    assert later.evaluate() == ShardSummary(trials=3, errored=0, cached=6)
    assert len(jury.asked) == 6
    assert [record.scores["correctness"] for record in records(later)] == [1.0, 1.0, 1.0]


def test_two_arms_with_the_same_answer_ask_cache_and_judge_once() -> None:
    world = World([golden(0)], arms=ARMS)

    assert world.evaluate() == ShardSummary(trials=2, errored=0)
    assert sorted(fact for _, fact, _ in world.jury.asked) == ["fact 0 of 0", "fact 1 of 0"]
    assert sum(map(len, world.judgements.looked_up)) == 2


def test_what_an_older_judgement_said_is_asked_again_after_its_time() -> None:
    judgements, jury = InMemoryJudgements(), Jury()
    World(ITEMS, jury=jury, judgements=judgements).evaluate()
    world = World(ITEMS, jury=jury, judgements=judgements)
    world.clock.advance(25 * 3600)

    assert world.evaluate().cached == 0
    assert len(jury.asked) == 12


def test_a_changed_judge_is_asked_afresh() -> None:
    judgements, jury = InMemoryJudgements(), Jury()
    World(ITEMS, jury=jury, judgements=judgements).evaluate()
    spec: JudgeSpec = judge_spec("judge-2", GatePolicy().choice_scores)
    world = World(
        ITEMS, jury=jury, judgements=judgements, judge_model_id="judge-2", plan=replace(plan(ITEMS), judge=spec)
    )

    assert world.evaluate().cached == 0
    assert len(jury.asked) == 12


def test_a_cache_that_is_down_fails_no_trial_and_is_counted() -> None:
    world = World(ITEMS, judgements=InMemoryJudgements(trouble=TransientError("throttled")))

    summary = world.evaluate()

    assert (summary.trials, summary.errored, summary.cached) == (3, 0, 0)
    assert summary.cache_failures > 0
    assert len(world.jury.asked) == 6


def test_a_policy_without_a_cache_neither_reads_nor_writes_one() -> None:
    planned = plan(ITEMS)
    world = World(ITEMS, plan=replace(planned, policy=replace(planned.policy, judgement_cache_h=0.0)))

    world.evaluate()

    assert world.judgements.calls == 0


@pytest.mark.parametrize(("judged_before_s", "cached"), [(1, 0), (-1, 6)])
def test_beside_stored_answers_nothing_counts_that_was_judged_before_the_gate(
    judged_before_s: int, cached: int
) -> None:
    """The gate started at noon, an hour ago."""
    World(ITEMS, judgements=(judgements := InMemoryJudgements())).evaluate()
    moment = NOON - timedelta(seconds=judged_before_s)
    judgements.stored = {
        key: StoredJudgement(kept.choice, kept.score, kept.rationale, moment) for key, kept in judgements.stored.items()
    }
    planned = plan(ITEMS)
    stored = StoredArm("incumbent", planned.arms[0].candidate, 1, {"i-000": 1}, ("g-1",), "incumbent")
    world = World(ITEMS, judgements=judgements, plan=replace(planned, stored=(stored,)))
    world.clock.advance(3600)

    assert world.evaluate().cached == cached


def repeating(items: int, repeats: int) -> GatePlan:
    planned = plan([golden(number) for number in range(items)], ARMS)
    return replace(planned, policy=replace(planned.policy, judge_repeats=repeats))


def test_some_judgements_are_asked_twice_past_every_cache() -> None:
    letters = iter("BC" * 1000)
    jury = Jury(lambda _q, fact, _a: FactScore(fact, next(letters), 1.0))
    items = [golden(number) for number in range(10)]
    world = World(items, arms=ARMS, jury=jury, plan=repeating(10, 8))

    world.evaluate()

    facts = [fact for record in records(world) for fact in record.facts]
    assert sum(bool(fact.again) for fact in facts) == 8
    # Both arms answer alike: 20 facts are judged once, and 8 a second time.
    assert len(jury.asked) == 28
    assert {fact.again for fact in facts if fact.again} <= {"B", "C"}


def test_a_repeat_changes_neither_scores_nor_what_is_kept() -> None:
    items = [golden(number) for number in range(8)]
    plain = World(items, arms=ARMS)
    world = World(items, arms=ARMS, plan=repeating(8, 8))

    plain.evaluate()
    world.evaluate()

    assert [record.scores for record in records(world)] == [record.scores for record in records(plain)]
    assert world.judgements.stored == plain.judgements.stored


def test_a_repeat_is_asked_even_when_the_first_judgement_is_from_the_cache() -> None:
    items = [golden(number) for number in range(8)]
    judgements = InMemoryJudgements()
    World(items, arms=ARMS, judgements=judgements).evaluate()
    world = World(items, arms=ARMS, judgements=judgements, plan=repeating(8, 8))

    assert world.evaluate().cached == 16
    assert len(world.jury.asked) == 8


def test_an_answer_that_needs_no_judge_is_not_repeated() -> None:
    items = [golden(number) for number in range(8)]
    world = World(items, arms=ARMS, agent=Agent(lambda _: said("")), plan=repeating(8, 8))

    world.evaluate()

    assert world.jury.asked == []
