"""The harvest of reviews: what people said in Langfuse, golden items, redaction, and what a run leaves behind."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from flywheel.domain.exchange import Turn
from flywheel.domain.golden_item import GoldenItem
from flywheel.domain.harvest import StoredCase
from flywheel.domain.live_form import SaidComment, SaidScore
from flywheel.domain.redaction import Found, Redacted
from flywheel.domain.unreadable_items import UnreadableItem


@dataclass(frozen=True, slots=True)
class TraceContent:
    """What was asked in a trace and which tools were called, in their order.

    `question` empty: `unreadable` says why there is none. `turns`: the conversation before it. `context`: what else the
    request said. `output`: what its root gave, as Langfuse keeps it and fills the editor of a correction with; None:
    nothing.
    """

    trace_id: str
    question: str
    tools: tuple[str, ...] = ()
    context: Mapping[str, Any] = field(default_factory=dict)
    output: str | None = None
    root_id: str = ""
    turns: tuple[Turn, ...] = ()
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a right answer passes the item that was made of it; None: the judge could not say, ask again later.

    `message`: why not, without anybody's text. `of_the_text`: what was asked is what the judge failed on.
    """

    passes: bool | None
    message: str = ""
    of_the_text: bool = False


class CaseJudge(Protocol):
    """The judge of the gates, asked once about a new item before it becomes one that must pass."""

    def check(self, item: GoldenItem, answer: str) -> Checked: ...


class LiveReviews(Protocol):
    """What Langfuse has about traces at this moment. Nothing here goes by time: edits move none."""

    def waiting(self, queue_id: str) -> frozenset[str]:
        """Traces of the queue that nobody has finished; none when the queue is gone."""
        ...

    def finished(self, queue_id: str, trace_ids: Collection[str], *, since: datetime) -> frozenset[str]:
        """Those of the traces that have a completed item in the queue, queued at `since` or later."""
        ...

    def scores(self, trace_ids: Collection[str]) -> dict[str, list[SaidScore]]:
        """All scores of the traces as wholes; traces without any are not in it."""
        ...

    def comments(self, trace_id: str) -> list[SaidComment]: ...

    def traces(self, trace_ids: Collection[str], *, around: Sequence[datetime]) -> dict[str, TraceContent]:
        """Contents of the traces that are there. `around`: when they began, about."""
        ...

    def remark(self, trace_id: str, text: str) -> None:
        """Comment on the trace; `NotFoundError` when it is gone."""
        ...


class CaseStore(Protocol):
    """Golden items by id, with their provenance."""

    def find(self, dataset: str, item_id: str) -> StoredCase | None: ...

    def active(self, dataset: str) -> list[GoldenItem]:
        """Every active item that is a golden item; others are left out."""
        ...

    def unreadable(self, dataset: str) -> Sequence[UnreadableItem]:
        """The others: what people put into the dataset and nobody can be asked or scored by."""
        ...

    def write(self, dataset: str, item: GoldenItem, source_trace_id: str) -> None: ...

    def archive(self, dataset: str, item_ids: Sequence[str]) -> None: ...


class NameFinder(Protocol):
    def find(self, texts: Sequence[str]) -> list[list[Found]]:
        """Names of people in each text."""
        ...


class Redactor(Protocol):
    def redact(self, texts: Sequence[str]) -> Redacted:
        """All texts of one item together, so that the same thing has the same placeholder."""
        ...


class Likeness(Protocol):
    def questions(self, question: str, others: Sequence[str]) -> list[float]:
        """How alike the question is to each of the others, in [0, 1]."""
        ...

    def facts(self, one: str, other: str) -> float: ...


@dataclass(frozen=True, slots=True)
class Look:
    """A look at a flagged review that has to stand unchanged. `conflicting`: its conflict is being brought back.

    `tries`: runs in which the judge failed on what the review says.
    """

    review_hash: str
    since: datetime
    conflicting: bool = False
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Growth:
    """New items of the dataset that are to be announced together, item id -> what names this state of it."""

    request_id: str
    items: Mapping[str, str]


class HarvestNotes(Protocol):
    """What runs leave for each other: the right to run, first looks, items that nobody has announced yet."""

    def acquire(self, holder: str, *, now: datetime, until: datetime) -> None:
        """Raise `ConflictError` when another run holds the right at this moment."""
        ...

    def release(self, holder: str) -> None: ...

    def looks(self) -> dict[str, Look]:
        """Every first look that is on record, by trace."""
        ...

    def note_look(self, trace_id: str, look: Look) -> None: ...

    def forget_look(self, trace_id: str) -> None: ...

    def announce(self, item_id: str, state: str) -> None:
        """Put the item on the list of what the next announcement names, before it is written."""
        ...

    def growth(self) -> Growth | None:
        """The announcement under way, or else a new one of what is on the list; None: the list is empty."""
        ...

    def announced(self, growth: Growth) -> None:
        """Take its items off the list."""
        ...
