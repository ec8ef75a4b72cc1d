from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.domain.gate import SequentialGate
from flywheel.domain.guards import certain_failure, check_guards, final_verdict
from flywheel.domain.outcome import TrialRecord
from flywheel.domain.policy import GatePolicy
from flywheel.domain.verdict import Errored
from tests.unit.domain.samples import BARE, answered, errored, golden

ITEMS = [golden(str(n)) for n in range(20)]
BUDGET = replace(BARE, latency_p95_ms=1000)
MINIMUM = replace(BARE, minima={"correctness": 0.75})


def reason_code(policy: GatePolicy, records: list[TrialRecord], planned: int = 20) -> str | None:
    reason = certain_failure(policy, ITEMS, records, planned)
    return reason.code if reason else None


def test_one_error_more_than_the_whole_plan_may_have_is_certain() -> None:
    assert reason_code(BARE, [errored("0")]) is None
    assert reason_code(BARE, [errored("0"), errored("1")]) == "error_rate"


def test_errors_are_not_certain_to_be_the_candidates_while_the_incumbent_errs_too() -> None:
    records = [errored(str(n)) for n in range(4)]
    assert reason_code(BARE, [*records, answered("0", arm="incumbent")]) == "error_rate"
    assert reason_code(BARE, [*records, errored("0", arm="incumbent")]) is None


def test_one_slow_answer_more_than_the_percentile_allows_is_certain() -> None:
    assert reason_code(BUDGET, [answered("0", latency_ms=5000)]) is None
    assert reason_code(BUDGET, [answered(str(n), latency_ms=5000) for n in range(2)]) == "latency_p95_ms"


def test_answers_of_unknown_duration_are_not_certain_to_be_slow() -> None:
    assert reason_code(BUDGET, [answered(str(n), latency_ms=None) for n in range(20)]) is None


def test_a_mean_that_no_open_trial_can_lift_is_certain() -> None:
    wrong = [answered(str(n), 0.0) for n in range(6)]
    assert reason_code(MINIMUM, wrong[:5]) is None, "15 right ones would give exactly .75"
    assert reason_code(MINIMUM, wrong) == "minimum"


def test_a_failing_judge_leaves_the_mean_open() -> None:
    records = [answered(str(n), 0.0) for n in range(10)] + [errored(str(n), "judge") for n in range(10, 20)]
    assert reason_code(MINIMUM, records) is None


def test_production_items_do_not_count_in_the_mean() -> None:
    items = [golden(str(n), "production", origin="production") for n in range(20)]
    assert certain_failure(MINIMUM, items, [answered(str(n), 0.0) for n in range(20)], 20) is None


def test_a_policy_that_does_not_want_to_stop_never_stops() -> None:
    policy = replace(MINIMUM, stop_when_certain=False)
    assert reason_code(policy, [answered(str(n), 0.0) for n in range(20)]) is None


def test_more_records_than_planned_are_an_error() -> None:
    with pytest.raises(ValueError, match="2 trials were recorded, but only 1"):
        reason_code(BARE, [answered("0"), answered("1")], 1)


results = st.one_of(
    st.tuples(st.just("answered"), st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([10, 5000])),
    st.tuples(st.just("invoke"), st.just(0.0), st.just(0)),
)


def record_of(number: int, result: tuple[str, float, int]) -> TrialRecord:
    kind, score, latency_ms = result
    return errored(str(number)) if kind == "invoke" else answered(str(number), score, latency_ms=latency_ms)


@settings(max_examples=300)
@given(st.lists(results, min_size=1, max_size=12), st.integers(1, 12))
def test_what_is_certain_is_what_every_end_would_say(results: list[tuple[str, float, int]], seen: int) -> None:
    """Once a failure is certain, the gate that runs to its end never passes; the rest is drawn at will."""
    policy = replace(MINIMUM, latency_p95_ms=1000, maximum_error_rate=0.2)
    items = ITEMS[: len(results)]
    records = [record_of(number, result) for number, result in enumerate(results)]
    if certain_failure(policy, items, records[:seen], len(results)) is None:
        return
    gate = SequentialGate(policy, {i.item_id: i.slice for i in items}, 0)
    for pair in gate.next_pairs(len(items)):
        record = records[int(pair.item_id)]
        score = Errored() if record.error else record.scores["correctness"]
        gate.record(pair.item_id, pair.trial, score)
    verdict = final_verdict(gate.verdict(), check_guards(policy, items, records, (), "2026-01-01"))
    assert verdict.kind == "FAIL"


@settings(max_examples=300)
@given(st.lists(results, max_size=8), st.integers(0, 6))
def test_what_is_not_certain_can_still_end_well(results: list[tuple[str, float, int]], open_trials: int) -> None:
    """Exact in this direction too: with only right and fast answers to come, the candidate passes."""
    policy = replace(MINIMUM, latency_p95_ms=1000, maximum_error_rate=0.2)
    planned = len(results) + open_trials
    items = ITEMS[:planned]
    records = [record_of(number, result) for number, result in enumerate(results)]
    if not planned or certain_failure(policy, items, records, planned) is not None:
        return
    records += [answered(str(n), 1.0) for n in range(len(results), planned)]
    gate = SequentialGate(policy, {i.item_id: i.slice for i in items}, 0)
    for pair in gate.next_pairs(len(items)):
        record = records[int(pair.item_id)]
        gate.record(pair.item_id, pair.trial, Errored() if record.error else record.scores["correctness"])
    verdict = final_verdict(gate.verdict(), check_guards(policy, items, records, (), "2026-01-01"))
    assert verdict.kind == "PASS"
