from dataclasses import replace

import pytest

from flywheel.domain.outcome import TrialRecord
from flywheel.domain.reliability_guard import reliability_reasons
from flywheel.domain.verdict import Reason
from tests.unit.domain.samples import BARE, answered, errored, golden

ITEMS = [golden(str(n)) for n in range(10)]
POLICY = replace(BARE, reliability_k=2, minimum_reliability=0.8)


def check(records: list[TrialRecord]) -> list[Reason]:
    return reliability_reasons(POLICY, ITEMS, records)


def trials(ids: range, *scores: float) -> list[TrialRecord]:
    return [answered(str(n), score, trial=t) for n in ids for t, score in enumerate(scores, 1)]


def test_nothing_is_asked_where_the_policy_gates_no_reliability() -> None:
    assert reliability_reasons(replace(POLICY, reliability_k=None), ITEMS, trials(range(10), 0.0, 0.0)) == []


def test_items_that_pass_sometimes_pull_pass_hat_under_its_minimum() -> None:
    assert check([*trials(range(2), 1.0, 0.0), *trials(range(2, 10), 1.0, 1.0)]) == []
    [reason] = check([*trials(range(3), 1.0, 0.0), *trials(range(3, 10), 1.0, 1.0)])
    assert (reason.code, reason.metric, reason.required) == ("reliability", "pass^2", 0.8)
    assert reason.observed == pytest.approx(0.7)
    assert reason.items == ("0", "1", "2")


def test_too_few_trials_an_item_are_missing_evidence_and_no_failure() -> None:
    [reason] = check([*trials(range(9), 1.0), *trials(range(9, 10), 0.0, 0.0)])
    assert (reason.code, reason.observed, reason.items[:2]) == ("evidence_missing", None, ("0", "1"))
    assert "only 1 of 10 items have the 2 judged trials" in reason.message
    assert [r.code for r in check([])] == ["evidence_missing"]


def test_a_minimum_that_cannot_be_reached_any_more_fails_however_few_trials_there_are() -> None:
    assert [r.code for r in check(trials(range(3), 0.0, 0.0))] == ["reliability"]
    assert [r.code for r in check(trials(range(2), 0.0, 0.0))] == ["evidence_missing"]


def test_what_the_judge_may_leave_unscored_does_not_hold_the_gate_up() -> None:
    policy = replace(POLICY, maximum_judge_error_rate=0.1)
    records = [*trials(range(9), 1.0, 1.0), answered("9"), errored("9", "judge", trial=2)]
    assert reliability_reasons(policy, ITEMS, records) == []
    assert [r.code for r in check(records)] == ["evidence_missing"]


def test_production_items_have_a_rule_of_their_own() -> None:
    production = golden("p", "production", origin="production")
    records = [*trials(range(10), 1.0, 1.0), answered("p", 0.0), answered("p", 0.0, trial=2)]
    assert reliability_reasons(POLICY, [*ITEMS, production], records) == []
    assert reliability_reasons(POLICY, [production], records) == []
