"""Traces -> annotation queues, each once, whatever is repeated, runs at the same time or is killed half-way.

A queue of Langfuse takes the same trace twice, so a ledger decides: claim the right to queue it, add it, settle. Who
was killed in between leaves a claim that runs out; the next one looks into the queue before it adds. Before
the first is added the queue itself is asked, once for all traces: a ledger may have been lost, or come from a backup.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from flywheel.domain.live_review import LiveReview
from flywheel.errors import ConflictError, FlywheelError, TransientError
from flywheel.ports import Claim, Clock, LiveLedger, ReviewLedger, ReviewQueue

# A claim outlives every attempt to queue its trace: who takes it over is not overtaken by a late attempt.
_CLAIM_BEYOND = timedelta(seconds=60)
_ASIDE_S = 1.0


class Right(Protocol):
    """The right to queue one trace, kept by a ledger."""

    def claim(self, *, now: datetime, until: datetime) -> Claim | None:
        """Take it; None: the trace is queued. `ConflictError`: somebody else has it."""
        ...

    def let_go(self, *, now: datetime) -> None: ...

    def settle(self, *, now: datetime) -> None: ...


@dataclass(frozen=True, slots=True)
class GateRight:
    """Of an answer of a gate."""

    ledger: ReviewLedger
    gate_id: str
    trace_id: str

    def claim(self, *, now: datetime, until: datetime) -> Claim | None:
        return self.ledger.claim(self.gate_id, self.trace_id, now=now, until=until)

    def let_go(self, *, now: datetime) -> None:
        self.ledger.let_go(self.gate_id, self.trace_id, now=now)

    def settle(self, *, now: datetime) -> None:
        self.ledger.settle(self.gate_id, self.trace_id, now=now)


@dataclass(frozen=True, slots=True)
class LiveRight:
    """Of a production trace."""

    ledger: LiveLedger
    review: LiveReview
    queue_id: str

    def claim(self, *, now: datetime, until: datetime) -> Claim | None:
        return self.ledger.claim(self.review, now=now, until=until)

    def let_go(self, *, now: datetime) -> None:
        self.ledger.let_go(self.review.trace_id, now=now)

    def settle(self, *, now: datetime) -> None:
        self.ledger.settle(self.review.trace_id, self.queue_id, now=now)


@dataclass(frozen=True, slots=True)
class Place:
    """A trace and the queue that it belongs into. `since`: the trace did not exist before, so it was not queued."""

    queue_id: str
    trace_id: str
    right: Right
    since: datetime


class Queueing:
    """Queues traces. What fails may be repeated."""

    def __init__(self, queue: ReviewQueue, clock: Clock, sleep: Callable[[float], None]) -> None:
        self._queue = queue
        self._clock = clock
        self._sleep = sleep

    def queue_all(self, places: Sequence[Place], *, end: datetime) -> int:
        """Give how many were queued by this call; the others are queued already.

        Raises:
            TransientError: Langfuse does not answer, time is over, or somebody else queues some of them just now.
        """
        added = 0
        left = list(places)
        standing: dict[str, frozenset[str]] = {}
        while left:
            contested = []
            for place in left:
                queued = self._queued(place, places, standing, end)
                if queued is None:
                    contested.append(place)
                added += bool(queued)
            left = contested
            if not left:
                break
            if self._clock.now() + timedelta(seconds=_ASIDE_S) >= end:
                raise TransientError(f"{len(left)} answers are being queued by somebody else")
            self._sleep(_ASIDE_S)
        return added

    def _queued(
        self, place: Place, places: Sequence[Place], standing: dict[str, frozenset[str]], end: datetime
    ) -> bool | None:
        """Queue one trace: True; False: it is queued already; None: somebody else is at it.

        `standing`: queue -> those of the places' traces that were in it when it was first asked.
        """
        now = self._clock.now()
        try:
            claim = place.right.claim(now=now, until=end + _CLAIM_BEYOND)
        except ConflictError:
            return None
        if claim is None:
            return False
        left_s = max(0.1, (end - now).total_seconds())
        try:
            known = place.trace_id in self._standing(place.queue_id, places, standing, left_s)
            if not known:
                self._queue.add(place.queue_id, place.trace_id, tried_since=claim.tried_since, deadline_s=left_s)
        except FlywheelError:
            place.right.let_go(now=self._clock.now())
            raise
        place.right.settle(now=self._clock.now())
        return not known

    def _standing(
        self, queue_id: str, places: Sequence[Place], standing: dict[str, frozenset[str]], left_s: float
    ) -> frozenset[str]:
        if queue_id not in standing:
            here = [place for place in places if place.queue_id == queue_id]
            since = min(place.since for place in here)
            traces = [place.trace_id for place in here]
            standing[queue_id] = self._queue.holding(queue_id, traces, since=since, deadline_s=left_s)
        return standing[queue_id]
