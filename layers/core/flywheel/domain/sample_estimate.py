"""Reviews with inclusion probabilities -> failure rate of the population with an interval; small days are pooled.

The rate is the ratio of Hajek (1971): every review counts 1 / inclusion probability. Its variance is that of Poisson
sampling with the finite correction 1 - p. The interval is that of Korn and Graubard (1998), "Confidence intervals for
proportions with small expected number of positive counts estimated from survey data": Clopper-Pearson at the effective
number of reviews, the one with which simple random sampling would have this variance.

That variance is blind to what a small sample has not met: a failure among the traces of the largest weight. So it is
widened by .15 unseen failures of that weight (at the upper limit; at the lower one by unseen successes, each in
proportion to the other's share). And the effective number is never below the sum of weights over the largest, because
no population has a larger variance than that. Coverage and width are measured in tests/bench.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum, isfinite

from flywheel.domain.binomial_interval import MOST_TRIALS, clopper_pearson
from flywheel.domain.json_words import shown
from flywheel.errors import InvalidRequestError

type Review = tuple[float, bool]

CONFIDENCE = 0.95
# Below it an interval is wider than 5 points at a rate of 4 %.
ENOUGH_REVIEWS = 200
MOST_DAYS = 28
_UNSEEN = 0.15


@dataclass(frozen=True, slots=True)
class Estimate:
    """A failure rate in [0, 1] and its 95 % interval, low <= rate <= high."""

    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Day:
    """Reviews of one day's sample, as (inclusion probability, failed), and how many traces the day had."""

    reviews: Sequence[Review]
    population: int


@dataclass(frozen=True, slots=True)
class Pooled:
    """`estimate` is None while even all days together have too few reviews: `missing` says how many more it takes.

    `days`: how many days' reviews are in it.
    """

    estimate: Estimate | None
    days: int
    reviews: int
    missing: int


def estimate(reviews: Iterable[Review], population: int) -> Estimate:
    """The failure rate of `population` traces, of which the reviewed ones were selected, as (probability, failed).

    Reviews that are still missing are taken to be missing by chance. Where every trace was reviewed the rate is exact.

    Raises:
        InvalidRequestError: there is no review, more reviews than traces, a probability outside (0, 1], or a `failed`
            that is neither true nor false.
    """
    given = list(reviews)
    _check(given, population)
    failed = [float(failed) for _, failed in given]
    sure_low, sure_high = fsum(failed) / population, 1 - (len(given) - fsum(failed)) / population
    least = min(probability for probability, _ in given)
    weights = [least / probability for probability, _ in given]  # the largest is 1
    total = fsum(weights)
    rate = min(1.0, fsum(w * y for w, y in zip(weights, failed, strict=True)) / total)
    # Fewer reviews than were selected: those made were reached with a lower probability.
    reached = min(1.0, total / least / population)
    open_shares = [1 - probability * reached for probability, _ in given]
    spread = fsum(o * (w * (y - rate)) ** 2 for o, w, y in zip(open_shares, weights, failed, strict=True))
    variance = spread / total**2 * len(given) / max(1, len(given) - 1)
    unseen = _UNSEEN * max(open_shares) / total**2
    low = _limits(rate, variance + unseen * rate, total)[0]
    high = _limits(rate, variance + unseen * (1 - rate), total)[1]
    rate = min(max(rate, sure_low), sure_high)
    return Estimate(rate, min(max(low, sure_low), rate), max(min(high, sure_high), rate))


def pool(days: Sequence[Day], enough: int = ENOUGH_REVIEWS, most_days: int = MOST_DAYS) -> Pooled:
    """The rate over as many of the latest days as it takes to have `enough` reviews; `days` in order, the latest last.

    A day is not described by fewer: its interval would be wider than any change worth seeing. Days without a review are
    passed over, and none is older than `most_days`.

    Raises:
        InvalidRequestError: a day is not what `estimate` takes, or `enough` or `most_days` is not positive.
    """
    if enough < 1 or most_days < 1:
        raise InvalidRequestError(f"enough is {enough} and most_days is {most_days}; both must be positive")
    reviews: list[Review] = []
    population = pooled = 0
    for day in reversed(days[-most_days:]):
        if not day.reviews:
            continue
        _check(day.reviews, day.population)
        reviews += day.reviews
        population += day.population
        pooled += 1
        if len(reviews) >= enough:
            return Pooled(estimate(reviews, population), pooled, len(reviews), 0)
    return Pooled(None, pooled, len(reviews), enough - len(reviews))


def _limits(rate: float, variance: float, total_weight: float) -> tuple[float, float]:
    """Clopper-Pearson at the effective number of reviews; `total_weight` in units of the largest weight."""
    effective = rate * (1 - rate) / variance if variance > 0 else 0.0
    trials = min(max(effective, total_weight), MOST_TRIALS)
    return clopper_pearson(rate * trials, trials, CONFIDENCE)


def _check(reviews: Sequence[Review], population: int) -> None:
    if isinstance(population, bool) or not isinstance(population, int) or population < 1:
        raise InvalidRequestError(f"the population is {shown(population)}; expected a positive whole number of traces")
    if not reviews:
        raise InvalidRequestError("there is no failure rate of no reviews")
    if len(reviews) > population:
        raise InvalidRequestError(f"{len(reviews)} reviews of {population} traces: a trace was counted twice")
    for probability, failed in reviews:
        if isinstance(probability, bool) or not isinstance(probability, int | float) or not 0 < probability <= 1:
            raise InvalidRequestError(f"an inclusion probability is {shown(probability)}; expected a number in (0, 1]")
        if not isfinite(1 / probability):
            raise InvalidRequestError(f"an inclusion probability of {probability} is too small to count with")
        if failed not in (False, True):
            raise InvalidRequestError(f"a review says failed: {shown(failed)}; expected true or false")
