"""Live sampling: where production traces are read, and how far that has come."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from flywheel.domain.live_trace import TraceHead, TraceScore, TraceTexts, Window


class TraceSource(Protocol):
    """Production traces of one environment. Nothing is asked for twice, texts and scores of a few only."""

    def heads(self, window: Window) -> Iterator[Sequence[TraceHead]]:
        """Heads of the traces that began in the window, page by page; one that was sent twice may come twice."""
        ...

    def failing(self, window: Window) -> frozenset[str]:
        """Traces with an observation of level ERROR that began in the window, the root itself left out."""
        ...

    def texts(self, heads: Sequence[TraceHead]) -> dict[str, TraceTexts]:
        """Question and answer of these traces; one that is gone is left out."""
        ...

    def scores(self, trace_ids: Sequence[str]) -> dict[str, tuple[TraceScore, ...]]:
        """Scores of these traces and their observations; traces without one are left out."""
        ...

    def named(self, trace_ids: Sequence[str], session_ids: Sequence[str]) -> list[TraceHead]:
        """Heads of these traces, and of the newest traces of these sessions; what is not there is left out."""
        ...


class AnswerJudge(Protocol):
    """A model that says of an answer, without a reference, whether it is of use to who asked."""

    def low(self, texts: Mapping[str, TraceTexts], *, deadline_s: float) -> frozenset[str]:
        """Ids of the traces whose answers are of no use; one without a verdict is left out. Never raises, and takes no
        longer than that.
        """
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far sampling has come.

    Attributes:
        watermark: everything that began before was looked at, once at least; None: nothing was.
        until: end of a window that was begun and is not closed.
        seen_key: object with the traces that later windows see again.
        longest_s: a window may be no longer, because a longer one was not read in time; None: no limit.
    """

    watermark: datetime | None = None
    until: datetime | None = None
    seen_key: str | None = None
    longest_s: int | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """A window of which nothing is left to do, and what it adds to its day.

    `longest_s`: as of `Progress`, from now on.
    """

    until: datetime
    seen_key: str
    day: str
    seen: int
    eligible: int
    queued: int
    longest_s: int | None = None


@dataclass(frozen=True, slots=True)
class DayTotals:
    """What the windows of one UTC day had: traces seen, those that could be drawn, those that were."""

    seen: int = 0
    eligible: int = 0
    queued: int = 0


@dataclass(frozen=True, slots=True)
class Alert:
    """What a monitor said last; `until`: it counts no longer than that, whether or not anybody ends it."""

    monitor_id: str
    at: datetime
    active: bool
    until: datetime


class SamplingStore(Protocol):
    """How far sampling has come, who is at it, and which monitors are alarmed."""

    def begin(self, holder: str, *, now: datetime, until: datetime) -> Progress:
        """Take the right to sample until then.

        Raises:
            ConflictError: somebody else has it.
        """
        ...

    def look(self) -> Progress: ...

    def note_window(self, holder: str, window: Window) -> None:
        """This window was begun; the first one ever sets the watermark. `ConflictError`: the right was lost."""
        ...

    def narrow(self, holder: str, longest_s: int) -> None:
        """Give the window up: it was too long. `ConflictError`: the right was lost."""
        ...

    def close(self, holder: str, closed: Closed) -> None:
        """Move the watermark and add to the day, both or neither; `ConflictError`: the right was lost."""
        ...

    def let_go(self, holder: str) -> None: ...

    def totals(self, days: Sequence[str]) -> Mapping[str, DayTotals]:
        """Of at most 100 days; a day without windows is left out."""
        ...

    def note_alert(self, alert: Alert) -> bool:
        """Put on record what a monitor says; False: it has said something newer."""
        ...

    def alerts(self) -> list[Alert]:
        """The last word of each monitor."""
        ...
