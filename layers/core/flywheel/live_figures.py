"""The ledger of live reviews -> figures: what waits, why it was drawn, how often production is wrong."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from flywheel.domain.live_review import LiveReview
from flywheel.domain.review_budget import DayBudget, day_budget
from flywheel.domain.sample_estimate import MOST_DAYS, Day, Estimate, estimate, pool
from flywheel.domain.sampling_settings import SamplingSettings
from flywheel.ports import Clock, DayTotals, LiveLedger, SamplingStore


@dataclass(frozen=True, slots=True)
class FailureRate:
    """How often production is wrong, with its 95 % interval. None: nobody has judged anything that was drawn.

    `enough`: there were as many reviews as the settings ask for; else it is of all there are, and the interval says how
    little that is. Missing reviews count as missing by chance: when people leave out what is hard to judge, so does it.
    """

    estimate: Estimate | None
    reviews: int
    days: int
    enough: bool


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """`reasons`: share of today's reviews that have each reason. `watermark_lag_s` None: nothing was looked at yet."""

    budget: DayBudget
    reasons: Mapping[str, float]
    waiting: int
    oldest_waiting_h: float
    failure_rate: FailureRate
    watermark_lag_s: float | None


def figures(
    settings: SamplingSettings, *, ledger: LiveLedger, store: SamplingStore, clock: Clock, days: int = MOST_DAYS
) -> LiveFigures:
    """What is on record now."""
    now = clock.now()
    rows = {day: ledger.of_day(day) for day in _days(now, days)}
    today = rows[f"{now:%Y-%m-%d}"]
    waiting = [row for row in ledger.open() if row.harvest is None]
    oldest = min((row.queued_at for row in waiting if row.queued_at is not None), default=now)
    watermark = store.look().watermark
    return LiveFigures(
        budget=day_budget(today, settings),
        reasons=reason_shares(today),
        waiting=len(waiting),
        oldest_waiting_h=(now - oldest) / timedelta(hours=1),
        failure_rate=failure_rate(rows, store.totals(list(rows)), settings.enough_reviews),
        watermark_lag_s=None if watermark is None else (now - watermark).total_seconds(),
    )


def reason_shares(rows: Iterable[LiveReview]) -> dict[str, float]:
    """Of the queued ones; one review may have several reasons, so the shares do not add up to 1."""
    queued = [row for row in rows if row.queued_at is not None]
    counts = Counter(reason for row in queued for reason in set(row.reasons))
    return {reason: count / len(queued) for reason, count in sorted(counts.items())}


def failure_rate(rows: Mapping[str, Iterable[LiveReview]], totals: Mapping[str, DayTotals], enough: int) -> FailureRate:
    """Over the latest days that have enough reviews, or over all of them. Only reviews that were drawn count."""
    days = [
        Day(reviews, population)
        for day in sorted(rows)
        if (reviews := _judged(rows[day])) and (population := totals.get(day, DayTotals()).eligible) >= len(reviews)
    ]
    if not days:
        return FailureRate(None, 0, 0, enough=False)
    pooled = pool(days, enough)
    if pooled.estimate is not None:
        return FailureRate(pooled.estimate, pooled.reviews, pooled.days, enough=True)
    every = [review for day in days for review in day.reviews]
    whole = estimate(every, sum(day.population for day in days))
    return FailureRate(whole, len(every), len(days), enough=False)


def _judged(rows: Iterable[LiveReview]) -> list[tuple[float, bool]]:
    return [
        (row.inclusion_probability, row.harvest.failed)
        for row in rows
        if row.inclusion_probability is not None and row.harvest is not None and row.harvest.failed is not None
    ]


def _days(now: datetime, count: int) -> list[str]:
    return [f"{now - timedelta(days=back):%Y-%m-%d}" for back in range(count)]
