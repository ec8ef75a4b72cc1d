"""The same gate with people's scores: what the verdict would have been."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from flywheel.domain.gate import SequentialGate
from flywheel.domain.golden import GoldenItem
from flywheel.domain.outcome import TrialKey, TrialRecord
from flywheel.domain.plan import GatePlan
from flywheel.domain.reconsideration import can_reconsider, reconsider
from flywheel.domain.verdict import Pair, Reason, Verdict
from flywheel.domain.waves import gate_items
from tests.unit.domain.samples import answered
from tests.unit.evaluation.doubles import plan as plan_of

TODAY = "2026-11-23"
ITEMS = tuple(GoldenItem(f"i{n:02d}", f"Question {n}?", "happy_path", response_facts=("a",)) for n in range(40))


def played(
    score: Callable[[TrialKey], float], plan: GatePlan | None = None
) -> tuple[GatePlan, SequentialGate, list[TrialRecord], Verdict]:
    """A gate with two arms, played to its end by these scores of the judge."""
    plan = plan or plan_of(ITEMS, ("candidate", "incumbent"))
    gate = SequentialGate(plan.policy, gate_items(plan.policy, plan.items), plan.seed)
    records = []
    while gate.verdict().kind is None:
        for pair in gate.next_pairs(10):
            keys = TrialKey(pair.item_id, pair.trial, "candidate"), TrialKey(pair.item_id, pair.trial, "incumbent")
            gate.record(pair.item_id, pair.trial, score(keys[0]), score(keys[1]))
            records += [answered(k.item_id, score(k), trial=k.trial, arm=k.arm) for k in keys]
    return plan, gate, records, gate.verdict()


def fails(key: TrialKey) -> float:
    """The candidate is wrong on half of the items, the incumbent on none."""
    return 0.0 if key.arm == "candidate" and int(key.item_id[1:]) % 2 else 1.0


def candidates(records: list[TrialRecord], value: float) -> Mapping[TrialKey, float]:
    return {record.key: value for record in records if record.key.arm == "candidate"}


def test_people_who_agree_with_the_judge_change_nothing() -> None:
    plan, gate, records, original = played(fails)
    human = {record.key: record.scores["correctness"] for record in records}
    again = reconsider(plan, gate, records, original, human=human, today=TODAY)

    assert original.kind == "FAIL"
    assert (again.kind, [r.code for r in again.reasons]) == ("FAIL", [r.code for r in original.reasons])


def test_a_failure_that_was_the_judges_mistake_is_none_any_more_but_no_pass_before_it_is_paid_for() -> None:
    plan, gate, records, original = played(fails)
    again = reconsider(plan, gate, records, original, human=candidates(records, 1.0), today=TODAY)

    assert (again.kind, [r.code for r in again.against]) == ("INCONCLUSIVE", ["undecided"])
    assert "would have asked for more pairs" in again.reasons[0].message


def test_a_pass_that_people_do_not_share_is_a_failure() -> None:
    plan, gate, records, original = played(lambda _: 1.0)
    again = reconsider(plan, gate, records, original, human=candidates(records, 0.0), today=TODAY)

    assert original.kind == "PASS"
    assert again.kind == "FAIL"


def test_a_regression_test_that_people_let_pass_fails_nothing() -> None:
    pinned = GoldenItem("p1", "Why?", slice="production", origin="production", response_facts=("a",))
    plan, gate, records, _ = played(lambda _: 1.0, plan_of((*ITEMS, pinned), ("candidate", "incumbent")))
    records.append(answered("p1", 0.0))
    original = Verdict("FAIL", (Reason("must_pass", "failed", items=("p1",)),))
    agreed = reconsider(plan, gate, records, original, human={}, today=TODAY)
    overruled = reconsider(plan, gate, records, original, human={TrialKey("p1", 1, "candidate"): 1.0}, today=TODAY)

    assert (agreed.kind, agreed.reasons[0].code) == ("FAIL", "must_pass")
    assert overruled.kind == "PASS"


@pytest.mark.parametrize("code", ["dataset_changed", "judge_unreliable", "superseded", "evidence_missing"])
def test_what_no_judgement_of_an_answer_changes_still_keeps_a_pass_away(code: str) -> None:
    plan, gate, records, _ = played(lambda _: 1.0)
    original = Verdict("INCONCLUSIVE", (Reason(code, "m"),))
    again = reconsider(plan, gate, records, original, human=candidates(records, 1.0), today=TODAY)

    assert (again.kind, [r.code for r in again.against]) == ("INCONCLUSIVE", [code])


def test_what_is_only_for_the_record_stays_on_record() -> None:
    plan, gate, records, original = played(fails)
    plan = replace(plan, notes=(Reason("anchor_unavailable", "none yet"),))
    again = reconsider(plan, gate, records, original, human={}, today=TODAY)

    assert "anchor_unavailable" in [reason.code for reason in again.notes]


def test_only_a_verdict_in_which_scores_had_a_part_can_be_another() -> None:
    assert can_reconsider(Verdict("PASS"))
    assert can_reconsider(Verdict("FAIL", (Reason("latency_p95_ms", ""), Reason("regression", ""))))
    assert not can_reconsider(Verdict("FAIL", (Reason("latency_p95_ms", ""),)))
    assert not can_reconsider(Verdict("INCONCLUSIVE", (Reason("superseded", ""),)))


def test_a_rescored_gate_is_the_same_gate_but_for_the_scores() -> None:
    _, gate, _, _ = played(fails)
    assert gate.rescored({}) == gate
    before = gate.to_json()
    other = gate.rescored({Pair("i01", 1): (1.0, None), Pair("i02", 1): (None, 0.5)})

    assert gate.to_json() == before
    assert other != gate
    assert other.items == gate.items
    with pytest.raises(ValueError, match="not a number in"):
        gate.rescored({Pair("i01", 1): (2.0, None)})
