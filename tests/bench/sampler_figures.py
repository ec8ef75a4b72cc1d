"""Days reviewed by one rule -> its figures, and what of them is held against a limit; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import fmean, stdev

from tests.bench.goals import Bound, within
from tests.bench.review_rules import Reviewed
from tests.bench.traffic import RARE, SILENT

WEEK = 7


@dataclass(frozen=True, slots=True)
class SamplerFigures:
    """`bias`: mean error over its standard error, without sign. `rmse` and `found`: over those of a uniform sample of
    as many, which are known exactly. `width`: mean width of the interval in points. `rare`, `silent`: share of rare bad
    topics of which a failure is seen within a week. `misfit`: how far off what the samples stand for is.
    """

    bias: float
    rmse: float
    coverage: float
    width: float
    found: float
    rare: float
    silent: float
    off_budget: int
    misfit: float


def figures(days: Sequence[Reviewed], budget: int) -> SamplerFigures:
    errors = [day.said.rate - day.truth for day in days]
    spread = stdev(errors) / sqrt(len(days))
    uniform = fmean(_uniform_variance(day.truth, budget, day.population) for day in days)
    return SamplerFigures(
        bias=abs(fmean(errors)) / spread if spread else inf,
        rmse=sqrt(fmean(error**2 for error in errors) / uniform),
        coverage=fmean(day.said.low <= day.truth <= day.said.high for day in days),
        width=100 * fmean(day.said.high - day.said.low for day in days),
        found=sum(day.failures for day in days) / sum(budget * day.truth for day in days),
        rare=_seen_in_a_week(days, RARE),
        silent=_seen_in_a_week(days, SILENT),
        off_budget=sum(day.reviews != budget for day in days),
        misfit=abs(fmean(day.stands_for for day in days) - 1),
    )


def _uniform_variance(rate: float, budget: int, population: int) -> float:
    return rate * (1 - rate) / budget * (population - budget) / (population - 1)


def _seen_in_a_week(days: Sequence[Reviewed], topics: Sequence[str]) -> float:
    weeks = [days[start : start + WEEK] for start in range(0, len(days) - WEEK + 1, WEEK)]
    return fmean(any(topic in day.rare for day in week) for week in weeks for topic in topics) if weeks else 0.0


@dataclass(frozen=True, slots=True)
class SamplerLimit:
    """`figure` names a field of `SamplerFigures`."""

    world: str
    quantity: str
    figure: str
    bound: Bound
    limit: float

    def observed(self, found: SamplerFigures) -> float:
        return float(getattr(found, self.figure))

    def holds(self, found: SamplerFigures) -> bool:
        return within(self.observed(found), self.bound, self.limit)


_COVERAGE = "coverage of the 95 % interval"
_BUDGET = "days whose budget is not met exactly"
LIMITS = (
    SamplerLimit("auc-85", "bias, in standard errors", "bias", "at most", 3),
    SamplerLimit("auc-85", "RMSE over uniform's", "rmse", "at most", 0.9),
    SamplerLimit("auc-85", _COVERAGE, "coverage", "at least", 0.93),
    SamplerLimit("auc-85", "width of the interval, points", "width", "at most", 5.6),
    SamplerLimit("auc-85", "failures found over uniform's", "found", "at least", 4),
    SamplerLimit("auc-85", "rare bad topic seen within 7 days", "rare", "at least", 0.6),
    SamplerLimit("auc-85", "silent one of them seen within 7 days", "silent", "at least", 0.4),
    SamplerLimit("auc-85", _BUDGET, "off_budget", "exactly", 0),
    SamplerLimit("auc-75", "failures found over uniform's", "found", "at least", 3),
    SamplerLimit("auc-75", _COVERAGE, "coverage", "at least", 0.93),
    SamplerLimit("noise", "RMSE over uniform's", "rmse", "at most", 1.4),
    SamplerLimit("noise", _COVERAGE, "coverage", "at least", 0.93),
    SamplerLimit("noise", "width of the interval, points", "width", "at most", 9),
    SamplerLimit("noise", _BUDGET, "off_budget", "exactly", 0),
    SamplerLimit("head-sampled", "what a sample stands for, off by", "misfit", "at most", 0.05),
    SamplerLimit("head-sampled", _COVERAGE, "coverage", "at least", 0.93),
)
