"""What is read of a production trace: its head, and of a few what was asked, answered and scored."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flywheel.domain.own_traffic import is_own
from flywheel.domain.synthetic import SYNTHETIC_TAG


@dataclass(frozen=True, slots=True)
class Window:
    """Times from `since` on, before `until`."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class TraceHead:
    """The root observation of a trace, without its input and output. `latency_s` None: it has not ended."""

    trace_id: str
    at: datetime
    name: str = ""
    level: str = "DEFAULT"
    latency_s: float | None = None
    tags: tuple[str, ...] = ()
    environment: str = ""
    user_id: str = ""
    session_id: str = ""

    @property
    def own(self) -> bool:
        """Whether flywheel caused it itself, so that it is no traffic."""
        return is_own(
            environment=self.environment,
            tags=self.tags,
            session_id=self.session_id,
            user_id=self.user_id,
            name=self.name,
        )

    @property
    def synthetic(self) -> bool:
        return SYNTHETIC_TAG in self.tags


@dataclass(frozen=True, slots=True)
class TraceTexts:
    """What the root observation got and gave, as plain text.

    `unreadable`: why no golden item could come of it, whatever a reviewer says; empty when one could.
    """

    question: str
    answer: str
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class TraceScore:
    """A number that somebody or something gave to a trace or one of its observations; a yes is 1, a no is 0."""

    name: str
    value: float


def once(heads: Iterable[TraceHead]) -> dict[str, TraceHead]:
    """Each trace once. Of a span that was sent twice the worse version counts: an error, else the longer one."""
    kept: dict[str, TraceHead] = {}
    for head in heads:
        other = kept.setdefault(head.trace_id, head)
        if other is not head and _badness(head) > _badness(other):
            kept[head.trace_id] = head
    return kept


def _badness(head: TraceHead) -> tuple[bool, float, datetime]:
    return head.level == "ERROR", head.latency_s or 0.0, head.at
