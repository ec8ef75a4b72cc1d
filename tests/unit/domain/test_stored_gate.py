"""Stored answers, judged again, become the gate's history and anchor; what could not be judged concludes nothing."""

from dataclasses import replace

import pytest

from flywheel.domain.gate import SequentialGate
from flywheel.domain.outcome import Arm, TrialRecord
from flywheel.domain.plan import GatePlan, StoredArm
from flywheel.domain.records import Records, unique_records
from flywheel.domain.stored_gate import gate_with_stored, scores_again
from flywheel.domain.verdict import Reason
from flywheel.domain.waves import gate_items
from tests.unit.domain.samples import answered, candidate_of, errored, golden
from tests.unit.domain.test_baselines import plan

IDS = [f"i-{n}" for n in range(8)]


def stored(arm: Arm = "incumbent", trials: int = 3) -> StoredArm:
    return StoredArm(arm, candidate_of("b"), 1, dict.fromkeys(IDS, trials), ("g-1",), f"{arm}-0")


def again(arm: Arm = "incumbent", score: float = 0.75, trials: int = 3) -> list[TrialRecord]:
    return [answered(item, score, trial=n, arm=arm) for item in IDS for n in range(1, trials + 1)]


def without(records: list[TrialRecord], item_id: str, trial: int, *instead: TrialRecord) -> Records:
    left = [r for r in records if (r.key.item_id, r.key.trial) != (item_id, trial)]
    return unique_records([*left, *instead])


def test_the_scores_are_those_of_todays_judge() -> None:
    scores = scores_again(stored(), unique_records(again(score=0.75)), "correctness", 3)

    assert scores == {item: [0.75] * 3 for item in IDS}


def test_an_answer_that_could_not_be_judged_is_left_out_where_enough_remain() -> None:
    records = without(again(), "i-0", 2, errored("i-0", "judge", trial=2, arm="incumbent"))

    scores = scores_again(stored(), records, "correctness", 2)

    assert isinstance(scores, dict)
    assert [len(scores[item]) for item in IDS] == [2, *[3] * 7]


def test_a_history_never_shrinks_below_the_policy_because_the_judge_stumbled() -> None:
    records = without(again(), "i-0", 2, errored("i-0", "judge", trial=2, arm="incumbent"))

    reason = scores_again(stored(), records, "correctness", 3)

    assert isinstance(reason, Reason)
    assert (reason.code, reason.items) == ("judge_unavailable", ("i-0",))
    assert "1 of 8 items have fewer than 3 stored answers of the incumbent (release 1)" in reason.message


def test_a_result_that_is_not_there_is_missing_evidence() -> None:
    reason = scores_again(stored(), without(again(), "i-3", 1), "correctness", 3)

    assert isinstance(reason, Reason)
    assert (reason.code, reason.items) == ("evidence_missing", ("i-3",))


def cached(*arms: StoredArm) -> GatePlan:
    made = plan(items=tuple(golden(item) for item in IDS), stored=arms)
    return replace(made, arms=made.arms[:1])


@pytest.mark.parametrize("issued", [1, 5, 8, 20])
def test_the_gate_with_history_and_anchor_has_issued_what_the_one_without_has(issued: int) -> None:
    it = cached(stored(), stored("anchor"))
    before = SequentialGate(it.policy, gate_items(it.policy, it.items), it.seed)
    pairs = before.next_pairs(issued)
    records = unique_records([*again(), *again("anchor", 0.5)])

    gate = gate_with_stored(it, issued, records)

    assert isinstance(gate, SequentialGate)
    for pair in pairs:
        gate.record(pair.item_id, pair.trial, 1.0)
    with pytest.raises(ValueError, match="issued"):
        gate.record(*next((p.item_id, p.trial) for p in before.next_pairs(1)), 1.0)
    assert SequentialGate.from_json(gate.to_json()) == gate


def test_an_arm_that_could_not_be_judged_makes_no_gate() -> None:
    it = cached(stored(), stored("anchor"))

    reason = gate_with_stored(it, 5, unique_records(again()))

    assert isinstance(reason, Reason)
    assert "anchor" in reason.message
