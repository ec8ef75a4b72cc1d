"""People's judgement: the queue in which answers wait for them, what they said, and who was asked about what."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from flywheel.domain.review_form import GATE_FORM, FormScore


@dataclass(frozen=True, slots=True)
class Queue:
    """An annotation queue of Langfuse; `url` is its page for reviewers."""

    queue_id: str
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class HumanScore:
    """What a person says of one answer, in [0, 1]. `reviewer` is whom Langfuse names; empty: it names nobody.

    `at` is when the score was first given: Langfuse does not tell when it was edited.
    """

    trace_id: str
    value: float
    reviewer: str
    at: datetime
    comment: str = ""


class ReviewQueue(Protocol):
    """Annotation queues. They take the same trace twice: `ReviewLedger` decides who queues it."""

    def ensure(self, name: str, form: Sequence[FormScore] = GATE_FORM, *, deadline_s: float = 30.0) -> Queue:
        """Find the queue by its name, or create it with what reviewers are asked: the scores of `form`.

        A queue that is there must ask for the required ones.

        Raises:
            InvalidRequestError: there is such a queue and it asks something else, or no further one may be created.
        """
        ...

    def find(self, name: str, *, deadline_s: float = 30.0) -> Queue | None:
        """The queue of that name; None: there is none, and none is made."""
        ...

    def add(self, queue_id: str, trace_id: str, *, tried_since: datetime | None, deadline_s: float = 30.0) -> None:
        """Queue the trace. `tried_since`: since then somebody may have done it, and what came of it is not known.

        Raises:
            NotFoundError: there is no such queue any more.
        """
        ...

    def holding(
        self, queue_id: str, trace_ids: Collection[str], *, since: datetime, deadline_s: float = 30.0
    ) -> frozenset[str]:
        """Those of the traces that are in the queue, finished or not, by its items that were made since then.

        A trace is queued after it began: who gives the earliest begin misses nothing. At most the newest 5,000 items
        are looked at.

        Raises:
            NotFoundError: there is no such queue any more.
        """
        ...

    def waiting(self, queue_id: str) -> frozenset[str]:
        """Traces of the queue that nobody has finished; `NotFoundError` when there is no such queue any more."""
        ...

    def scores(self, trace_ids: Collection[str]) -> dict[str, HumanScore]:
        """What people say of these traces now, the newest score of each; traces that nobody judged are not in it."""
        ...


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to queue a trace. `tried_since`: an attempt began then whose end is not known; None: there was none."""

    tried_since: datetime | None = None


class ReviewLedger(Protocol):
    """Which traces people were asked about: each is queued once, whoever asks and however often."""

    def claim(self, gate_id: str, trace_id: str, *, now: datetime, until: datetime) -> Claim | None:
        """Take the right to queue the trace until then; None: it is queued.

        Raises:
            ConflictError: somebody else has that right at this moment.
        """
        ...

    def let_go(self, gate_id: str, trace_id: str, *, now: datetime) -> None:
        """Give the right back: queueing it failed, or its end is not known."""
        ...

    def settle(self, gate_id: str, trace_id: str, *, now: datetime) -> None:
        """Put on record that it is queued, for ever."""
        ...
