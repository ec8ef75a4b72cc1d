"""Figures of items -> the mean with its 95 % interval: of scores, of paired differences, of amounts.

Items are the unit: trials of one item resemble each other, so an item counts once, with the mean of its trials.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, sqrt

from flywheel.domain.binomial_interval import MOST_TRIALS, clopper_pearson
from flywheel.domain.interval import Z, student

# Below it a spread says too little for an interval that rests on it.
FEWEST_ITEMS = 6


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and the ends of its 95 % interval, low <= value <= high; both None: too little was measured for one."""

    value: float
    low: float | None = None
    high: float | None = None


def score_figure(means: Sequence[float]) -> Figure:
    """The mean of items' scores in [0, 1].

    The interval is that of Korn and Graubard (1998): Clopper-Pearson at the effective number of items, the one with
    which a share would have this spread. It keeps its ends in [0, 1], and its width where all items score alike.

    Raises:
        ValueError: there is no item.
    """
    if not means:
        raise ValueError("there is no mean of no items")
    items = len(means)
    mean = min(1.0, max(0.0, fsum(means) / items))
    variance = fsum((value - mean) ** 2 for value in means) / max(1, items - 1) / items
    effective = float(items)
    if variance > 0 and items >= FEWEST_ITEMS:
        # No score in [0, 1] spreads more than a share does.
        effective = max(effective, mean * (1 - mean) / variance * (Z / student(items - 1)) ** 2)
    trials = min(effective, MOST_TRIALS)
    low, high = clopper_pearson(min(mean * trials, trials), trials)
    return Figure(mean, min(low, mean), max(high, mean))


def difference_figure(differences: Sequence[float]) -> Figure:
    """The mean of items' differences in [-1, 1]; no interval under `FEWEST_ITEMS` items.

    The interval is Student's after Agresti and Min (2005), "Simple improved confidence intervals for comparing matched
    proportions": two items are added of which one is half better and half worse. Without them, items that hardly ever
    differ would give an interval of no width.

    Raises:
        ValueError: there is no item.
    """
    if not differences:
        raise ValueError("there is no mean of no items")
    items = len(differences)
    mean = fsum(differences) / items
    if items < FEWEST_ITEMS:
        return Figure(mean)
    with_two = items + 2
    middle = fsum(differences) / with_two
    variance = max(0.0, (fsum(value * value for value in differences) + 1.0) / with_two - middle * middle)
    half = student(items - 1) * sqrt(variance / with_two)
    return Figure(mean, max(-1.0, min(mean, middle - half)), min(1.0, max(mean, middle + half)))


def amount_figure(amounts: Sequence[float]) -> Figure:
    """The mean of items' amounts (money, time), with Student's interval; no interval under `FEWEST_ITEMS` items.

    Raises:
        ValueError: there is no item.
    """
    if not amounts:
        raise ValueError("there is no mean of no items")
    items = len(amounts)
    mean = fsum(amounts) / items
    if items < FEWEST_ITEMS:
        return Figure(mean)
    variance = fsum((value - mean) ** 2 for value in amounts) / (items - 1)
    half = student(items - 1) * sqrt(variance / items)
    return Figure(mean, min(mean, max(0.0, mean - half)), mean + half)
