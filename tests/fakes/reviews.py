"""Annotation queue and its ledger in memory."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from threading import Lock

from flywheel.domain.review_form import GATE_FORM, FormScore
from flywheel.errors import ConflictError, InvalidRequestError, NotFoundError
from flywheel.ports import Claim, HumanScore, Queue
from tests.fakes.clock import NOON


class InMemoryReviewQueue:
    """Takes a trace as often as it is queued, as Langfuse does. `before_add` and `after_add` may raise."""

    def __init__(self) -> None:
        self.queues: dict[str, Queue] = {}
        self.asks: dict[str, set[str]] = {}
        self.items: list[tuple[str, str]] = []
        self.finished: set[str] = set()
        self.looks = 0
        self.said: dict[str, HumanScore] = {}
        self.before_add: Callable[[str], None] = lambda _: None
        self.after_add: Callable[[str], None] = lambda _: None

    def ensure(self, name: str, form: Sequence[FormScore] = GATE_FORM, *, deadline_s: float = 30.0) -> Queue:
        asked = self.asks.setdefault(name, {score.name for score in form})
        if missing := {score.name for score in form if score.required} - asked:
            raise InvalidRequestError(f"the annotation queue {name!r} does not ask for {sorted(missing)}")
        number = len(self.queues) + 1
        return self.queues.setdefault(
            name, Queue(f"queue-{number}", name, f"https://langfuse.test/project/p/annotation-queues/queue-{number}")
        )

    def find(self, name: str, *, deadline_s: float = 30.0) -> Queue | None:
        return self.queues.get(name)

    def add(self, queue_id: str, trace_id: str, *, tried_since: datetime | None, deadline_s: float = 30.0) -> None:
        self._required(queue_id)
        if tried_since is not None and (queue_id, trace_id) in self.items:
            return
        self.before_add(trace_id)
        self.items.append((queue_id, trace_id))
        self.after_add(trace_id)

    def holding(
        self, queue_id: str, trace_ids: Collection[str], *, since: datetime, deadline_s: float = 30.0
    ) -> frozenset[str]:
        self._required(queue_id)
        self.looks += 1
        return frozenset(trace for trace in trace_ids if (queue_id, trace) in self.items)

    def waiting(self, queue_id: str) -> frozenset[str]:
        self._required(queue_id)
        return frozenset(trace for queue, trace in self.items if queue == queue_id and trace not in self.finished)

    def scores(self, trace_ids: Collection[str]) -> dict[str, HumanScore]:
        return {trace: self.said[trace] for trace in trace_ids if trace in self.said}

    def _required(self, queue_id: str) -> None:
        if queue_id not in {queue.queue_id for queue in self.queues.values()}:
            raise NotFoundError(f"no annotation queue {queue_id}")

    # --- what a person does

    def review(self, trace_id: str, value: float, comment: str = "") -> None:
        self.said[trace_id] = HumanScore(trace_id, value, "person-1", NOON, comment)

    def finish(self, trace_id: str) -> None:
        self.finished.add(trace_id)


class InMemoryReviewLedger:
    def __init__(self) -> None:
        self.queued: dict[tuple[str, str], datetime] = {}
        self.claimed_until: dict[tuple[str, str], datetime] = {}
        self.tried_since: dict[tuple[str, str], datetime] = {}
        self._lock = Lock()

    def claim(self, gate_id: str, trace_id: str, *, now: datetime, until: datetime) -> Claim | None:
        key = gate_id, trace_id
        with self._lock:
            if key in self.queued:
                return None
            if key in self.claimed_until and self.claimed_until[key] > now:
                raise ConflictError(f"{trace_id} is being queued by somebody else")
            self.claimed_until[key] = until
            before = self.tried_since.get(key)
            self.tried_since.setdefault(key, now)
            return Claim(before)

    def let_go(self, gate_id: str, trace_id: str, *, now: datetime) -> None:
        if (gate_id, trace_id) in self.claimed_until and (gate_id, trace_id) not in self.queued:
            self.claimed_until[gate_id, trace_id] = now

    def settle(self, gate_id: str, trace_id: str, *, now: datetime) -> None:
        if (gate_id, trace_id) in self.claimed_until:
            self.queued.setdefault((gate_id, trace_id), now)
