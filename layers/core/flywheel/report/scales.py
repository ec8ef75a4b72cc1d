"""Ranges of numbers -> axes and histograms a plot can be drawn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps [0, `top`] to [`start`, `end`] on the paper; values outside are put on the nearest edge."""

    top: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = min(1.0, max(0.0, value / self.top))
        return round(self.start + share * (self.end - self.start), 2)


def nice_ticks(top: float, most: int = 5) -> tuple[float, ...]:
    """At most `most` + 1 round numbers from 0 to at most `top`, evenly apart.

    Raises:
        ValueError: `top` is not positive.
    """
    if top <= 0:
        raise ValueError("an axis needs a positive end")
    raw = top / most
    power = 10.0 ** floor(log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999999)
    return tuple(round(step * n, 10) for n in range(floor(top / step + 1e-9) + 1))


def histogram(values: Sequence[float], top: float, bins: int) -> tuple[int, ...]:
    """How many values fall into each of `bins` equal parts of [0, `top`]; the last takes all that are larger."""
    counts = [0] * bins
    for value in values:
        counts[max(0, min(bins - 1, int(value / top * bins)))] += 1
    return tuple(counts)


@dataclass(frozen=True, slots=True)
class Span:
    """Maps [`low`, `high`] to [`start`, `end`] on the paper; values outside are put on the nearest edge."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))
        return round(self.start + share * (self.end - self.start), 2)

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


def ticks_between(low: float, high: float, most: int = 5) -> tuple[float, ...]:
    """Round numbers from `low` to `high`, evenly apart, 0 among them when it lies between; about `most`.

    Raises:
        ValueError: `high` is not above `low`.
    """
    if high <= low:
        raise ValueError("an axis needs a positive length")
    step = nice_ticks(high - low, most)[1]
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return tuple(round(step * n, 10) + 0.0 for n in range(first, last + 1))
