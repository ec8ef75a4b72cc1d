"""What the harvest needs, in memory: Langfuse's side of reviews, cases, notes. `touched` may raise at any call."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from flywheel.domain.golden import GoldenItem
from flywheel.domain.harvest import StoredCase, growth_id
from flywheel.domain.live_form import CORRECTION, SaidComment, SaidScore
from flywheel.domain.refusal import words
from flywheel.domain.unreadable_items import UnreadableItem
from flywheel.errors import ConflictError, NotFoundError
from flywheel.ports.harvest import Checked, Growth, Look, TraceContent
from tests.fakes.clock import NOON
from tests.fakes.reviews import InMemoryReviewQueue


class ReopeningQueue(InMemoryReviewQueue):
    """A trace that is queued again waits again; that it was finished before stays known, as in Langfuse."""

    def __init__(self) -> None:
        super().__init__()
        self.completed: set[tuple[str, str]] = set()

    def add(self, queue_id: str, trace_id: str, *, tried_since: datetime | None, deadline_s: float = 30.0) -> None:
        self.completed |= {(queue, trace) for queue, trace in self.items if trace in self.finished}
        super().add(queue_id, trace_id, tried_since=tried_since, deadline_s=deadline_s)
        self.finished.discard(trace_id)


@dataclass
class InMemoryLiveReviews:
    """Reads the queue that the reviewers' double fills; a person's acts are the methods at the end."""

    queue: ReopeningQueue
    given: dict[str, list[SaidScore]] = field(default_factory=dict)
    remarks: dict[str, list[SaidComment]] = field(default_factory=dict)
    contents: dict[str, TraceContent] = field(default_factory=dict)
    reads: int = 0

    def waiting(self, queue_id: str) -> frozenset[str]:
        try:
            return self.queue.waiting(queue_id)
        except NotFoundError:
            return frozenset()

    def finished(self, queue_id: str, trace_ids: Collection[str], *, since: datetime) -> frozenset[str]:
        done = {item for item in self.queue.items if item[1] in self.queue.finished} | self.queue.completed
        return frozenset(trace for queue, trace in done if queue == queue_id and trace in trace_ids)

    def scores(self, trace_ids: Collection[str]) -> dict[str, list[SaidScore]]:
        self.reads += 1
        return {trace: list(self.given[trace]) for trace in trace_ids if self.given.get(trace)}

    def comments(self, trace_id: str) -> list[SaidComment]:
        return list(self.remarks.get(trace_id, []))

    def traces(self, trace_ids: Collection[str], *, around: Sequence[datetime]) -> dict[str, TraceContent]:
        return {trace: self.contents[trace] for trace in trace_ids if trace in self.contents}

    def remark(self, trace_id: str, text: str) -> None:
        if trace_id not in self.contents:
            raise NotFoundError(trace_id)
        self.remarks.setdefault(trace_id, []).append(SaidComment("", text, NOON))

    # --- what a person does

    def say(self, trace_id: str, name: str, value: Any, author: str = "anna", **more: Any) -> None:
        kind = more.pop("data_type", "BOOLEAN" if isinstance(value, bool) else "NUMERIC")
        score = SaidScore(name, value, kind, author, **({"at": NOON} | more))
        kept = [s for s in self.given.get(trace_id, []) if (s.name, s.author, s.people) != (name, author, score.people)]
        self.given[trace_id] = [*kept, score]

    def flag(self, trace_id: str, correction: str = "", author: str = "anna", *, correct: bool = False) -> None:
        self.say(trace_id, "correct", correct, author=author)
        self.say(trace_id, "add_to_dataset", value=True, author=author)
        if correction:
            self.say(trace_id, "output", correction, author, data_type=CORRECTION)

    def comment(self, trace_id: str, text: str, author: str = "anna") -> None:
        self.remarks.setdefault(trace_id, []).append(SaidComment(author, text, NOON))


class WordCaseJudge:
    """Finds a fact in an answer that has all of its words. `failure` is what it gives instead while that is set."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.failure: Checked | None = None

    def check(self, item: GoldenItem, answer: str) -> Checked:
        if item.must_refuse:
            return Checked(passes=True)
        self.asked.append((item.item_id, answer))
        if self.failure is not None:
            return self.failure
        had = set(words(answer))
        missing = [fact for fact in item.response_facts if not set(words(fact)) <= had]
        return Checked(not missing, f"the judge does not find {len(missing)} fact(s)" if missing else "")


