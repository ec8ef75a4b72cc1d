"""A figure with what it may also be: an estimate and the ends of its 95 % interval."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

_LEVEL = 0.95
Z = NormalDist().inv_cdf((1 + _LEVEL) / 2)


@dataclass(frozen=True, slots=True)
class Interval:
    """`low` <= `value` <= `high`, at 95 %."""

    value: float
    low: float
    high: float


def wilson(hits: int, trials: int) -> Interval:
    """Share of hits with the score interval of Wilson (1927), which keeps its ends in [0, 1] and its width at 0 and 1.

    Raises:
        ValueError: there are no trials, or hits are not among them.
    """
    if not 0 <= hits <= trials or trials == 0:
        raise ValueError(f"{hits} hits of {trials} trials have no share")
    share, z2 = hits / trials, Z * Z
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z * sqrt(share * (1 - share) / trials + z2 / (4 * trials * trials)) / (1 + z2 / trials)
    return Interval(share, min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)))


def student(freedom: int) -> float:
    """How many standard errors the interval reaches: Student's quantile by its expansion in 1/freedom.

    Within .3 % from 5 degrees of freedom on (Abramowitz and Stegun 26.7.5).

    Raises:
        ValueError: fewer than 5 degrees of freedom.
    """
    fewest = 5
    if freedom < fewest:
        raise ValueError(f"{freedom} degrees of freedom are too few for this expansion")
    z, v = Z, float(freedom)
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )
