"""Invocations left, and how scores vary -> which trials of which items the next rung asks of all that remain.

Within items of one dataset the noise of a mean is that of the trials. It is least for a given number of them when each
item gets trials in proportion to the standard deviation of its scores (Neyman 1934); most items are answered alike
every time, so that an even spread would waste most of a rung on them. A part is spread evenly all the same: what an
item's scores vary by is itself a guess, and every item must be able to speak up.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor

from flywheel.domain.measured import Trial

_DOUBLINGS, _HALVINGS = 60, 50
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Draw:
    """One trial of a rung. `weight`: item's share of the dataset over its share of the rung; 1 when drawn evenly."""

    trial: Trial
    weight: float


def draw(seed: int, *words: object) -> float:
    """A number in [0, 1) that depends on nothing else, on every machine."""
    text = "\0".join(str(word) for word in (seed, *words)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") / 2.0**64


def stratified(items: Sequence[tuple[str, str]], count: int, seed: int) -> list[str]:
    """`count` of the items, from each slice in proportion, in the order of the dataset.

    Systematic sampling along the slices, with a drawn start and in drawn order within each.
    """
    ordered = sorted(items, key=lambda item: (item[1], draw(seed, "item", item[0])))
    start = draw(seed, "start")
    picked = {ordered[floor((n + start) * len(items) / count)][0] for n in range(count)}
    return [item_id for item_id, _ in items if item_id in picked]


def first_trials(items: Sequence[str]) -> tuple[Draw, ...]:
    """The first trial of each of `items`, which are all as likely to be among them."""
    return tuple(Draw((item, 1), 1.0) for item in items)


def more_trials(
    asked: Mapping[str, int], spread: Mapping[str, float], count: int, *, even: float, seed: int, rung: int
) -> tuple[Draw, ...]:
    """About `count` further trials, at most so many, where they are worth most.

    Args:
        asked: trials so far of each item.
        spread: standard deviation of a trial's score around its item's mean, as far as is known.
        count: trials of each configuration.
        even: share of the trials that is spread evenly; it bounds the weights by 1 / even.
        seed: of the search.
        rung: number of this one.
    """
    expected = _expected(asked, spread, count, even)
    draws: list[Draw] = []
    mean = count / len(asked)
    reached = draw(seed, "rung", rung)
    # Systematic sampling in drawn order: a fixed size, and every item as often as expected, rounded by chance.
    for item in sorted(asked, key=lambda item: draw(seed, "rung", rung, item)):
        before, reached = floor(reached + _TOLERANCE), reached + expected[item]
        times = floor(reached + _TOLERANCE) - before
        draws += [Draw((item, asked[item] + n + 1), mean / expected[item]) for n in range(times)]
    return tuple(draws[:count])


def _expected(asked: Mapping[str, int], spread: Mapping[str, float], count: int, even: float) -> dict[str, float]:
    """Trials of each item, so that all so far come to be in proportion to the spread; `count` in all."""
    least = even * count / len(asked)

    def given(scale: float) -> dict[str, float]:
        return {item: max(least, scale * spread[item] - times) for item, times in asked.items()}

    high = 1.0
    for _ in range(_DOUBLINGS):
        if sum(given(high).values()) >= count:
            break
        high *= 2
    else:  # nothing varies anywhere
        return dict.fromkeys(asked, count / len(asked))
    low = 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if sum(given(middle).values()) >= count:
            high = middle
        else:
            low = middle
    return given(high)
