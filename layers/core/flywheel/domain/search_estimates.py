"""Trials that were asked -> each configuration's mean over the dataset, and how scores of an item vary."""

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt

from flywheel.domain.measured import Measured, Trial

# Trials that the neighbours of a mean are worth: the other configurations on the same item, all items.
_PRIOR = 1.0


def item_scores(found: Measured, configuration: str, asked: Iterable[Trial]) -> dict[str, list[float]]:
    """Scores of each item that has any."""
    scores: dict[str, list[float]] = {}
    for trial in asked:
        score = found.score(configuration, trial)
        if score is not None:
            scores.setdefault(trial[0], []).append(score)
    return scores


def estimates(tables: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, float]:
    """Mean over the items of each configuration's item means: every item counts alike, however often it was asked.

    `tables`: configuration -> item -> scores. An item that says nothing of a configuration is filled in with the mean
    of the others, moved by how the configuration does elsewhere (an additive model of two ways). One without any
    score has no estimate.
    """
    means = {name: {item: sum(s) / len(s) for item, s in table.items()} for name, table in tables.items() if table}
    items = {item: None for own in means.values() for item in own}
    typical = {item: _mean([own[item] for own in means.values() if item in own]) for item in items}
    found = {}
    for name, own in means.items():
        ahead = _mean([score - typical[item] for item, score in own.items()])
        found[name] = _mean([own[item] if item in own else typical[item] + ahead for item in items])
    return {name: min(1.0, max(0.0, mean)) for name, mean in found.items()}


def item_variances(
    items: Iterable[str], tables: Mapping[str, Mapping[str, Sequence[float]]]
) -> dict[str, dict[str, float]]:
    """Configuration -> item -> variance of a trial, as far as is known.

    A score in [0, 1] with mean m has variance m (1 - m) at most, and exactly that when it is 0 or 1. The means are
    drawn towards those of the other configurations, and these towards that of all items: one trial says little.
    """
    pooled: dict[str, list[float]] = {item: [] for item in items}
    for table in tables.values():
        for item, scores in table.items():
            pooled[item] += scores
    overall = _mean([score for scores in pooled.values() for score in scores] or [0.5])
    typical = {item: _drawn(scores, overall) for item, scores in pooled.items()}
    found = {}
    for name, table in tables.items():
        means = {item: _drawn(table.get(item, ()), mean) for item, mean in typical.items()}
        found[name] = {item: mean * (1.0 - mean) for item, mean in means.items()}
    return found


def spreads(variances: Mapping[str, Mapping[str, float]], remaining: Sequence[str]) -> dict[str, float]:
    """Standard deviation of a trial of each item, over the configurations that remain."""
    items = variances[remaining[0]]
    return {item: sqrt(_mean([variances[name][item] for name in remaining])) for item in items}


def _drawn(scores: Sequence[float], towards: float) -> float:
    return (sum(scores) + _PRIOR * towards) / (len(scores) + _PRIOR)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
