"""Nearest-rank percentiles, and what can be said of them before all values are there."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from math import ceil

from flywheel.domain.binomial_interval import beta_distribution

P95 = 0.95
_TAIL = 0.025
# .95 * 20 may be computed as 19.0000000004: that is rank 19, not 20.
_TOLERANCE = 1e-9


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the smallest value that at least `share` of all values do not exceed.

    It is always one of the values: of n values in ascending order number ceil(share * n), counted from 1.

    Raises:
        ValueError: there are no values, or `share` is outside (0, 1].
    """
    if not values or not 0 < share <= 1:
        raise ValueError(f"there is no percentile {share} of {len(values)} values")
    return sorted(values)[_rank(share, len(values)) - 1]


def percentile_interval(values: Sequence[float], share: float) -> tuple[float, float] | None:
    """Ends of the 95 % interval of a percentile: two of the values, whatever these are distributed like.

    Each end is missed with 2.5 % at most. None: there are too few values, one end or both would lie beyond them; the
    median takes 6 values, the 95th percentile 72.
    """
    ordered, count = sorted(values), len(values)
    ranks = range(1, count + 1)

    def missed(rank: int) -> float:
        """Probability that fewer than `rank` of the values are at most the true percentile; it grows with the rank."""
        return 1.0 - beta_distribution(share, rank, count - rank + 1)

    low = bisect_right(ranks, _TAIL, key=missed)
    high = bisect_left(ranks, 1.0 - _TAIL, key=missed) + 1
    return (ordered[low - 1], ordered[high - 1]) if low >= 1 and high <= count else None


def is_certainly_above(limit: float, values: Sequence[float], open_values: int, share: float) -> bool:
    """Whether the percentile of `values` and `open_values` more will exceed the limit whatever those will be.

    Counting is enough: it exceeds the limit when fewer values are within it than the rank asks for, and the most
    favourable end is that every open value comes and is within.

    Raises:
        ValueError: `open_values` is negative, or `share` is outside (0, 1].
    """
    if open_values < 0 or not 0 < share <= 1:
        raise ValueError(f"there is no percentile {share} with {open_values} values open")
    total = len(values) + open_values
    within = sum(value <= limit for value in values) + open_values
    return total > 0 and within < _rank(share, total)


def _rank(share: float, count: int) -> int:
    return max(1, ceil(share * count - _TOLERANCE))
