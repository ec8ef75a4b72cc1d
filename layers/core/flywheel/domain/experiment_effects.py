"""Figures of configurations -> what each dimension contributes, and the items that separate the best two."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, fsum, log

from flywheel.domain.experiment import Configuration, Dimension
from flywheel.domain.experiment_measures import ConfigurationFigures, paired
from flywheel.domain.experiment_objectives import Figures, value_of
from flywheel.domain.golden import GoldenItem
from flywheel.domain.item_intervals import Figure, difference_figure

MOST_SEPARATING = 10
# Item means that differ by less are the same.
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class Effect:
    """What one value of a dimension does against the first one of the file, everything else alike.

    `quality` is the mean over `items` of the paired differences, averaged over the `pairs` of configurations that were
    both asked the item; None: there is no such pair. `latency_ratio` and `cost_ratio`: geometric means over the pairs
    of median latency and cost of an item, this value's over the first one's.
    """

    dimension: str
    value: str
    reference: str
    pairs: int
    items: int
    quality: Figure | None
    latency_ratio: float | None
    cost_ratio: float | None


@dataclass(frozen=True, slots=True)
class SeparatingItem:
    """Mean primary score of one item in both of the best two; `difference` = first - second."""

    item_id: str
    slice: str
    question: str
    first: float
    second: float
    difference: float


def effects(
    dimensions: Sequence[Dimension], configurations: Sequence[Configuration], figures: Figures
) -> tuple[Effect, ...]:
    """One for each value of each dimension but its first; dimensions of one value contribute nothing."""
    return tuple(
        _effect(dimension, value.name, configurations, figures)
        for dimension in dimensions
        for value in dimension.values[1:]
    )


def separating(
    first: str, second: str, figures: Figures, items: Sequence[GoldenItem], most: int = MOST_SEPARATING
) -> tuple[SeparatingItem, ...]:
    """Items whose scores differ between the two, the largest difference first."""
    ours, theirs = figures[first].items, figures[second].items
    known = {item.item_id: item for item in items}
    apart = [(item, d) for item, d in paired(ours, theirs).items() if abs(d) > _SAME]
    return tuple(
        SeparatingItem(item, known[item].slice, known[item].question, ours[item], theirs[item], difference)
        for item, difference in sorted(apart, key=lambda one: (-abs(one[1]), one[0]))[:most]
    )


def best_two(figures: Figures, remaining: Sequence[str]) -> tuple[str, str] | None:
    """The two best in quality, those that were not stopped first; None: fewer than two were scored."""
    scored = sorted(
        (name for name, found in figures.items() if found.quality),
        key=lambda name: (name not in remaining, -value_of("quality", figures[name]), name),
    )
    return (scored[0], scored[1]) if len(scored) > 1 else None


def _effect(dimension: Dimension, value: str, configurations: Sequence[Configuration], figures: Figures) -> Effect:
    reference = dimension.values[0].name
    pairs = _pairs(dimension.name, value, reference, configurations, figures)
    by_item: dict[str, list[float]] = {}
    for ours, theirs in pairs:
        for item, difference in paired(ours.items, theirs.items).items():
            by_item.setdefault(item, []).append(difference)
    means = [fsum(own) / len(own) for own in by_item.values()]
    return Effect(
        dimension=dimension.name,
        value=value,
        reference=reference,
        pairs=len(pairs),
        items=len(means),
        quality=difference_figure(means) if means else None,
        latency_ratio=_ratio([(ours.latency_p50_ms, theirs.latency_p50_ms) for ours, theirs in pairs]),
        cost_ratio=_ratio([(ours.cost_per_item_usd, theirs.cost_per_item_usd) for ours, theirs in pairs]),
    )


def _pairs(
    dimension: str, value: str, reference: str, configurations: Sequence[Configuration], figures: Figures
) -> list[tuple[ConfigurationFigures, ConfigurationFigures]]:
    """Scored configurations that are alike in everything but this dimension: (with the value, with the reference)."""

    def rest(values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        return tuple(sorted((name, own) for name, own in values.items() if name != dimension))

    def scored(wanted: str) -> dict[tuple[tuple[str, str], ...], ConfigurationFigures]:
        return {
            rest(c.values): found
            for c in configurations
            if c.values.get(dimension) == wanted and (found := figures.get(c.configuration_id)) and found.items
        }

    theirs = scored(reference)
    return [(found, theirs[alike]) for alike, found in scored(value).items() if alike in theirs]


def _ratio(pairs: Sequence[tuple[Figure | None, Figure | None]]) -> float | None:
    logs = [log(a.value / b.value) for a, b in pairs if a and b and a.value > 0 and b.value > 0]
    return exp(fsum(logs) / len(logs)) if logs else None
