"""Means of configurations that share levels -> what all of them together say about each.

Configurations are combinations of levels of a few dimensions, and much of what one scores comes of its levels, each
of which many others have as well. So a mean is a draw of a Gaussian whose covariance is larger the more levels two
configurations share, seen with the noise of its trials; the best linear unbiased prediction of each (Henderson 1975;
"main effects first" of factorial designs) moves what rests on few trials towards what its levels have done elsewhere.
How large the effects are, and how much of them is the levels' own, is taken from a small grid by likelihood. Nothing
is assumed that trials cannot overrule: with many of them the noise is small, and the prediction is the mean itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, log, sqrt, sumprod

_SIZES = (0.3, 1.0, 2.0)
_SHARES = (0.3, 0.6, 0.9)
_LEAST = 1e-6

type Matrix = list[list[float]]


@dataclass(frozen=True, slots=True)
class _Fit:
    likelihood: float
    predicted: list[float]


def predict(
    means: Mapping[str, float], noise: Mapping[str, float], levels: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """The predicted mean of each configuration; without levels to share, the means as they are.

    Args:
        means: observed mean of each configuration.
        noise: its variance, by the number of trials.
        levels: of each configuration, its level in every dimension, in the same order for all.
    """
    names = list(means)
    if len(names) <= 2 or any(not levels.get(name) for name in names):  # noqa: PLR2004 - nothing to learn from
        return dict(means)
    observed = [means[name] for name in names]
    variances = [max(_LEAST, noise[name]) for name in names]
    shared = [[_likeness(levels[a], levels[b]) for b in names] for a in names]
    spread = _spread(observed, variances)
    fits = [_fit(observed, variances, shared, size * spread, share) for size in _SIZES for share in _SHARES]
    best = max(fits, key=lambda fit: fit.likelihood)
    return dict(zip(names, best.predicted, strict=True))


def _likeness(a: Sequence[str], b: Sequence[str]) -> float:
    """Share of the dimensions in which both have the same level."""
    return sum(x == y for x, y in zip(a, b, strict=True)) / len(a)


def _spread(observed: Sequence[float], variances: Sequence[float]) -> float:
    """Variance of the true means, about: that of the observed ones without half of the noise."""
    weights = [1.0 / variance for variance in variances]
    total = fsum(weights)
    centre = fsum(w * y for w, y in zip(weights, observed, strict=True)) / total
    around = fsum(w * (y - centre) ** 2 for w, y in zip(weights, observed, strict=True)) / total
    return max(_LEAST, around - 0.5 * fsum(variances) / len(variances))


def _fit(observed: Sequence[float], variances: Sequence[float], shared: Matrix, size: float, share: float) -> _Fit:
    """Prediction and restricted likelihood when effects have variance `size`, `share` of it in the levels."""
    many = range(len(observed))
    prior = [[size * (share * shared[i][j] + (1.0 - share) * (i == j)) for j in many] for i in many]
    lower = _cholesky([[prior[i][j] + variances[i] * (i == j) for j in many] for i in many])
    ones = _solve(lower, [1.0] * len(observed))
    precision = fsum(ones)
    centre = fsum(one * y for one, y in zip(ones, observed, strict=True)) / precision
    around = [y - centre for y in observed]
    solved = _solve(lower, around)
    fitted = fsum(a * b for a, b in zip(around, solved, strict=True))
    likelihood = -0.5 * fitted - fsum(log(lower[i][i]) for i in many) - 0.5 * log(precision)
    return _Fit(likelihood, [centre + sumprod(prior[i], solved) for i in many])


def _cholesky(matrix: Matrix) -> Matrix:
    """Rows of the lower triangle whose product with its transpose is the matrix, which is positive definite."""
    lower: Matrix = []
    for i, row in enumerate(matrix):
        own: list[float] = []
        for j in range(i):
            other = lower[j]
            own.append((row[j] - sumprod(own, other[:j])) / other[j])
        own.append(sqrt(max(_LEAST * _LEAST, row[i] - sumprod(own, own))))
        lower.append(own)
    return lower


def _solve(lower: Matrix, right: Sequence[float]) -> list[float]:
    """The x with lower lower' x = right."""
    forward: list[float] = []
    for i, row in enumerate(lower):
        forward.append((right[i] - sumprod(row[:i], forward)) / row[i])
    found: list[float] = [0.0] * len(forward)
    for i in reversed(range(len(forward))):
        found[i] = forward[i] / lower[i][i]
        for j in range(i):
            forward[j] -= lower[i][j] * found[i]
    return found
