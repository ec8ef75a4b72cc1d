"""Production traces and the state of their sampling in memory, and what every such state must do."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock

import pytest

from flywheel.domain.live_trace import TraceHead, TraceScore, TraceTexts, Window
from flywheel.errors import ConflictError
from flywheel.ports import Alert, Closed, DayTotals, Progress, SamplingStore
from tests.fakes.clock import NOON

EARLIER, LATER = NOON - timedelta(hours=1), NOON + timedelta(minutes=2)


class InMemoryTraces:
    """`traces` are there from their `visible` time on. `before` may raise; it is told what is asked for."""

    def __init__(self, now: Callable[[], datetime], page: int = 1000) -> None:
        self.traces: list[tuple[TraceHead, datetime]] = []
        self.said: dict[str, TraceTexts] = {}
        self.given: dict[str, tuple[TraceScore, ...]] = {}
        self.tool_errors: set[str] = set()
        self.sessions: dict[str, list[str]] = {}
        self.asked: Counter[str] = Counter()
        self.before: Callable[[str], None] = lambda _: None
        self._now = now
        self._page = page

    def add(self, head: TraceHead, *, visible: datetime | None = None) -> None:
        self.traces.append((head, visible or head.at))

    def _ask(self, what: str) -> None:
        self.asked[what] += 1
        self.before(what)

    def _there(self, window: Window) -> list[TraceHead]:
        found = [head for head, seen in self.traces if window.since <= head.at < window.until and seen <= self._now()]
        return sorted(found, key=lambda head: (head.at, head.trace_id), reverse=True)

    def heads(self, window: Window) -> Iterator[Sequence[TraceHead]]:
        found = self._there(window)
        for start in range(0, max(1, len(found)), self._page):
            self._ask("heads")
            yield found[start : start + self._page]

    def failing(self, window: Window) -> frozenset[str]:
        self._ask("failing")
        return frozenset(self.tool_errors & {head.trace_id for head in self._there(window)})

    def texts(self, heads: Sequence[TraceHead]) -> dict[str, TraceTexts]:
        self._ask("texts")
        return {head.trace_id: self.said[head.trace_id] for head in heads if head.trace_id in self.said}

    def scores(self, trace_ids: Sequence[str]) -> dict[str, tuple[TraceScore, ...]]:
        self._ask("scores")
        return {trace: self.given[trace] for trace in trace_ids if trace in self.given}

    def named(self, trace_ids: Sequence[str], session_ids: Sequence[str]) -> list[TraceHead]:
        self._ask("named")
        wanted = {*trace_ids, *(trace for session in session_ids for trace in self.sessions.get(session, ()))}
        return [head for head, _ in self.traces if head.trace_id in wanted]


class InMemorySampling:
    def __init__(self) -> None:
        self.progress = Progress()
        self.holder: str | None = None
        self.held_until = datetime.min.replace(tzinfo=NOON.tzinfo)
        self.days: dict[str, DayTotals] = {}
        self.said: dict[str, Alert] = {}
        self._lock = Lock()

    def begin(self, holder: str, *, now: datetime, until: datetime) -> Progress:
        with self._lock:
            if self.holder not in (None, holder) and self.held_until > now:
                raise ConflictError("another run is sampling just now")
            self.holder, self.held_until = holder, until
            return self.progress

    def look(self) -> Progress:
        return self.progress

    def note_window(self, holder: str, window: Window) -> None:
        self._held(holder)
        self.progress = replace(self.progress, watermark=self.progress.watermark or window.since, until=window.until)

    def narrow(self, holder: str, longest_s: int) -> None:
        self._held(holder)
        self.progress = replace(self.progress, until=None, longest_s=longest_s)

    def close(self, holder: str, closed: Closed) -> None:
        self._held(holder)
        self.progress = Progress(closed.until, None, closed.seen_key, closed.longest_s)
        before = self.days.get(closed.day, DayTotals())
        self.days[closed.day] = DayTotals(
            before.seen + closed.seen, before.eligible + closed.eligible, before.queued + closed.queued
        )

    def let_go(self, holder: str) -> None:
        if self.holder == holder:
            self.holder = None

    def totals(self, days: Sequence[str]) -> Mapping[str, DayTotals]:
        return {day: self.days[day] for day in days if day in self.days}

    def note_alert(self, alert: Alert) -> bool:
        standing = self.said.get(alert.monitor_id)
        if standing is not None and standing.at > alert.at:
            return False
        self.said[alert.monitor_id] = alert
        return True

    def alerts(self) -> list[Alert]:
        return list(self.said.values())

    def _held(self, holder: str) -> None:
        if self.holder != holder:
            raise ConflictError("the right to sample was lost to another run")


CLOSED = Closed(NOON, "sampling/seen/1.bin", "2026-11-23", seen=5, eligible=4, queued=2)


class SamplingStoreContract:
    """`store`: an empty one."""

    def test_one_run_at_a_time_and_the_same_one_again(self, store: SamplingStore) -> None:
        assert store.begin("a", now=NOON, until=LATER) == Progress()
        assert store.begin("a", now=NOON, until=LATER) == Progress()
        with pytest.raises(ConflictError):
            store.begin("b", now=NOON, until=LATER)
        store.let_go("b")
        store.let_go("a")
        assert store.begin("b", now=NOON, until=LATER) == Progress()
        assert store.begin("c", now=LATER, until=LATER + timedelta(minutes=2)) == Progress()

    def test_of_many_at_once_one_begins(self, store: SamplingStore) -> None:
        def begins(number: int) -> bool:
            try:
                store.begin(f"run-{number}", now=NOON, until=LATER)
            except ConflictError:
                return False
            return True

        with ThreadPoolExecutor(6) as pool:
            assert sum(pool.map(begins, range(6))) == 1

    def test_a_window_is_begun_given_up_and_closed(self, store: SamplingStore) -> None:
        store.begin("a", now=NOON, until=LATER)
        store.note_window("a", Window(EARLIER, NOON))
        assert store.look() == Progress(EARLIER, NOON)
        store.narrow("a", 120)
        assert store.look() == Progress(EARLIER, longest_s=120)
        store.note_window("a", Window(NOON, LATER))
        assert store.look() == Progress(EARLIER, LATER, longest_s=120)
        store.close("a", replace(CLOSED, longest_s=240))
        assert store.look() == Progress(NOON, None, CLOSED.seen_key, 240)
        store.close("a", replace(CLOSED, until=LATER))
        assert store.look() == Progress(LATER, None, CLOSED.seen_key)
        assert store.totals(["2026-11-22", "2026-11-23"]) == {"2026-11-23": DayTotals(10, 8, 4)}
        assert store.totals([]) == {}

    def test_who_lost_the_right_changes_nothing(self, store: SamplingStore) -> None:
        store.begin("a", now=NOON, until=LATER)
        store.begin("b", now=LATER, until=LATER + timedelta(minutes=2))
        with pytest.raises(ConflictError):
            store.note_window("a", Window(EARLIER, NOON))
        with pytest.raises(ConflictError):
            store.narrow("a", 60)
        with pytest.raises(ConflictError):
            store.close("a", CLOSED)
        store.let_go("a")
        assert store.begin("b", now=LATER, until=LATER) == Progress()
        assert store.totals(["2026-11-23"]) == {}

    def test_of_a_monitor_the_newest_word_counts_in_whatever_order_it_arrives(self, store: SamplingStore) -> None:
        alarmed = Alert("m-1", NOON, active=True, until=LATER)
        ended = Alert("m-1", LATER, active=False, until=LATER)
        assert store.note_alert(ended)
        assert not store.note_alert(alarmed)
        assert store.note_alert(replace(alarmed, monitor_id="m-2"))
        assert store.note_alert(replace(alarmed, monitor_id="m-2"))
        assert sorted(store.alerts(), key=lambda alert: alert.monitor_id) == [
            ended,
            replace(alarmed, monitor_id="m-2"),
        ]
