import random

import pytest

from flywheel.domain.betting import Betting, sizes


def test_evidence_starts_at_one_and_grows_with_what_pays() -> None:
    betting = Betting((0.5, 1.0))
    assert betting.evidence == 1.0
    assert betting.add(0.2) == pytest.approx((1.1 + 1.2) / 2)
    assert betting.add(-0.5) == pytest.approx((1.1 * 0.75 + 1.2 * 0.5) / 2)


def test_evidence_never_grows_beyond_what_json_can_hold() -> None:
    betting = Betting((1.0,))
    for _ in range(2000):
        betting.add(1.0)
    assert 1e299 < betting.evidence < float("inf")


def test_a_true_hypothesis_is_refuted_no_more_often_than_promised_however_often_one_looks() -> None:
    """Ville's inequality, by simulation: 1,000 runs of 300 looks each, at alpha .05."""
    chance = random.Random(1)
    refuted = 0
    for _ in range(1000):
        betting = Betting((0.3, 0.6))
        refuted += any(betting.add(chance.choice((-1.0, 0.0, 0.0, 1.0))) >= 20 for _ in range(300))
    assert refuted / 1000 <= 0.05


def test_bets_are_bounded_by_the_largest_loss() -> None:
    assert sizes(0.09, 0.13, largest_loss=0.91) == pytest.approx((0.3258, 0.6516), abs=1e-3)
    assert sizes(0.5, 0.01, largest_loss=0.5) == pytest.approx((0.95, 1.9))
    assert sizes(0.5, 0.01, largest_loss=0.0)[1] == pytest.approx(0.5 / 0.26)


def test_the_fewest_observations_are_counted_from_where_the_evidence_stands() -> None:
    betting = Betting((1.0,))
    assert betting.fewest(1.0, 20.0) == 5
    betting.add(1.0)
    assert betting.fewest(1.0, 20.0) == 4
    with pytest.raises(ValueError, match="never gives evidence"):
        betting.fewest(0.0, 20.0)
