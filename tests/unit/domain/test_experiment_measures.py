"""What each configuration was measured to be: errors, judges that fail, stopped ones, repeated and unknown trials."""

from functools import partial

import pytest

from flywheel.domain import experiment_measures
from tests.unit.domain.experiments import ITEMS, trial, trials

measure = partial(experiment_measures.measure, safe_from=0.75)

ALL = ("c01", "c02")


def test_an_errored_trial_scores_nothing_and_a_failed_judge_says_nothing() -> None:
    records = [trial(0, 1.0), trial(0, None, number=2), trial(1, 1.0), trial(1, None, number=2, stage="judge")]
    found = measure(ITEMS, "correctness", {"c01": records}, ALL).figures["c01"]
    assert found.items == {"i0": 0.5, "i1": 1.0}
    assert (found.trials, found.errored, found.judge_errored, found.error_rate) == (4, 1, 1, 0.25)
    assert found.quality is not None
    assert found.quality.value == 0.75


def test_who_fails_fast_is_not_fast_and_who_does_not_answer_does_no_harm() -> None:
    records = [trial(3, 1.0, latency_ms=900), trial(3, None, number=2), trial(7, 0.0, latency_ms=1100)]
    found = measure(ITEMS, "correctness", {"c01": records}, ALL).figures["c01"]
    assert found.latency_p50_ms is not None
    assert found.latency_p50_ms.value == 900
    assert found.safety is not None
    assert (found.safety.value, found.safety_items) == (0.5, 2)
    assert [(s.slice, s.items) for s in found.slices] == [("adversarial", 2)]


def test_a_stopped_configuration_is_held_against_the_leader_on_the_items_they_share() -> None:
    hard = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    easy_half = [trial(n, 1.0) for n in range(6, 12)]
    found = measure(ITEMS, "correctness", {"c01": trials(hard), "c02": easy_half}, ("c01",))
    stopped = found.figures["c02"]
    assert found.leader == "c01"
    # Its own mean is 1; but the items that it was asked are those on which the leader is as good.
    assert stopped.quality is not None
    assert stopped.quality.value == 0.5
    assert stopped.difference is not None
    assert stopped.difference.value == 0.0
    assert (stopped.shared, stopped.estimated) == (6, True)
    assert stopped.quality.low is not None
    leader = found.figures["c01"]
    assert leader.quality is not None
    assert leader.quality.low is not None
    assert stopped.quality.low < leader.quality.low
    assert (leader.difference, leader.estimated, leader.shared) == (None, False, 12)


def test_the_leader_is_not_one_that_was_stopped_however_well_it_did() -> None:
    found = measure(ITEMS, "correctness", {"c01": trials([0.5] * 12), "c02": trials([1.0] * 12)}, ("c01",))
    assert found.leader == "c01"
    assert measure(ITEMS, "correctness", {"c02": trials([1.0] * 12)}, ("c01",)).leader == "c02"


def test_one_that_was_asked_little_does_not_lead_by_luck() -> None:
    found = measure(ITEMS, "correctness", {"c01": trials([0.5] * 12), "c02": trials([1.0] * 2)}, ALL)
    assert found.leader == "c01"


def test_without_a_shared_item_the_quality_is_its_own() -> None:
    found = measure(ITEMS, "correctness", {"c01": trials([1.0] * 6), "c02": [trial(9, 0.5)]}, ("c01",)).figures["c02"]
    assert found.quality is not None
    assert (found.quality.value, found.difference, found.shared, found.estimated) == (0.5, None, 0, True)


def test_a_repeated_trial_counts_once_and_one_of_an_unknown_item_not_at_all() -> None:
    records = [trial(0, 0.0), trial(0, 1.0), trial(99, 0.0)]
    found = measure(ITEMS, "correctness", {"c01": records}, ALL).figures["c01"]
    assert found.items == {"i0": 1.0}
    assert found.trials == 1


def test_what_was_never_measured_is_not_zero() -> None:
    measures = measure(ITEMS, "correctness", {"c01": []}, ALL)
    found = measures.figures["c01"]
    assert measures.leader is None
    assert (found.quality, found.latency_p50_ms, found.cost_per_item_usd, found.safety, found.error_rate) == (None,) * 5


def test_the_cost_of_an_item_is_the_mean_of_its_trials_and_unknown_prices_are_counted() -> None:
    records = [trial(0, 1.0, cost_usd=0.01), trial(0, 1.0, number=2, cost_usd=0.03), trial(1, 1.0, cost_usd=None)]
    found = measure(ITEMS, "correctness", {"c01": records}, ALL).figures["c01"]
    assert found.cost_per_item_usd is not None
    assert found.cost_per_item_usd.value == pytest.approx(0.02)
    assert found.cost_usd == pytest.approx(0.04)
    assert found.unpriced == 1


def test_the_report_calls_safe_what_the_search_calls_safe() -> None:
    """Half of an answer's facts are not enough, three quarters are: as for a regression test."""
    records = [trial(3, 0.5), trial(3, 0.75, number=2), trial(7, 1.0), trial(0, 0.0)]
    found = measure(ITEMS, "correctness", {"c01": records}, ALL).figures["c01"]
    assert found.safety is not None
    assert (found.safety.value, found.safety_items) == (0.75, 2)
