from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.golden import GoldenItem
from flywheel.domain.guards import certain_failure, check_guards
from flywheel.domain.outcome import TrialRecord
from flywheel.domain.policy import GatePolicy
from tests.unit.domain.samples import BARE, answered, errored, golden

ITEMS = [golden(str(n)) for n in range(20)]
BUDGET = replace(BARE, latency_p95_ms=1000)


def reason_code(policy: GatePolicy, records: list[TrialRecord], planned: int = 20) -> str | None:
    reason = certain_failure(policy, ITEMS, records, planned)
    return reason.code if reason else None


def test_one_slow_answer_more_than_the_percentile_allows_is_certain() -> None:
    assert reason_code(BUDGET, [answered("0", latency_ms=5000)]) is None
    assert reason_code(BUDGET, [answered(str(n), latency_ms=5000) for n in range(2)]) == "latency_p95_ms"


def test_answers_of_unknown_duration_are_not_certain_to_be_slow() -> None:
    assert reason_code(BUDGET, [answered(str(n), latency_ms=None) for n in range(20)]) is None


def test_a_policy_that_does_not_want_to_stop_never_stops() -> None:
    slow = [answered(str(n), latency_ms=5000) for n in range(20)]
    assert reason_code(BUDGET, slow) == "latency_p95_ms"
    assert reason_code(replace(BUDGET, stop_when_certain=False), slow) is None


def test_scores_and_errors_are_the_gates_own_business() -> None:
    assert reason_code(BUDGET, [answered(str(n), 0.0) for n in range(10)]) is None
    assert reason_code(BUDGET, [errored(str(n)) for n in range(20)]) is None


def test_more_records_than_planned_are_an_error() -> None:
    with pytest.raises(ValueError, match="2 trials were recorded, but only 1"):
        reason_code(BARE, [answered("0"), answered("1")], 1)


durations = st.lists(st.sampled_from([10, 5000]), min_size=1, max_size=20)


def said_at_the_end(items: list[GoldenItem], records: list[TrialRecord]) -> list[str]:
    return [reason.code for reason in check_guards(BUDGET, items, records, (), "2026-01-01")]


@given(durations, st.integers(1, 20))
def test_what_is_certain_is_what_every_end_would_say(durations: list[int], seen: int) -> None:
    """Once it is certain the guard says so wherever the gate ends: at the cap, or long before it."""
    records = [answered(str(n), latency_ms=duration) for n, duration in enumerate(durations)]
    if certain_failure(BUDGET, ITEMS, records[:seen], len(records)) is None:
        return
    for stop in (len(records), seen):
        assert "latency_p95_ms" in said_at_the_end(ITEMS, records[:stop])


@given(durations, st.integers(0, 20))
def test_what_is_not_certain_can_still_end_well(durations: list[int], open_trials: int) -> None:
    """Exact in this direction too: with only fast answers to come, the budget is met."""
    records = [answered(str(n), latency_ms=duration) for n, duration in enumerate(durations)][: 20 - open_trials]
    if certain_failure(BUDGET, ITEMS, records, len(records) + open_trials) is not None:
        return
    records += [answered(str(n), trial=2, latency_ms=10) for n in range(open_trials)]
    assert said_at_the_end(ITEMS, records) == ([] if records else ["too_few_items"])
