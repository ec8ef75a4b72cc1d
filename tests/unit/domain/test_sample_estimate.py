"""The failure rate that a sample stands for, how far it can be trusted, and when there is too little of it."""

from math import fsum
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.binomial_interval import clopper_pearson
from flywheel.domain.sample_estimate import ENOUGH_REVIEWS, Day, Estimate, Pooled, Review, estimate, pool
from flywheel.domain.sampling import select
from flywheel.errors import InvalidRequestError

samples = st.lists(st.tuples(st.floats(1e-6, 1), st.booleans()), min_size=1, max_size=50)
HALF = [(0.001, True), (0.001, False)] * 100


@given(samples, st.integers(0, 10**9))
def test_the_rate_lies_in_its_interval_and_both_in_what_is_certain(sample: list[Review], more: int) -> None:
    population = len(sample) + more
    found = estimate(sample, population)
    failed = sum(failed for _, failed in sample)
    least, most = failed / population, 1 - (len(sample) - failed) / population
    assert least - 1e-12 <= found.low <= found.rate <= found.high <= most + 1e-12


@given(samples, st.integers(0, 10**6))
def test_failures_and_successes_are_mirror_images(sample: list[Review], more: int) -> None:
    found = estimate(sample, len(sample) + more)
    mirrored = estimate([(p, not failed) for p, failed in sample], len(sample) + more)
    assert (found.rate, found.low, found.high) == pytest.approx(
        (1 - mirrored.rate, 1 - mirrored.high, 1 - mirrored.low), abs=1e-7
    )


@given(samples, st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_the_order_of_reviews_changes_nothing(sample: list[Review], more: int, random: Random) -> None:
    shuffled = sample.copy()
    random.shuffle(shuffled)
    assert estimate(shuffled, len(sample) + more) == estimate(iter(sample), len(sample) + more)


def test_every_review_counts_by_what_it_stands_for() -> None:
    sample = [(0.5, True), (0.5, True), (0.01, False), (0.02, True)]
    assert estimate(sample, 1_000).rate == pytest.approx((2 + 2 + 50) / (2 + 2 + 100 + 50))


def test_equal_probabilities_give_nearly_the_binomial_interval() -> None:
    low, high = clopper_pearson(8, 200)
    found = estimate([(0.0002, n < 8) for n in range(200)], 1_000_000)
    assert found.rate == pytest.approx(0.04)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.01)
    assert found.high >= high


def test_no_failure_among_equal_traces_gives_the_binomial_limit() -> None:
    assert estimate([(0.001, False)] * 60, 60_000) == Estimate(0.0, 0.0, clopper_pearson(0, 60)[1])


def test_no_failure_says_no_more_than_the_heaviest_traces_do() -> None:
    """Two hundred certain traces say nothing about the rest, for which ten stand."""
    sample = [(1.0, False)] * 200 + [(0.001, False)] * 10
    assert estimate(sample, 10_200).high == pytest.approx(clopper_pearson(0, 10.2)[1])


def test_a_light_failure_alone_does_not_widen_the_interval_to_everything() -> None:
    found = estimate([(1.0, True)] + [(0.001, False)] * 60, 60_001)
    assert found.high < 0.08


def test_a_day_that_was_reviewed_whole_is_exact() -> None:
    assert estimate([(1.0, True), (1.0, False), (1.0, False), (1.0, True)], 4) == Estimate(0.5, 0.5, 0.5)


def test_a_day_that_was_selected_whole_and_reviewed_in_part_is_not_exact() -> None:
    found = estimate([(1.0, n % 10 == 0) for n in range(50)], 100)
    assert found.rate == pytest.approx(0.1)
    assert found.low < 0.08
    assert found.high > 0.14
    assert found.high - found.low < estimate([(0.0005, n % 10 == 0) for n in range(50)], 100_000).high


def test_one_review_says_almost_nothing() -> None:
    assert estimate([(0.01, True)], 100).high > 0.98
    assert estimate([(0.01, True)], 100).low < 0.03


