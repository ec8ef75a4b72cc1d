"""The ledger of live reviews in memory, and what every such ledger must do."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock
from uuid import uuid4

import pytest

from flywheel.domain.live_review import Harvest, LiveReview
from flywheel.errors import ConflictError
from flywheel.ports import Claim, LiveLedger
from tests.fakes.clock import NOON

LATER = NOON + timedelta(minutes=2)


class InMemoryLiveLedger:
    def __init__(self) -> None:
        self.rows: dict[str, LiveReview] = {}
        self.claimed_until: dict[str, datetime] = {}
        self.tried_since: dict[str, datetime] = {}
        self._lock = Lock()

    def claim(self, review: LiveReview, *, now: datetime, until: datetime) -> Claim | None:
        trace = review.trace_id
        with self._lock:
            standing = self.rows.get(trace)
            if standing is not None and standing.queued_at is not None:
                if standing.inclusion_probability is None and review.inclusion_probability is not None:
                    self.rows[trace] = replace(
                        standing,
                        day=review.day,
                        inclusion_probability=review.inclusion_probability,
                        risk=review.risk,
                        stratum=review.stratum,
                        reasons=review.reasons,
                    )
                return None
            if trace in self.claimed_until and self.claimed_until[trace] > now:
                raise ConflictError(f"{trace} is being queued by somebody else")
            if standing is None or standing.inclusion_probability is None or review.inclusion_probability is not None:
                self.rows[trace] = replace(review, queue_id=None, queued_at=None, harvest=None)
            self.claimed_until[trace] = until
            before = self.tried_since.get(trace)
            self.tried_since.setdefault(trace, now)
            return Claim(before)

    def let_go(self, trace_id: str, *, now: datetime) -> None:
        if trace_id in self.rows and self.rows[trace_id].queued_at is None:
            self.claimed_until[trace_id] = now

    def settle(self, trace_id: str, queue_id: str, *, now: datetime) -> None:
        if trace_id in self.rows and self.rows[trace_id].queued_at is None:
            self.rows[trace_id] = replace(self.rows[trace_id], queue_id=queue_id, queued_at=now)

    def get(self, trace_id: str) -> LiveReview | None:
        return self.rows.get(trace_id)

    def of_day(self, day: str) -> list[LiveReview]:
        return [row for row in self.rows.values() if row.day == day]

    def open(self) -> Iterator[LiveReview]:
        for row in list(self.rows.values()):
            if row.queued_at is not None and not (row.harvest and row.harvest.closed):
                yield row

    def note_harvest(self, trace_id: str, harvest: Harvest, *, seen: Harvest | None) -> None:
        with self._lock:
            row = self.rows.get(trace_id)
            if row is None or row.queued_at is None or row.harvest != seen:
                raise ConflictError(f"the review of {trace_id} was looked at by somebody else")
            self.rows[trace_id] = replace(row, harvest=harvest)


def live_review(trace_id: str = "t", **changes: object) -> LiveReview:
    review = LiveReview(
        trace_id=trace_id,
        source="sampled",
        day="2026-11-23",
        trace_at=NOON - timedelta(hours=1),
        queue_name="live",
        inclusion_probability=0.1234567890123456,
        risk=0.5,
        stratum="window-1",
        reasons=("error", "latency"),
    )
    return replace(review, **changes)  # type: ignore[arg-type]


LOOK = Harvest(
    state="harvested",
    review_hash="h-1",
    looked_at=NOON,
    reviewed_at=NOON - timedelta(minutes=5),
    watched_until=NOON + timedelta(days=7),
    failed=True,
    item_id="p-1",
    reviewers=("anna",),
)


class LiveLedgerContract:
    """`live`: an empty one."""

    def test_a_trace_is_claimed_settled_and_then_done_for_ever(self, live: LiveLedger) -> None:
        assert live.claim(live_review(), now=NOON, until=LATER) == Claim()
        assert live.get("t") == live_review()
        live.settle("t", "q-1", now=LATER)
        assert live.claim(live_review(), now=NOON + timedelta(days=400), until=LATER) is None
        assert live.get("t") == live_review(queue_id="q-1", queued_at=LATER)
        assert live.get("another") is None

    def test_one_at_a_time_queues_a_trace(self, live: LiveLedger) -> None:
        def claims(_: int) -> Claim | str | None:
            try:
                return live.claim(live_review(), now=NOON, until=LATER)
            except ConflictError:
                return "conflict"

        with ThreadPoolExecutor(6) as pool:
            outcomes = list(pool.map(claims, range(6)))
        assert Counter(map(str, outcomes)) == {str(Claim()): 1, "conflict": 5}

    def test_a_claim_that_ran_out_passes_on_with_the_time_of_the_first_try(self, live: LiveLedger) -> None:
        live.claim(live_review(), now=NOON, until=LATER)
        with pytest.raises(ConflictError):
            live.claim(live_review(), now=NOON + timedelta(minutes=1), until=LATER)
        assert live.claim(live_review(), now=LATER, until=LATER + timedelta(minutes=2)) == Claim(NOON)

    def test_what_was_let_go_is_free_and_known_as_tried(self, live: LiveLedger) -> None:
        live.claim(live_review(), now=NOON, until=LATER)
        live.let_go("t", now=NOON)
        assert live.claim(live_review(), now=NOON, until=LATER) == Claim(NOON)

    def test_what_nobody_claimed_cannot_be_settled_and_what_is_done_stays_done(self, live: LiveLedger) -> None:
        live.settle("t", "q-1", now=NOON)
        live.let_go("t", now=NOON)
        assert live.get("t") is None
        live.claim(live_review(), now=NOON, until=LATER)
        live.settle("t", "q-1", now=NOON)
        live.let_go("t", now=NOON)
        live.settle("t", "q-2", now=LATER)
        assert live.get("t") == live_review(queue_id="q-1", queued_at=NOON)

    def test_a_draw_is_put_on_record_whoever_called_the_trace_out_and_is_never_taken_back(
        self, live: LiveLedger
    ) -> None:
        callout = live_review(source="callout", inclusion_probability=None, stratum="", reasons=("callout",))
        live.claim(callout, now=NOON, until=LATER)
        live.settle("t", "q-1", now=NOON)
        assert live.claim(live_review(), now=LATER, until=LATER) is None
        assert live.get("t") == live_review(source="callout", queue_id="q-1", queued_at=NOON)

        live.claim(live_review("u"), now=NOON, until=NOON)
        assert live.claim(replace(callout, trace_id="u"), now=NOON, until=LATER) == Claim(NOON)
        live.settle("u", "q-1", now=NOON)
        assert live.get("u") == live_review("u", queue_id="q-1", queued_at=NOON)

    def test_a_day_lists_what_was_claimed_or_queued_on_it(self, live: LiveLedger) -> None:
        live.claim(live_review("a"), now=NOON, until=LATER)
        live.claim(live_review("b"), now=NOON, until=LATER)
        live.settle("b", "q-1", now=NOON)
        live.claim(live_review("c", day="2026-11-24"), now=NOON, until=LATER)
        live.let_go("a", now=NOON)
        live.claim(live_review("a", day="2026-11-24"), now=NOON, until=LATER)

        assert [row.trace_id for row in live.of_day("2026-11-23")] == ["b"]
        assert sorted(row.trace_id for row in live.of_day("2026-11-24")) == ["a", "c"]
        assert live.of_day("2026-11-25") == []

    def test_a_queued_review_is_open_until_a_look_closes_it(self, live: LiveLedger) -> None:
        live.claim(live_review("claimed"), now=NOON, until=LATER)
        for trace in ("a", "b"):
            live.claim(live_review(trace), now=NOON, until=LATER)
            live.settle(trace, "q-1", now=NOON)
        live.note_harvest("a", LOOK, seen=None)
        assert sorted(row.trace_id for row in live.open()) == ["a", "b"]

        closing = replace(LOOK, looked_at=LATER, closed=True)
        live.note_harvest("a", closing, seen=LOOK)
        assert [row.trace_id for row in live.open()] == ["b"]
        assert live.get("a") == live_review("a", queue_id="q-1", queued_at=NOON, harvest=closing)

    def test_of_two_looks_at_the_same_state_one_is_written(self, live: LiveLedger) -> None:
        with pytest.raises(ConflictError):
            live.note_harvest("t", LOOK, seen=None)
        live.claim(live_review(), now=NOON, until=LATER)
        with pytest.raises(ConflictError):
            live.note_harvest("t", LOOK, seen=None)
        live.settle("t", "q-1", now=NOON)
        live.note_harvest("t", LOOK, seen=None)
        with pytest.raises(ConflictError):
            live.note_harvest("t", LOOK, seen=None)
        unsaid = replace(LOOK, state="skipped", failed=None, item_id=None, reviewers=(), looked_at=LATER)
        live.note_harvest("t", unsaid, seen=LOOK)
        with pytest.raises(ConflictError):
            live.note_harvest("t", LOOK, seen=LOOK)
        found = live.get("t")
        assert found is not None
        assert found.harvest == unsaid

    def test_a_long_list_of_open_reviews_is_read_to_its_end(self, live: LiveLedger) -> None:
        traces = {uuid4().hex for _ in range(230)}
        for trace in traces:
            live.claim(live_review(trace), now=NOON, until=LATER)
            live.settle(trace, "q-1", now=NOON)
        assert {row.trace_id for row in live.open()} == traces
        assert {row.trace_id for row in live.of_day("2026-11-23")} == traces
