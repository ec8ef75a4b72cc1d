"""Slices of the dataset -> those that are certified each by itself, and those too small for that."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

# Named like no slice can be.
SMALL = "(small slices)"
# A certificate needs luck on top of the pairs that it takes at least.
_ROOM = 4


@dataclass(frozen=True, slots=True)
class SlicePlan:
    """`items` counts them by slice; `group` says what a slice is certified in, None: it is only refuted."""

    items: Mapping[str, int]
    group: Mapping[str, str | None]

    @property
    def groups(self) -> list[str]:
        return sorted({name for name in self.group.values() if name is not None})


def plan_slices(items: Mapping[str, str], trials: int, fewest_pairs: int) -> SlicePlan:
    """Decide how each slice of `items` (item id -> slice) is certified.

    A slice is too small when all its pairs, `trials` an item, are fewer than four times the pairs that a certificate
    takes at the very least: it would end undecided too often. All slices that are too small are certified together, as
    one group, so that they cannot all be broken; each of them can still be refuted by itself. When even the group is
    too small, its slices are only refuted, unless that would leave no slice to certify at all: a dataset of one small
    slice is certified as well as it can be.
    """
    counts = Counter(items.values())
    needed = _ROOM * fewest_pairs
    group: dict[str, str | None] = {name: name for name in counts}
    small = [name for name, count in counts.items() if count * trials < needed]
    if len(small) > 1 or len(small) < len(counts):
        pooled = sum(counts[name] for name in small) * trials
        together = SMALL if pooled >= needed or len(small) == len(counts) else None
        group.update(dict.fromkeys(small, together))
    return SlicePlan(dict(sorted(counts.items())), dict(sorted(group.items())))