def test_failures_that_are_all_certain_leave_little_doubt() -> None:
    found = estimate([(1.0, True)] * 10 + [(1 - 1e-12, False)] * 990, 1_000)
    assert found == Estimate(pytest.approx(0.01), pytest.approx(0.01), pytest.approx(0.01))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sample", "population", "message"),
    [
        ([], 10, "no failure rate of no reviews"),
        ([(0.5, True)], 0, "the population is 0; expected a positive"),
        ([(0.5, True)], -1, "the population is -1"),
        ([(0.5, True)], 1.5, "the population is 1.5"),
        ([(0.5, True)], True, "the population is True"),
        ([(0.5, True)] * 3, 2, "3 reviews of 2 traces"),
        ([(0.0, True)], 10, "an inclusion probability is 0.0; expected a number in"),
        ([(1.001, True)], 10, "an inclusion probability is 1.001"),
        ([(-0.5, True)], 10, "an inclusion probability is -0.5"),
        ([(float("nan"), True)], 10, "an inclusion probability is nan"),
        ([(None, True)], 10, "an inclusion probability is None"),
        ([(5e-324, True)], 10, "too small to count with"),
        ([(0.5, None)], 10, "a review says failed: None; expected true or false"),
        ([(0.5, "yes")], 10, "a review says failed: 'yes'"),
        ([(0.5, 0.3)], 10, "a review says failed: 0.3"),
    ],
)
def test_a_sample_that_is_none_is_an_error(sample: list[Any], population: Any, message: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        estimate(sample, population)
    assert message in str(caught.value)


@pytest.mark.parametrize("judge", ["good", "noise"])
@pytest.mark.parametrize("budget", [30, 150])
def test_the_interval_holds_the_rate_of_a_small_world_and_the_estimate_has_no_bias(judge: str, budget: int) -> None:
    random = Random(7)
    fails = [random.random() < 0.06 for _ in range(1_000)]
    risks = [min(1.0, random.random() ** 4 + 0.4 * (failed and judge == "good")) for failed in fails]
    traces = [(str(n), risk, f"topic-{n % 20}") for n, risk in enumerate(risks)]
    truth, rounds = sum(fails) / len(fails), 200
    found = [
        estimate([(one.inclusion_probability, fails[int(one.trace_id)]) for one in chosen], len(traces))
        for chosen in (select(traces, budget, number.to_bytes(2)) for number in range(rounds))
    ]
    assert sum(one.low <= truth <= one.high for one in found) / rounds >= 0.93
    errors = [one.rate - truth for one in found]
    spread = (fsum(error**2 for error in errors) / rounds) ** 0.5
    assert abs(fsum(errors) / rounds) < 3 * spread / rounds**0.5 + 1 / (10 * budget)  # a ratio is biased by O(1/budget)


def test_one_day_of_enough_reviews_stands_alone() -> None:
    days = [Day(HALF, 200_000), Day([(0.001, False)] * 200, 200_000)]
    assert pool(days) == Pooled(estimate(days[1].reviews, 200_000), 1, 200, 0)


def test_as_many_of_the_latest_days_are_pooled_as_it_takes() -> None:
    days = [Day(HALF[:80], 80_000)] * 5
    assert pool(days) == Pooled(estimate(HALF[:80] * 3, 240_000), 3, 240, 0)


def test_days_without_a_review_are_passed_over() -> None:
    days = [Day(HALF[:100], 100_000), Day([], 100_000), Day(HALF[:100], 100_000), Day([], 50)]
    assert pool(days) == Pooled(estimate(HALF, 200_000), 2, 200, 0)


def test_with_too_few_reviews_in_all_it_says_how_many_are_missing() -> None:
    assert pool([Day(HALF[:50], 50_000)] * 3) == Pooled(None, 3, 150, ENOUGH_REVIEWS - 150)
    assert pool([]) == Pooled(None, 0, 0, ENOUGH_REVIEWS)


def test_what_is_long_ago_is_not_pooled() -> None:
    days = [Day(HALF, 200_000), Day([], 1), Day(HALF[:50], 50_000)]
    assert pool(days, most_days=2) == Pooled(None, 1, 50, 150)
    assert pool(days, most_days=3).days == 2


def test_fewer_reviews_may_be_enough() -> None:
    assert pool([Day(HALF[:50], 50_000)], enough=50) == Pooled(estimate(HALF[:50], 50_000), 1, 50, 0)


def test_a_day_that_is_none_is_an_error_even_when_there_are_too_few_reviews() -> None:
    with pytest.raises(InvalidRequestError, match="an inclusion probability is 2"):
        pool([Day([(2, True)], 10)])
    with pytest.raises(InvalidRequestError, match="both must be positive"):
        pool([], enough=0)
    with pytest.raises(InvalidRequestError, match="both must be positive"):
        pool([], most_days=0)
