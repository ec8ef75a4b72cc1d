"""What every annotation queue and every ledger of reviews must do: run on the doubles and on the real adapters."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from flywheel.domain.review_form import CORRECT, GATE_FORM, LIVE_FORM, FormScore
from flywheel.errors import ConflictError, InvalidRequestError, NotFoundError
from flywheel.ports import Claim, ReviewLedger, ReviewQueue
from tests.fakes.clock import NOON

LATER = NOON + timedelta(minutes=2)


class ReviewQueueContract:
    """`reviews`: a queue; `judge(trace_id, value)`: what a person does; `queued(queue_id)`: what really is there."""

    def test_a_queue_is_made_once_and_found_again(self, reviews: ReviewQueue) -> None:
        name = f"queue {uuid4().hex}"
        made = reviews.ensure(name)

        assert reviews.ensure(name) == made
        assert made.name == name
        assert made.queue_id in made.url

    def test_a_queue_that_does_not_ask_for_what_is_required_is_refused(self, reviews: ReviewQueue) -> None:
        name = f"queue {uuid4().hex}"
        reviews.ensure(name, LIVE_FORM)
        reviews.ensure(name, GATE_FORM)
        other = FormScore(f"tone {uuid4().hex}", "BOOLEAN", "Was it polite?", required=True)

        with pytest.raises(InvalidRequestError, match="does not ask for"):
            reviews.ensure(name, (CORRECT, other))
        assert reviews.ensure(name, (CORRECT, replace(other, required=False))).name == name

    def test_a_queue_is_looked_for_without_being_made(self, reviews: ReviewQueue) -> None:
        name = f"queue {uuid4().hex}"
        assert reviews.find(name) is None
        assert reviews.find(name) is None
        made = reviews.ensure(name)
        assert reviews.find(name) == made

    def test_what_was_queued_waits(self, reviews: ReviewQueue) -> None:
        queue = reviews.ensure(f"queue {uuid4().hex}")
        traces = {uuid4().hex for _ in range(3)}
        for trace in traces:
            reviews.add(queue.queue_id, trace, tried_since=None)

        assert reviews.waiting(queue.queue_id) == traces

    def test_a_trace_that_may_be_there_already_is_looked_for_first(
        self, reviews: ReviewQueue, queued: Callable[[str], list[str]]
    ) -> None:
        queue = reviews.ensure(f"queue {uuid4().hex}")
        trace, other = uuid4().hex, uuid4().hex
        before = datetime.now(UTC)
        reviews.add(queue.queue_id, trace, tried_since=None)
        for _ in range(2):
            reviews.add(queue.queue_id, trace, tried_since=before)
            reviews.add(queue.queue_id, other, tried_since=before)

        assert Counter(queued(queue.queue_id)) == {trace: 1, other: 1}

    def test_it_tells_which_of_some_traces_it_holds_whatever_became_of_them(self, reviews: ReviewQueue) -> None:
        queue, other = reviews.ensure(f"queue {uuid4().hex}"), reviews.ensure(f"queue {uuid4().hex}")
        before = datetime.now(UTC)
        here, there, nowhere = (uuid4().hex for _ in range(3))
        reviews.add(queue.queue_id, here, tried_since=None)
        reviews.add(other.queue_id, there, tried_since=None)

        assert reviews.holding(queue.queue_id, [here, there, nowhere], since=before) == {here}
        assert reviews.holding(queue.queue_id, [], since=before) == frozenset()

    def test_a_queue_that_is_gone_is_not_found(self, reviews: ReviewQueue) -> None:
        with pytest.raises(NotFoundError):
            reviews.add("no-such-queue", uuid4().hex, tried_since=None)
        with pytest.raises(NotFoundError):
            reviews.waiting("no-such-queue")
        with pytest.raises(NotFoundError):
            reviews.holding("no-such-queue", [uuid4().hex], since=datetime.now(UTC))

    def test_what_people_say_comes_back_by_trace(
        self, reviews: ReviewQueue, judge: Callable[[str, float], None]
    ) -> None:
        reviews.ensure(f"queue {uuid4().hex}")
        right, wrong, unseen = (uuid4().hex for _ in range(3))
        judge(right, 1.0)
        judge(wrong, 0.0)

        assert {t: s.value for t, s in reviews.scores([right, wrong, unseen]).items()} == {right: 1.0, wrong: 0.0}
        assert reviews.scores([]) == {}


class ReviewLedgerContract:
    """`ledger`: an empty one."""

    def test_a_trace_is_claimed_settled_and_then_done_for_ever(self, ledger: ReviewLedger) -> None:
        assert ledger.claim("g-1", "t", now=NOON, until=LATER) == Claim()
        ledger.settle("g-1", "t", now=NOON)
        assert ledger.claim("g-1", "t", now=NOON + timedelta(days=400), until=LATER) is None
        assert ledger.claim("g-2", "t", now=NOON, until=LATER) == Claim()

    def test_one_at_a_time_queues_a_trace(self, ledger: ReviewLedger) -> None:
        def claims(_: int) -> Claim | str | None:
            try:
                return ledger.claim("g-1", "t", now=NOON, until=LATER)
            except ConflictError:
                return "conflict"

        with ThreadPoolExecutor(6) as pool:
            outcomes = list(pool.map(claims, range(6)))
        assert Counter(map(str, outcomes)) == {str(Claim()): 1, "conflict": 5}

    def test_a_claim_that_ran_out_passes_on_with_the_time_of_the_first_try(self, ledger: ReviewLedger) -> None:
        ledger.claim("g-1", "t", now=NOON, until=LATER)
        with pytest.raises(ConflictError):
            ledger.claim("g-1", "t", now=NOON + timedelta(minutes=1), until=LATER)
        assert ledger.claim("g-1", "t", now=LATER, until=LATER + timedelta(minutes=2)) == Claim(NOON)

    def test_what_was_let_go_is_free_and_known_as_tried(self, ledger: ReviewLedger) -> None:
        ledger.claim("g-1", "t", now=NOON, until=LATER)
        ledger.let_go("g-1", "t", now=NOON)
        assert ledger.claim("g-1", "t", now=NOON, until=LATER) == Claim(NOON)

    def test_what_is_done_stays_done(self, ledger: ReviewLedger) -> None:
        ledger.claim("g-1", "t", now=NOON, until=LATER)
        ledger.settle("g-1", "t", now=NOON)
        ledger.let_go("g-1", "t", now=NOON)
        ledger.settle("g-1", "t", now=LATER)
        assert ledger.claim("g-1", "t", now=LATER, until=LATER) is None

    def test_what_nobody_claimed_cannot_be_settled(self, ledger: ReviewLedger) -> None:
        ledger.settle("g-1", "t", now=NOON)
        ledger.let_go("g-1", "t", now=NOON)
        assert ledger.claim("g-1", "t", now=NOON, until=LATER) == Claim()
