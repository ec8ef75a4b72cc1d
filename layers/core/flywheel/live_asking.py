"""A draw -> its traces wait in annotation queues, their probability is a score, and it is announced; each once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flywheel.domain.live_review import LiveReview
from flywheel.domain.review_form import LIVE_FORM, SAMPLED_SCORE
from flywheel.errors import TransientError
from flywheel.evaluation.ports import Score, ScoreSink
from flywheel.live_draws import Draw, DrawnTrace
from flywheel.ports import Clock, EventBus, LiveLedger, Once, ReviewQueue
from flywheel.queueing import LiveRight, Place, Queueing


@dataclass(frozen=True, slots=True)
class Asking:
    """Carries a draw out. Every step may be repeated: what was done is not done again."""

    queue: ReviewQueue
    ledger: LiveLedger
    scores: ScoreSink
    bus: EventBus
    once: Once
    clock: Clock
    sleep: Callable[[float], None]
    environment: str

    def ask(self, draw: Draw, *, end: datetime, budget_used: int) -> int:
        """Give how many traces were queued by this call.

        Raises:
            TransientError: it could not be finished in time; what was done stays done.
        """
        if not draw.drawn:
            return 0
        queues = {
            name: self.queue.ensure(name, LIVE_FORM, deadline_s=self._left_s(end)).queue_id
            for name in sorted({one.queue_name for one in draw.drawn})
        }
        places = [
            Place(
                queues[one.queue_name],
                one.trace_id,
                LiveRight(self.ledger, _review(draw, one), queues[one.queue_name]),
                one.trace_at,
            )
            for one in draw.drawn
        ]
        queued = Queueing(self.queue, self.clock, self.sleep).queue_all(places, end=end)
        posted = self.scores.post([self._score(draw, one) for one in draw.drawn], deadline_s=self._left_s(end))
        if posted.refused:
            raise TransientError(f"Langfuse refused {len(posted.refused)} scores of draw {draw.run_id}")
        self.once.run(f"{draw.run_id}/sampled", lambda: self._announce(draw, budget_used))
        return queued

    def _score(self, draw: Draw, one: DrawnTrace) -> Score:
        """0 says that it was not drawn by chance: a person called it out."""
        return Score(
            score_id=f"{SAMPLED_SCORE}-{one.trace_id}",
            name=SAMPLED_SCORE,
            value=one.inclusion_probability or 0.0,
            trace_id=one.trace_id,
            metadata={
                "source": draw.source,
                "stratum": one.stratum,
                "reasons": list(one.reasons),
                "risk": round(one.risk, 6),
                "run": draw.run_id,
            },
            environment=self.environment,
        )

    def _announce(self, draw: Draw, budget_used: int) -> None:
        detail: dict[str, Any] = {
            "version": 1,
            "run_id": draw.run_id,
            "from": draw.since.isoformat(),
            "to": draw.until.isoformat(),
            "seen": draw.seen,
            "eligible": draw.eligible,
            "queued": len(draw.drawn),
            "budget": draw.budget,
            "budget_used": budget_used,
            "source": draw.source,
        }
        self.bus.publish("TracesSampled", detail)

    def _left_s(self, end: datetime) -> float:
        left_s = (end - self.clock.now()).total_seconds()
        if left_s <= 0:
            raise TransientError("there was no time left to queue what was drawn; the next run goes on")
        return left_s


def _review(draw: Draw, one: DrawnTrace) -> LiveReview:
    """The row of the ledger. Only what the schedule draws enters an estimate: an alert looks at a window that has its
    draw already, or will have it.
    """
    return LiveReview(
        trace_id=one.trace_id,
        source=draw.source,
        day=draw.day,
        trace_at=one.trace_at,
        queue_name=one.queue_name,
        inclusion_probability=one.inclusion_probability if draw.source == "sampled" else None,
        risk=one.risk,
        stratum=one.stratum,
        reasons=one.reasons,
    )
