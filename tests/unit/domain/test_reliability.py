from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.outcome import TrialRecord
from flywheel.domain.reliability import ItemReliability, item_reliability, mean_pass_hat, unstable_items
from tests.unit.domain.samples import answered, errored, golden

ITEMS = [golden("a"), golden("b"), golden("c", "edge_case")]


def reliability(records: list[TrialRecord]) -> list[ItemReliability]:
    return item_reliability(ITEMS, records, pass_score=0.75)


def test_an_item_passed_k_of_its_n_trials() -> None:
    records = [answered("a", 1.0), answered("a", 0.75, trial=2), answered("a", 0.7, trial=3), answered("c", 0.0)]
    assert reliability(records) == [ItemReliability("a", "happy_path", 2, 3), ItemReliability("c", "edge_case", 0, 1)]


def test_the_other_arm_does_not_count() -> None:
    records = [answered("a"), answered("a", 0.0, arm="incumbent")]
    assert reliability(records) == [ItemReliability("a", "happy_path", 1, 1)]
    assert item_reliability(ITEMS, records, arm="incumbent", pass_score=0.75)[0].passed == 0


def test_an_errored_trial_did_not_pass_and_one_that_was_not_judged_is_in_neither() -> None:
    records = [answered("a"), errored("a", trial=2), errored("a", "judge", trial=3)]
    assert reliability(records) == [ItemReliability("a", "happy_path", 1, 2, unjudged=1)]


@given(st.integers(1, 7), st.data())
def test_pass_hat_k_is_the_share_of_draws_of_k_trials_that_all_pass(trials: int, data: st.DataObject) -> None:
    passed = data.draw(st.integers(0, trials))
    k = data.draw(st.integers(1, trials))
    draws = list(combinations([True] * passed + [False] * (trials - passed), k))
    share = sum(map(all, draws)) / len(draws)
    assert ItemReliability("a", "x", passed, trials).pass_hat(k) == pytest.approx(share)


def test_pass_hat_falls_with_k_where_a_mean_would_not() -> None:
    item = ItemReliability("a", "x", 2, 4)
    assert [item.pass_hat(k) for k in (1, 2, 3)] == [0.5, pytest.approx(1 / 6), 0.0]


def test_more_trials_than_there_were_have_no_figure() -> None:
    assert ItemReliability("a", "x", 1, 1).pass_hat(2) is None
    with pytest.raises(ValueError, match="k is 0"):
        ItemReliability("a", "x", 1, 1).pass_hat(0)


def test_an_item_flips_when_some_trials_pass_and_some_do_not() -> None:
    items = [ItemReliability("a", "x", 1, 2), ItemReliability("b", "x", 0, 2), ItemReliability("c", "x", 2, 2)]
    assert [item.flips for item in items] == [True, False, False]


def test_the_mean_of_pass_hat_leaves_out_items_with_fewer_trials() -> None:
    items = [ItemReliability("a", "x", 1, 2), ItemReliability("b", "x", 2, 2), ItemReliability("c", "x", 0, 1)]
    assert [mean_pass_hat(items, k) for k in (1, 2, 3)] == [0.5, 0.5, None]


def test_an_item_that_flips_in_both_arms_is_unstable() -> None:
    both = [answered("b", score, trial=t, arm=arm) for t, score in ((1, 1.0), (2, 0.0))
            for arm in ("candidate", "incumbent")]  # fmt: skip
    ours = [answered("a", 1.0), answered("a", 0.0, trial=2), answered("a", arm="incumbent")]
    assert unstable_items(ITEMS, [*both, *ours], pass_score=0.75) == ["b"]
    assert unstable_items(ITEMS, ours[:2], pass_score=0.75) == [], "without an incumbent nothing is known of it"
