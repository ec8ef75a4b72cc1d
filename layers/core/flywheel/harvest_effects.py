"""What a decision needs done: the item written or archived, a conflict brought back, everybody told; each once."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from flywheel.domain.harvest import Decision, case_id
from flywheel.domain.live_form import OWN_REMARK, TypedReview
from flywheel.domain.live_review import Harvest, LiveReview
from flywheel.domain.review_form import LIVE_FORM
from flywheel.errors import AccessDeniedError, ConflictError, InvalidRequestError, NotFoundError
from flywheel.harvest_cases import Cases
from flywheel.ports import EventBus, Once, ReviewQueue
from flywheel.ports.harvest import CaseStore, Growth, HarvestNotes, LiveReviews, Look

VERSION = 1
_HASH = 12
# A review comes back to the queue so often, each time for something else that was said; then a person adds the case.
_MOST_RETURNS = 3
_NOT_AGAIN = f"It came back {_MOST_RETURNS} times and is not queued again: add the case to the dataset by hand."


class Effects:
    """Carries decisions out in an order that lets a run that was killed be ended by the next one."""

    def __init__(
        self,
        dataset: str,
        conflict_queue: str,
        *,
        cases: Cases,
        store: CaseStore,
        reviews: LiveReviews,
        queue: ReviewQueue,
        notes: HarvestNotes,
        bus: EventBus,
        once: Once,
    ) -> None:
        self._dataset = dataset
        self._conflict_queue = conflict_queue
        self._cases = cases
        self._store = store
        self._reviews = reviews
        self._queue = queue
        self._notes = notes
        self._bus = bus
        self._once = once
        self._conflict_queue_id: str | None = None

    def conflict_queue_id(self) -> str | None:
        """The queue for conflicts, made when it is first needed; None: they go back to their own."""
        if self._conflict_queue and self._conflict_queue_id is None:
            self._conflict_queue_id = self._queue.ensure(self._conflict_queue, LIVE_FORM).queue_id
        return self._conflict_queue_id

    def carry_out(
        self, row: LiveReview, review: TypedReview, decision: Decision, *, now: datetime, look: Look | None
    ) -> Decision:
        """Do it; give the decision, or the conflict that it became because Langfuse refuses the item."""
        try:
            if decision.effect == "write":
                self._write(row, review)
            elif decision.effect == "archive":
                item_id = case_id(row.trace_id)
                self._store.archive(self._dataset, [item_id])
                self._cases.archived(item_id)
        except AccessDeniedError:
            raise
        except (InvalidRequestError, ConflictError):
            decision = replace(decision, state="conflict", effect="none", message="Langfuse refuses its item")
        if decision.state == "conflict":
            self._bring_back(row, review, decision, now=now, look=look)
        return decision

    def _write(self, row: LiveReview, review: TypedReview) -> None:
        item = self._cases.built(row.trace_id)
        # On the list first: an item that is written and not on it would never be announced.
        self._notes.announce(item.item_id, review.review_hash)
        self._store.write(self._dataset, item, row.trace_id)
        self._cases.wrote(item)

    def _bring_back(
        self, row: LiveReview, review: TypedReview, decision: Decision, *, now: datetime, look: Look | None
    ) -> None:
        resumed = look is not None and look.conflicting and look.review_hash == review.review_hash
        if not resumed:
            # From here on the next run ends this, although the trace waits in a queue again by then.
            self._notes.note_look(row.trace_id, Look(review.review_hash, now, conflicting=True))
        mark = f"{OWN_REMARK} {review.review_hash[:_HASH]}:"
        own = [one.text for one in self._reviews.comments(row.trace_id) if one.text.startswith(f"{OWN_REMARK} ")]
        returned = len({text[: len(mark)] for text in own if not text.startswith(mark)})
        last = returned >= _MOST_RETURNS
        if not any(text.startswith(mark) for text in own):
            ending = _NOT_AGAIN if last else "Please look at it again."
            self._reviews.remark(row.trace_id, f"{mark} {decision.message}. {ending}")
        if last:
            return
        queue_id = self.conflict_queue_id() or row.queue_id or ""
        if resumed and row.trace_id in self._reviews.waiting(queue_id):
            return
        try:
            self._queue.add(queue_id, row.trace_id, tried_since=None)
        except NotFoundError:
            made = self._queue.ensure(row.queue_name, LIVE_FORM)
            self._queue.add(made.queue_id, row.trace_id, tried_since=None)

    def tell(self, trace_id: str, harvest: Harvest) -> None:
        """`ReviewHarvested`, once for each state of a review."""
        detail: dict[str, object] = {"version": VERSION, "trace_id": trace_id, "state": harvest.state}
        detail |= {} if harvest.item_id is None else {"item_id": harvest.item_id}
        detail |= {} if harvest.failed is None else {"failed": harvest.failed}
        key = f"review-harvested:{trace_id}:{harvest.review_hash or 'deleted'}:{harvest.state}"
        self._once.run(key, lambda: self._bus.publish("ReviewHarvested", detail))

    def announce_growth(self) -> list[str]:
        """`GoldenDatasetGrown` for all that was written and not announced yet; give the items' ids."""
        named: list[str] = []
        while (growth := self._notes.growth()) is not None:
            named += self._announce(growth)
        return named

    def _announce(self, growth: Growth) -> list[str]:
        active = self._cases.active()
        # What was on the list and not written, or is archived again, is no growth.
        item_ids = sorted(item_id for item_id in growth.items if item_id in active)
        if item_ids:
            detail = {
                "version": VERSION,
                "request_id": growth.request_id,
                "dataset": self._dataset,
                "item_ids": item_ids,
                "items": len(active),
                "slices": dict(self.slices()),
            }
            key = f"dataset-grown:{growth.request_id}"
            self._once.run(key, lambda: self._bus.publish("GoldenDatasetGrown", detail))
        self._notes.announced(growth)
        return item_ids

    def slices(self) -> Mapping[str, int]:
        """Active items of each slice."""
        return Counter(item.slice for item in self._cases.active().values())
