"""Stored scores of an arm that is not asked again: item -> mean, and how little is known of it."""

from collections.abc import Mapping, Sequence
from math import fsum, sqrt

# One-sided 95 %: so much of the standard error is taken off the margin.
_QUANTILE = 1.645


class History:
    """Scores of past trials, item by item.

    `pad` widens a margin by what the history does not know: 1.645 standard errors of the mean over the given items,
    the spread of trials around their item's mean being pooled over all items. Where every item has one trial only, the
    spread of a pass/fail score with the overall mean is taken, which is never less.

    Raises:
        ValueError: a score is outside [0, 1].
    """

    def __init__(self, scores: Mapping[str, Sequence[float]]) -> None:
        self.scores = {item: [_checked(item, s) for s in trials] for item, trials in scores.items() if trials}
        self.means = {item: fsum(trials) / len(trials) for item, trials in self.scores.items()}
        self.spread = self._spread()

    def pad(self, items: Sequence[str]) -> float:
        """Points by which the mean over these items may be wrong; items without history are left out."""
        known = [item for item in items if item in self.scores]
        if not known:
            return 0.0
        return _QUANTILE * sqrt(fsum(self.spread / len(self.scores[item]) for item in known)) / len(known)

    @property
    def trials(self) -> float:
        """Mean number of trials an item."""
        return fsum(map(len, self.scores.values())) / len(self.scores) if self.scores else 0.0

    def _spread(self) -> float:
        freedom = sum(len(trials) - 1 for trials in self.scores.values())
        if freedom:
            squares = (fsum((s - self.means[item]) ** 2 for s in trials) for item, trials in self.scores.items())
            return fsum(squares) / freedom
        if not self.means:
            return 0.0
        overall = fsum(self.means.values()) / len(self.means)
        return overall * (1.0 - overall)


def _checked(item: str, score: float) -> float:
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0.0 <= score <= 1.0:
        raise ValueError(f"the history of item {item!r} has the score {score!r}; expected a number in [0, 1]")
    return float(score)
