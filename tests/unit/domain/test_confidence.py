import random

import pytest

from flywheel.domain.claims import MeanClaim
from flywheel.domain.confidence import course, fixed_pairs, interval


def loss() -> MeanClaim:
    return MeanClaim(margin=0.1, alpha=0.05, refuting_alpha=0.05, certifying_bets=(0.3, 0.6), refuting_bets=(0.3, 0.6))


def test_a_bound_excludes_the_margin_exactly_when_the_claim_is_decided() -> None:
    chance = random.Random(3)
    for true in (-0.4, -0.1, 0.0, 0.2):
        claim, seen = loss(), []
        for at in range(1, 200):
            difference = max(-1.0, min(1.0, chance.gauss(true, 0.3)))
            seen.append(difference)
            claim.add(difference, at)
            low, high = interval(seen, claim)
            assert low <= high
            if claim.state == "certified":
                assert low > -0.1 - 1e-3
                break
            if claim.state == "refuted":
                assert high < 1e-3
                break
            assert low < -0.1 + 1e-3
            assert high > -1e-3


def test_bounds_hold_the_true_mean_at_every_look_as_often_as_they_say() -> None:
    chance = random.Random(4)
    missed = 0
    for _ in range(200):
        seen = [(n, chance.choice((-1.0, 0.0, 0.0, 1.0, 1.0))) for n in range(1, 81)]
        missed += any(not low <= 0.2 <= high for _, _, low, high in course(seen, loss()))
    assert missed / 200 <= 0.1


def test_a_course_has_at_most_so_many_points_and_ends_with_the_last_pair() -> None:
    points = course([(n, 0.0) for n in range(1, 1001)], loss())
    assert len(points) == 120
    assert points[-1][0] == 1000
    widths = [high - low for _, _, low, high in points]
    assert widths == sorted(widths, reverse=True), "bounds only come closer"
    assert [at for at, *_ in course([(3, 0.5), (7, 0.5)], loss())] == [3, 7]
    assert course([], loss()) == []


def test_nothing_seen_bounds_nothing() -> None:
    assert interval([], loss()) == (-1.0, 1.0)


@pytest.mark.parametrize(("margin", "pairs"), [(0.1, 141), (0.09, 174), (0.075, 251), (0.05, 563)])
def test_a_fixed_design_takes_as_many_pairs_as_the_normal_approximation_says(margin: float, pairs: int) -> None:
    assert fixed_pairs(margin, 0.13, 0.05) == pytest.approx(pairs, abs=1)
