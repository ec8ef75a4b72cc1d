"""Judged scores of all, human scores of a random few -> what people would have said of all, with an interval.

Prediction-powered inference: Angelopoulos, Bates, Fannjiang, Jordan and Zrnic, Science 382 (2023), with the power
tuning of Angelopoulos, Duchi and Zrnic, "PPI++" (2023): the judged mean, corrected by what people say of the few, each
with the weight that makes the sum most exact. A judge that is worth nothing has the weight 0: people stand alone then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import covariance, fmean, variance

from flywheel.domain.interval import Interval, student

# From so few reviews no interval is given.
FEWEST_REVIEWS = 10


@dataclass(frozen=True, slots=True)
class Scored:
    """What was judged and is of a kind: `unseen` by people, or `seen` as (judged, human). `seen` is a random sample.

    Scores of one arm are in [0, 1], differences of two arms in [-1, 1].
    """

    unseen: Sequence[float]
    seen: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class HumanMean:
    """`trust` is the weight that the judge got, in [0, 1]; `variance` is that of the mean."""

    mean: float
    variance: float
    trust: float
    reviewed: int

    def interval(self) -> Interval:
        reach = student(self.reviewed - 1) * sqrt(self.variance)
        return Interval(self.mean, self.mean - reach, self.mean + reach)


def human_mean(scored: Scored) -> HumanMean | None:
    """Estimate the mean human score over all that was judged; None with fewer than `FEWEST_REVIEWS` reviews.

    The textbook interval has next to no width where people and judge agreed on all of a small sample. So two answers
    more are counted into the variance of the correction, one that the judge scored a whole point too high and one a
    whole point too low: from 15 reviews on the interval then covers 95 % and more for judges from faultless to one
    that lets every second failure pass (simulated, see the tests), and no judge is taken for faultless on 15 answers.
    """
    reviewed, unseen = len(scored.seen), list(scored.unseen)
    if reviewed < FEWEST_REVIEWS:
        return None
    judged, human = [j for j, _ in scored.seen], [h for _, h in scored.seen]
    trust = _trust(judged, human, unseen)
    corrections = [h - trust * j for j, h in scored.seen]
    correction = fmean(corrections)
    own = variance([*corrections, correction - 1.0, correction + 1.0]) / (reviewed + 2)
    if trust == 0.0:
        return HumanMean(correction, own, trust, reviewed)
    return HumanMean(
        trust * fmean(unseen) + correction, trust**2 * variance(unseen) / len(unseen) + own, trust, reviewed
    )


def human_mean_difference(candidate: Scored, incumbent: Scored) -> Interval | None:
    """Difference of two arms that were reviewed apart: answers of both arms, not pairs of them.

    Variances are added, which is exact for arms that know nothing of each other and wide for arms that do well on the
    same items. None when one of them has too few reviews.
    """
    ours, theirs = human_mean(candidate), human_mean(incumbent)
    if ours is None or theirs is None:
        return None
    value = ours.mean - theirs.mean
    reach = student(min(ours.reviewed, theirs.reviewed) - 1) * sqrt(ours.variance + theirs.variance)
    return Interval(value, value - reach, value + reach)


def _trust(judged: list[float], human: list[float], unseen: list[float]) -> float:
    """The tuned weight: how far judged scores foretell human ones, less where nearly all was reviewed anyway."""
    spread = variance([*judged, *unseen])
    few = 2
    if len(unseen) < few or spread == 0.0:
        return 0.0
    tuned = covariance(judged, human) / ((1 + len(judged) / len(unseen)) * spread)
    return min(1.0, max(0.0, tuned))