class InMemoryCases:
    """Datasets in one project: an id belongs to one of them. `versions` counts what was written."""

    def __init__(self, *items: GoldenItem, dataset: str = "golden") -> None:
        self.items: dict[str, StoredCase] = {item.item_id: StoredCase(item) for item in items}
        self.sources: dict[str, str] = {}
        self.versions: list[str] = []
        self.odd: list[UnreadableItem] = []
        self.dataset = dataset

    def find(self, dataset: str, item_id: str) -> StoredCase | None:
        found = self.items.get(item_id)
        return None if found is None else replace(found, elsewhere=dataset != self.dataset)

    def active(self, dataset: str) -> list[GoldenItem]:
        return [case.item for case in self.items.values() if case.item is not None and not case.archived]

    def unreadable(self, dataset: str) -> Sequence[UnreadableItem]:
        return self.odd

    def write(self, dataset: str, item: GoldenItem, source_trace_id: str) -> None:
        self.items[item.item_id] = StoredCase(item)
        self.sources[item.item_id] = source_trace_id
        self.versions.append(item.item_id)

    def archive(self, dataset: str, item_ids: Sequence[str]) -> None:
        for item_id in item_ids:
            self.items[item_id] = replace(self.items[item_id], archived=True)


class InMemoryHarvestNotes:
    def __init__(self) -> None:
        self.holder: tuple[str, datetime] | None = None
        self.seen: dict[str, Look] = {}
        self.listed: dict[str, str] = {}
        self.growing: Growth | None = None

    def acquire(self, holder: str, *, now: datetime, until: datetime) -> None:
        if self.holder is not None and self.holder[0] != holder and self.holder[1] > now:
            raise ConflictError("another run of the harvest is under way")
        self.holder = holder, until

    def release(self, holder: str) -> None:
        if self.holder is not None and self.holder[0] == holder:
            self.holder = None

    def looks(self) -> dict[str, Look]:
        return dict(self.seen)

    def note_look(self, trace_id: str, look: Look) -> None:
        self.seen[trace_id] = look

    def forget_look(self, trace_id: str) -> None:
        self.seen.pop(trace_id, None)

    def announce(self, item_id: str, state: str) -> None:
        self.listed[item_id] = state

    def growth(self) -> Growth | None:
        if self.growing is None and self.listed:
            self.growing = Growth(growth_id(self.listed), dict(self.listed))
        return self.growing

    def announced(self, growth: Growth) -> None:
        for item_id, state in growth.items.items():
            if self.listed.get(item_id) == state:
                del self.listed[item_id]
        if self.growing is not None and self.growing.request_id == growth.request_id:
            self.growing = None


class Killed(BaseException):
    """The process is gone: nothing catches this."""


class Fuse:
    """Lets `calls` calls of whatever it guards happen, and then none."""

    def __init__(self, calls: int | None = None, error: Callable[[], BaseException] = Killed) -> None:
        self.left = calls
        self.used = 0
        self._error = error

    def guard[T](self, part: T) -> T:
        fuse = self

        class Guarded:
            def __getattr__(self, name: str) -> Any:
                wrapped = getattr(part, name)
                if not callable(wrapped):
                    return wrapped

                def call(*args: Any, **kwargs: Any) -> Any:
                    fuse.burn()
                    given = wrapped(*args, **kwargs)
                    # Killed after it was done, before anybody knew.
                    fuse.burn()
                    return given

                return call

        return Guarded()  # type: ignore[return-value]

    def burn(self) -> None:
        self.used += 1
        if self.left is not None:
            if self.left == 0:
                raise self._error()
            self.left -= 1
