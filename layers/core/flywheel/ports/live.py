"""Live reviews: the ledger of production traces that people were asked about."""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from flywheel.domain.live_review import Harvest, LiveReview
from flywheel.ports.reviews import Claim


class LiveLedger(Protocol):
    """Which production traces were queued, and what became of them: each is queued once, whoever asks."""

    def claim(self, review: LiveReview, *, now: datetime, until: datetime) -> Claim | None:
        """Take the right to queue this trace until then; None: it is queued already.

        A draw (a review with an inclusion probability) is put on record even for a trace that was called out before,
        and nothing takes it back: who leaves it out would estimate from the others only.

        Raises:
            ConflictError: somebody else has that right at this moment.
        """
        ...

    def let_go(self, trace_id: str, *, now: datetime) -> None:
        """Give the right back: queueing it failed, or its end is not known."""
        ...

    def settle(self, trace_id: str, queue_id: str, *, now: datetime) -> None:
        """Put on record that it waits in this queue."""
        ...

    def get(self, trace_id: str) -> LiveReview | None: ...

    def of_day(self, day: str) -> list[LiveReview]:
        """Every row of that UTC day, queued or claimed."""
        ...

    def open(self) -> Iterator[LiveReview]:
        """Every queued row that is not closed: never harvested, or still watched for later edits; page by page."""
        ...

    def note_harvest(self, trace_id: str, harvest: Harvest, *, seen: Harvest | None) -> None:
        """Write what a look at the review found, in place of what was `seen` before.

        Raises:
            ConflictError: somebody else has written since.
        """
        ...
