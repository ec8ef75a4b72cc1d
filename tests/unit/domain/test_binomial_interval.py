"""Exact binomial intervals, against scipy's and against their definition."""

from math import comb, fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.binomial_interval import beta_distribution, beta_quantile, clopper_pearson


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (0, 10, 0.0, 0.3084971078187607),
        (10, 10, 0.6915028921812392, 1.0),
        (4, 100, 0.011004493986188198, 0.09925715671265992),
        (1, 50, 0.000506227983040829, 0.1064695457114999),
        (3.7, 61.25, 0.01558740482907088, 0.15225831273703086),
        (0.02, 40, 0.0, 0.08907430424241489),
        (250, 1_000, 0.2234304062646804, 0.27805000622375553),
        (40_000, 1_000_000, 0.039616759836157006, 0.04038590751903365),
    ],
)
def test_the_limits_are_the_known_ones(successes: float, trials: float, low: float, high: float) -> None:
    assert clopper_pearson(successes, trials) == pytest.approx((low, high), rel=1e-9, abs=1e-15)


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_each_limit_is_where_the_observation_becomes_improbable(case: tuple[int, int]) -> None:
    successes, trials = case

    def probability(rate: float, counts: range) -> float:
        return fsum(comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in counts)

    low, high = clopper_pearson(successes, trials)
    if successes > 0:
        assert probability(low, range(successes, trials + 1)) == pytest.approx(0.025, rel=1e-9)
    if successes < trials:
        assert probability(high, range(successes + 1)) == pytest.approx(0.025, rel=1e-9)


@given(st.floats(0.01, 1e6), st.floats(0.01, 1.0))
def test_success_and_failure_are_mirror_images(trials: float, share: float) -> None:
    low, high = clopper_pearson(share * trials, trials)
    mirrored_low, mirrored_high = clopper_pearson(trials - share * trials, trials)
    assert (low, high) == pytest.approx((1 - mirrored_high, 1 - mirrored_low), abs=1e-9)


@given(st.floats(0.001, 0.999), st.floats(0.05, 1e5), st.floats(0.05, 1e5))
def test_the_quantile_undoes_the_distribution(share: float, a: float, b: float) -> None:
    x = beta_quantile(share, a, b)
    below, above = beta_distribution(x * (1 - 1e-12), a, b), beta_distribution(min(1.0, x * (1 + 1e-12)), a, b)
    assert below - 1e-7 <= share <= above + 1e-7 or x > 1 - 1e-12


@pytest.mark.parametrize(
    ("successes", "trials", "confidence"),
    [(-1, 10, 0.95), (11, 10, 0.95), (0, 0, 0.95), (float("nan"), 10, 0.95), (1, 1e8, 0.95), (1, 10, 1.0)],
)
def test_what_has_no_interval_is_an_error(successes: float, trials: float, confidence: float) -> None:
    with pytest.raises(ValueError, match="there is no"):
        clopper_pearson(successes, trials, confidence)
