"""What was drawn on a day, and the time -> how many reviews the next window may take.

The pace is the budget times the share of the UTC day that is over, rounded up: the first window of a day gets at least
one, no day takes more than its budget, and what quiet hours leave over goes to the busy ones after them. A window that
would get nothing is not closed: its traces wait for the next, for none may be without a chance.

An alert may spend a reserve on top. What is drawn while a monitor is alarmed takes from the reserve first, so that the
days' own pace goes on after it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from flywheel.domain.live_review import LiveReview
from flywheel.domain.sampling_settings import SamplingSettings

# Reason of every draw that was made while a monitor was alarmed.
ALERT = "alert"
# So many windows share the reserve, at first equally.
_ALERT_WINDOWS = 4


@dataclass(frozen=True, slots=True)
class DayBudget:
    """`used` of `budget`, and `reserve_used` of `reserve`, which only an alert can spend."""

    budget: int
    used: int
    reserve: int
    reserve_used: int

    @property
    def left(self) -> int:
        return max(0, self.budget - self.used)

    def of_window(self, now: datetime, *, alarmed: bool) -> int:
        """How many traces a window that ends now may take; 0: it cannot be closed yet."""
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        over = (now - midnight) / timedelta(days=1)
        own = max(0, min(self.budget, ceil(self.budget * over)) - self.used)
        return own + (self.of_alert() if alarmed else 0)

    def of_alert(self) -> int:
        """How many traces an alert may add now."""
        return min(self.reserve - self.reserve_used, max(1, ceil(self.reserve / _ALERT_WINDOWS)))


def day_budget(rows: Iterable[LiveReview], settings: SamplingSettings) -> DayBudget:
    """What the ledger says of a day. Traces that were called out cost nothing of it."""
    drawn = [row for row in rows if row.inclusion_probability is not None or row.source == "alert"]
    alarmed = sum(ALERT in row.reasons for row in drawn)
    reserve_used = min(settings.alert_reserve, alarmed)
    return DayBudget(settings.review_budget_per_day, len(drawn) - reserve_used, settings.alert_reserve, reserve_used)
