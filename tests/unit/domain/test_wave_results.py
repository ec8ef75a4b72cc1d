"""Results of a wave are recorded as they were asked for, and none is made up."""

import pytest

from flywheel.domain.gate import SequentialGate
from flywheel.domain.golden import GoldenItem
from flywheel.domain.outcome import TrialKey, TrialRecord
from flywheel.domain.plan import GatePlan
from flywheel.domain.records import unique_records
from flywheel.domain.wave_results import names, record_wave
from flywheel.domain.waves import gate_items
from flywheel.errors import EvidenceMissingError
from tests.unit.domain.samples import answered, errored
from tests.unit.evaluation.doubles import plan as plan_of

ITEMS = tuple(GoldenItem(f"i{n}", f"Question {n}?", "happy_path", response_facts=("a",)) for n in range(4))
PINNED = GoldenItem("p", "Why?", slice="production", origin="production", response_facts=("a",))


def asking(plan: GatePlan) -> tuple[SequentialGate, list[TrialKey]]:
    """A gate that has asked for its first wave, and all that it asked for."""
    gate = SequentialGate(plan.policy, gate_items(plan.policy, plan.items), plan.seed)
    pairs = gate.next_pairs(4)
    return gate, [TrialKey(pair.item_id, pair.trial, arm.arm) for pair in pairs for arm in plan.arms]


def answers(keys: list[TrialKey]) -> list[TrialRecord]:
    return [answered(key.item_id, 0.5, trial=key.trial, arm=key.arm) for key in keys]


def test_both_arms_of_a_pair_are_recorded_and_an_error_stands_for_a_score() -> None:
    plan = plan_of(ITEMS, ("candidate", "incumbent"))
    gate, asked = asking(plan)
    records = [r for r in answers(asked) if (r.key.item_id, r.key.arm) != ("i1", "incumbent")]
    records.append(errored("i1", "judge", arm="incumbent"))
    recorded = record_wave(plan, gate, 1, asked, unique_records(records))

    assert isinstance(recorded, SequentialGate)
    estimates = recorded.verdict().estimates
    assert estimates is not None
    assert estimates["candidate"]["scored"] == 4
    assert estimates["incumbent"]["judge_errored"] == 1


def test_items_that_count_one_by_one_are_no_part_of_the_average() -> None:
    plan = plan_of((*ITEMS, PINNED))
    gate, asked = asking(plan)
    asked.append(TrialKey("p", 1, "candidate"))
    recorded = record_wave(plan, gate, 1, asked, unique_records(answers(asked)))

    assert isinstance(recorded, SequentialGate)
    assert "p" not in recorded.items


def test_a_trial_without_a_result_is_missing_evidence_and_named() -> None:
    plan = plan_of(ITEMS)
    gate, asked = asking(plan)
    with pytest.raises(EvidenceMissingError, match=f"1 trials have no result: {asked[0].item_id}#1 candidate"):
        record_wave(plan, gate, 1, asked, unique_records(answers(asked[1:])))


def test_an_answer_without_its_primary_score_is_missing_evidence_and_no_zero() -> None:
    plan = plan_of(ITEMS)
    gate, asked = asking(plan)
    first, *others = answers(asked)
    bare = TrialRecord(first.key, "answered", {"fact_coverage": 1.0}, answer="text")
    with pytest.raises(EvidenceMissingError, match="a trial has no correctness"):
        record_wave(plan, gate, 1, asked, unique_records([bare, *others]))


def test_not_all_of_many_are_named() -> None:
    assert names([TrialKey("a", n, "candidate") for n in range(50)]).count("candidate") == 10
