"""Observed differences and the bets that weighed them -> confidence sequences.

The bets of a claim are turned round: a bound is the mean that the same bets just refute (Waudby-Smith and Ramdas 2023,
section 4). So the interval and the claim never disagree: the lower bound is above -margin exactly when the claim is
certified, the upper one below 0 exactly when it is refuted. A bound may be looked at after every pair.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import ceil, exp, fsum, log1p
from statistics import NormalDist

from flywheel.domain.claims import MeanClaim

# Differences and bounds lie in [-1, 1]; halving that so often leaves less than a tenth of a point.
_HALVINGS = 14
_POINTS = 120

type Interval = tuple[float, float]


def interval(differences: Iterable[float], claim: MeanClaim) -> Interval:
    """Bounds of the true mean difference after these observations: 1 - alpha below, 1 - refuting alpha above."""
    return _interval(Counter(differences), claim)


def _interval(counts: Mapping[float, int], claim: MeanClaim) -> Interval:
    low = _bound(counts, claim.certifying_bets, 1.0 / claim.alpha) - claim.pad
    high = -_bound(_turned(counts), claim.refuting_bets, 1.0 / claim.refuting_alpha) + claim.pad
    return max(-1.0, low), min(1.0, max(high, low))


def course(differences: Sequence[tuple[int, float]], claim: MeanClaim) -> list[tuple[int, float, float, float]]:
    """Mean and confidence sequence over the pairs of the gate, at most 120 points, the last pair always among them.

    `differences` are (number of the pair in the gate, difference). Bounds only ever come closer: what was excluded once
    stays excluded, as the claim's own decision does.
    """
    found: list[tuple[int, float, float, float]] = []
    counts: Counter[float] = Counter()
    low, high = -1.0, 1.0
    for start, end in pairwise([0, *_stops(len(differences))]):
        for _, difference in differences[start:end]:
            counts[difference] += 1
        now = _interval(counts, claim)
        low, high = max(low, now[0]), min(high, now[1])
        mean = fsum(value * count for value, count in counts.items()) / end
        found.append((differences[end - 1][0], mean, min(low, high), max(low, high)))
    return found


def _stops(total: int) -> list[int]:
    if total <= _POINTS:
        return list(range(1, total + 1))
    return sorted({round((n + 1) * total / _POINTS) for n in range(_POINTS)})


def _turned(counts: Mapping[float, int]) -> Counter[float]:
    return Counter({-value: count for value, count in counts.items()})


def _bound(counts: Mapping[float, int], bets: Sequence[float], needed: float) -> float:
    """The largest mean that bets on a larger one refute; -1 when they refute none."""
    if not bets or _wealth(counts, bets, -1.0) < needed:
        return -1.0
    low, high = -1.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _wealth(counts, bets, middle) >= needed:
            low = middle
        else:
            high = middle
    return low


def _wealth(counts: Mapping[float, int], bets: Sequence[float], mean: float) -> float:
    """What the bets are worth when the true mean is this at most; a bet that loses everything stays lost."""
    total = 0.0
    for bet in bets:
        grown = 0.0
        for value, count in counts.items():
            factor = bet * (value - mean)
            if factor <= -1.0:
                break
            grown += count * log1p(factor)
        else:
            total += exp(min(grown, 700.0))
    return total / len(bets)


def fixed_pairs(margin: float, variance: float, alpha: float) -> int:
    """Pairs of a test of fixed size with the same error probabilities at 0 and at -margin (normal approximation)."""
    quantile = NormalDist().inv_cdf(1.0 - alpha)
    return max(1, ceil((2.0 * quantile / margin) ** 2 * variance))
