"""Finished reviews of production traces -> golden items, links, conflicts: one run over the open rows of the ledger."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import batched

from flywheel.domain.harvest_settings import HarvestSettings
from flywheel.domain.live_form import SaidComment, SaidScore, TypedReview, read_review
from flywheel.domain.live_review import Harvest, HarvestState, LiveReview
from flywheel.errors import ConflictError, FlywheelError, TransientError
from flywheel.harvest_agreement import Pairs, pairs_of
from flywheel.harvest_decisions import Decisions
from flywheel.harvest_effects import Effects
from flywheel.ports import Clock, LiveLedger
from flywheel.ports.harvest import HarvestNotes, LiveReviews, Look, TraceContent

# Scores are read for so many traces at once.
_ROWS_AT_ONCE = 100
# So many reviews after each other that meet an outage are an outage.
_IN_A_ROW = 3


@dataclass(slots=True)
class Tally:
    """What a run saw and did. `outcomes`: trace, what became of it, its item; nothing that anybody wrote."""

    seen: int = 0
    waiting: int = 0
    settling: int = 0
    unchanged: int = 0
    closed: int = 0
    raced: int = 0
    unjudged: int = 0
    flagged: int = 0
    outcomes: list[tuple[str, str, str | None]] = field(default_factory=list)
    pairs: dict[str, Pairs] = field(default_factory=dict)
    complete: bool = True
    trouble: TransientError | None = None
    failing: int = 0
    defects: list[tuple[str, str]] = field(default_factory=list)

    @property
    def states(self) -> Mapping[str, int]:
        return Counter(state for _, state, _ in self.outcomes)


@dataclass(slots=True)
class _Chunk:
    """Rows that are looked at together, with what was read for them."""

    rows: list[LiveReview]
    scores: Mapping[str, Sequence[SaidScore]]
    reviews: dict[str, TypedReview]
    traces: Mapping[str, TraceContent]
    waiting: frozenset[str]
    deleted: frozenset[str]


class Harvester:
    """Walks the open rows. Killed anywhere, the next run finds the same rows and ends what this one began.

    The ledger's note comes last for each row: until then every effect before it is looked for and not repeated.
    """

    def __init__(
        self,
        settings: HarvestSettings,
        *,
        ledger: LiveLedger,
        reviews: LiveReviews,
        notes: HarvestNotes,
        decisions: Decisions,
        effects: Effects,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._reviews = reviews
        self._notes = notes
        self._decisions = decisions
        self._effects = effects
        self._clock = clock
        self._comments: dict[str, Sequence[SaidComment]] = {}

    def walk(self, *, dry_run: bool = False, may_go_on: Callable[[], bool] = lambda: True) -> Tally:
        """Look at every open row, or at as many as the time allows.

        Raises:
            TransientError: Langfuse, the table or the bus does not answer; what was done is on record.
        """
        tally = Tally()
        waiting: dict[str, frozenset[str]] = {}
        conflict_queue = None if dry_run else self._effects.conflict_queue_id()
        looks = self._notes.looks()
        for rows in batched(self._ledger.open(), _ROWS_AT_ONCE, strict=False):
            if not may_go_on():
                tally.complete = False
                break
            tally.seen += len(rows)
            chunk = self._read(rows, waiting, looks, conflict_queue)
            tally.waiting += len(rows) - len(chunk.rows)
            for row in chunk.rows:
                if not may_go_on():
                    tally.complete = False
                    break
                self._look_safely(row, chunk, looks, tally, dry_run=dry_run)
        return tally

    def _look_safely(
        self, row: LiveReview, chunk: _Chunk, looks: Mapping[str, Look], tally: Tally, *, dry_run: bool
    ) -> None:
        """One review that cannot be carried out holds up no other; where several in a row fail, something is down."""
        try:
            self._look_at(row, chunk, looks, tally, dry_run=dry_run)
        except TransientError as error:
            tally.trouble = error
            tally.failing += 1
            if tally.failing >= _IN_A_ROW:
                raise
        except FlywheelError:
            raise
        except Exception as error:  # noqa: BLE001 - a text that nobody thought of must not stop the harvest of the others
            tally.defects.append((row.trace_id, type(error).__name__))
        else:
            tally.failing = 0

    def _read(
        self,
        rows: Sequence[LiveReview],
        waiting: dict[str, frozenset[str]],
        looks: Mapping[str, Look],
        conflict_queue: str | None,
    ) -> _Chunk:
        queues = {row.queue_id for row in rows if row.queue_id} | ({conflict_queue} if conflict_queue else set())
        for queue in queues - set(waiting):
            waiting[queue] = self._reviews.waiting(queue)
        waits = frozenset(
            row.trace_id
            for row in rows
            if any(row.trace_id in waiting[queue] for queue in (row.queue_id, conflict_queue) if queue)
        )
        # A conflict that was being brought back waits again already, perhaps: it has to be ended all the same.
        due = [row for row in rows if row.trace_id not in waits or _is_conflicting(looks.get(row.trace_id))]
        late, deleted = self._late_and_deleted(due)
        due = [row for row in due if row.trace_id not in late | deleted]
        scores = self._reviews.scores([row.trace_id for row in due]) if due else {}
        reviews = {row.trace_id: self._review(row.trace_id, scores) for row in due}
        needed = [row for row in due if self._needs_trace(row, reviews[row.trace_id])]
        ids, around = [row.trace_id for row in needed], [row.trace_at for row in needed]
        traces = self._reviews.traces(ids, around=around) if needed else {}
        # Only beside the output it is known whether a correction is one.
        reviews |= {trace: self._review(trace, scores, found) for trace, found in traces.items()}
        gone = [row for row in rows if row.trace_id in deleted]
        return _Chunk([*due, *gone], scores, reviews, traces, waits, deleted)

    def _late_and_deleted(self, due: Sequence[LiveReview]) -> tuple[frozenset[str], frozenset[str]]:
        """Of the rows that wait no more and were not completed: those that came late, and those whose item is gone."""
        by_queue: dict[str, list[LiveReview]] = {}
        for row in due:
            if row.harvest is None and row.queue_id:
                by_queue.setdefault(row.queue_id, []).append(row)
        late, deleted = frozenset[str](), frozenset[str]()
        for queue, rows in by_queue.items():
            since = min(row.queued_at or row.trace_at for row in rows)
            done = self._reviews.finished(queue, [row.trace_id for row in rows], since=since)
            left = frozenset(row.trace_id for row in rows) - done
            # Queued after the first list was read, or opened again just now: only a second list tells them apart.
            here = left & self._reviews.waiting(queue) if left else left
            late, deleted = late | here, deleted | (left - here)
        return late, deleted

    def _review(
        self, trace_id: str, scores: Mapping[str, Sequence[SaidScore]], trace: TraceContent | None = None
    ) -> TypedReview:
        """Comments cost a request each: they are read where they can matter, and once."""
        given, output = scores.get(trace_id, ()), trace.output if trace else None
        if trace is not None:
            # The root's output is the trace's; what is corrected below it is another text.
            given = [score for score in given if score.observation_id in ("", trace.root_id)]
        review = read_review(given, output=output)
        if not review.flagged:
            return review
        if trace_id not in self._comments:
            self._comments[trace_id] = self._reviews.comments(trace_id)
        return read_review(given, self._comments[trace_id], output)

    def _needs_trace(self, row: LiveReview, review: TypedReview) -> bool:
        changed = row.harvest is None or row.harvest.review_hash != review.review_hash
        # Whether nothing is said because the scores were taken back, or because the trace is gone with them.
        return changed and (review.flagged or review.corrected or not review.said)

    def _look_at(
        self, row: LiveReview, chunk: _Chunk, looks: Mapping[str, Look], tally: Tally, *, dry_run: bool
    ) -> None:
        now, before = self._clock.now(), row.harvest
        if row.trace_id in chunk.deleted:
            gone = self._harvest(None, "gone", now, message="its queue item was deleted", closed=True)
            self._end(row, gone, tally, dry_run=dry_run)
            return
        review = chunk.reviews[row.trace_id]
        tally.flagged += review.flagged
        # Also when there are none any more: what was said may have been taken back.
        tally.pairs[row.trace_id] = pairs_of(chunk.scores.get(row.trace_id, ()), review, self._settings.pass_at)
        look = looks.get(row.trace_id)
        if row.trace_id in chunk.waiting and (look is None or look.review_hash != review.review_hash):
            # Somebody is at the conflict that was brought back: it is looked at again when it is finished.
            tally.waiting += 1
            return
        if before is not None and before.review_hash == review.review_hash:
            if look is not None and not dry_run:
                self._notes.forget_look(row.trace_id)  # the run that noted this was killed before it could
            self._watch(row, before, now, tally, dry_run=dry_run)
            return
        trace = chunk.traces.get(row.trace_id)
        if trace is None and (review.flagged or not review.said):
            # What was harvested stays: a trace that is deleted, or kept no longer, takes nothing back.
            state: HarvestState = "gone" if before is None else before.state
            item = before.item_id if before else None
            gone = self._harvest(review, state, now, item_id=item, message="its trace is gone", closed=True)
            self._end(row, gone, tally, dry_run=dry_run)
            return
        if not self._settled(row, review, look, now, dry_run=dry_run):
            tally.settling += 1
            return
        decision = self._decisions.decide(row, review, trace, now, look, dry_run=dry_run)
        if decision is None:
            tally.unjudged += 1
        elif dry_run:
            tally.outcomes.append((row.trace_id, decision.state, decision.item_id))
        else:
            decision = self._effects.carry_out(row, review, decision, now=now, look=look)
            harvest = self._harvest(review, decision.state, now, item_id=decision.item_id, message=decision.message)
            self._end(row, harvest, tally, dry_run=False)

    def _watch(self, row: LiveReview, before: Harvest, now: datetime, tally: Tally, *, dry_run: bool) -> None:
        if now < before.watched_until:
            tally.unchanged += 1
            return
        tally.closed += 1
        if not dry_run:
            self._note(row, replace(before, looked_at=now, closed=True), tally)

    def _settled(
        self, row: LiveReview, review: TypedReview, look: Look | None, now: datetime, *, dry_run: bool
    ) -> bool:
        """Whether what would change the dataset has stood for long enough: a correction is saved while it is typed."""
        if not self._settings.settle_minutes or not (review.flagged or row.harvest is not None):
            return True
        if look is None or look.review_hash != review.review_hash:
            if not dry_run:
                self._notes.note_look(row.trace_id, Look(review.review_hash, now))
            return False
        return look.conflicting or now - look.since >= timedelta(minutes=self._settings.settle_minutes)

    def _harvest(
        self,
        review: TypedReview | None,
        state: HarvestState,
        now: datetime,
        *,
        item_id: str | None = None,
        message: str = "",
        closed: bool = False,
    ) -> Harvest:
        return Harvest(
            state=state,
            review_hash=review.review_hash if review else "",
            looked_at=now,
            reviewed_at=now,
            watched_until=now + timedelta(days=self._settings.watch_days),
            failed=review.failed if review else None,
            item_id=item_id,
            reviewers=review.reviewers if review else (),
            message=message,
            closed=closed,
        )

    def _end(self, row: LiveReview, harvest: Harvest, tally: Tally, *, dry_run: bool) -> None:
        tally.outcomes.append((row.trace_id, harvest.state, harvest.item_id))
        if dry_run:
            return
        self._effects.tell(row.trace_id, harvest)
        self._note(row, harvest, tally)
        self._notes.forget_look(row.trace_id)

    def _note(self, row: LiveReview, harvest: Harvest, tally: Tally) -> None:
        try:
            self._ledger.note_harvest(row.trace_id, harvest, seen=row.harvest)
        except ConflictError:
            # A run beside this one, whose right had run out, was first; what it wrote stands.
            tally.raced += 1


def _is_conflicting(look: Look | None) -> bool:
    return look is not None and look.conflicting
