"""A finished review and its trace -> what becomes of it, held against the dataset as it is now."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from flywheel.domain.exchange import Turn
from flywheel.domain.golden import DatasetError, GoldenItem, item_from_langfuse, item_to_langfuse
from flywheel.domain.golden_check import LONGEST
from flywheel.domain.golden_item import identity
from flywheel.domain.harvest import (
    Decision,
    Neighbour,
    Provenance,
    case_id,
    decide_contradicted,
    decide_flagged,
    decide_unflagged,
    golden_case,
)
from flywheel.domain.harvest_settings import HarvestSettings
from flywheel.domain.live_form import TypedReview
from flywheel.domain.live_review import LiveReview
from flywheel.domain.shortening import before_redaction, shortened
from flywheel.ports import Release, ReleaseStore
from flywheel.ports.harvest import CaseStore, Likeness, Redactor, TraceContent

# Of the rest of a request, which is for people to look at.
_CONTEXT = 16_000
# The releases among which that of a trace is looked for.
_RELEASES = 100


class Cases:
    """Builds the golden item of a review and looks for what the dataset has already. One for each run."""

    def __init__(
        self,
        dataset: str,
        settings: HarvestSettings,
        *,
        store: CaseStore,
        redactor: Redactor,
        likeness: Likeness,
        releases: ReleaseStore,
    ) -> None:
        self._dataset = dataset
        self._settings = settings
        self._store = store
        self._redactor = redactor
        self._likeness = likeness
        self._releases = releases
        self._active: dict[str, GoldenItem] | None = None
        self._line: list[Release] | None = None
        self._built: dict[str, GoldenItem] = {}
        self._answers: dict[str, str] = {}

    def decide(self, row: LiveReview, review: TypedReview, trace: TraceContent | None, now: datetime) -> Decision:
        """`trace` None: nothing of it is needed, the review is not flagged."""
        if not review.flagged or trace is None:
            # An item of this trace that the harvest once wrote; who was never harvested has none.
            harvested = row.harvest is not None and row.harvest.item_id == case_id(row.trace_id)
            stored = self._store.find(self._dataset, case_id(row.trace_id)) if harvested else None
            return decide_unflagged(review, row.harvest, stored)
        if review.contradictions:
            return decide_contradicted(review, row.harvest)
        if trace.unreadable or not trace.question:
            why = f": {trace.unreadable}" if trace.unreadable else ""
            return Decision("conflict", message=f"the trace has no question that can be read{why}")
        case = self._case(row, review, trace, now)
        if case is None:
            return Decision("conflict", message="a golden item cannot hold its texts: too long, or damaged characters")
        stored = self._store.find(self._dataset, case.item_id)
        neighbour = None if stored else self._nearest(case)
        decision = decide_flagged(case, row.harvest, stored, neighbour)
        if cut := case.metadata.get("cut"):
            lengths = ", ".join(f"{what} of {length:,} characters" for what, length in cut.items())
            said = filter(None, [decision.message, f"cut for the item: {lengths}"])
            decision = replace(decision, message="; ".join(said))
        if decision.effect == "write":
            self._built[row.trace_id] = case
            # After question and facts, so that what is redacted has the same placeholders in it.
            texts = [*_asked(trace), *review.facts, review.answer]
            self._answers[row.trace_id] = self._redactor.redact(texts).texts[-1]
        return decision

    def built(self, trace_id: str) -> GoldenItem:
        """The item that is to be written, as the decision saw it."""
        return self._built[trace_id]

    def right_answer(self, trace_id: str) -> str:
        """What the reviewers gave as the right answer to it, redacted as the item is."""
        return self._answers[trace_id]

    def wrote(self, item: GoldenItem) -> None:
        """What is written now is there for the reviews that follow in this run."""
        self.active()[item.item_id] = item

    def archived(self, item_id: str) -> None:
        self.active().pop(item_id, None)

    def active(self) -> dict[str, GoldenItem]:
        """The dataset's items by id, read once a run."""
        if self._active is None:
            self._active = {item.item_id: item for item in self._store.active(self._dataset)}
        return self._active

    def _case(self, row: LiveReview, review: TypedReview, trace: TraceContent, now: datetime) -> GoldenItem | None:
        context = json.dumps(trace.context, ensure_ascii=False) if trace.context else ""
        texts = [*_asked(trace), *review.facts, context]
        limits = [
            LONGEST["question"], *[LONGEST["turn"]] * len(trace.turns), *[LONGEST["fact"]] * len(review.facts), _CONTEXT
        ]  # fmt: skip
        given = [before_redaction(text, limit) for text, limit in zip(texts, limits, strict=True)]
        redacted = self._redactor.redact(given)
        question, *others, said = (shortened(text, limit) for text, limit in zip(redacted.texts, limits, strict=True))
        turns = tuple(
            Turn(turn.speaker, text) for turn, text in zip(trace.turns, others[: len(trace.turns)], strict=True)
        )
        facts = others[len(trace.turns) :]
        source = Provenance(
            trace_id=row.trace_id,
            reviewers=review.reviewers,
            queue=row.queue_name,
            gate=self._gate_of(row.trace_at),
            harvested_at=now,
            redacted=redacted.replaced,
            context={"request": said} if said else {},
            cut=_cut(texts, limits, trace),
        )
        case = golden_case(question, facts, trace.tools, review, source, turns=turns)
        try:
            # Held against the same rules as an item that comes back from Langfuse: what cannot be read is not written.
            return item_from_langfuse(item_to_langfuse(case))
        except DatasetError:
            return None

    def _nearest(self, case: GoldenItem) -> Neighbour | None:
        # The same words after another conversation ask something else.
        before = identity("", case.turns)
        others = [
            item
            for item in self.active().values()
            if item.item_id != case.item_id and identity("", item.turns) == before
        ]
        likeness = self._likeness.questions(case.question, [item.question for item in others])
        near = [
            (alike, item) for alike, item in zip(likeness, others, strict=True) if alike >= self._settings.similarity
        ]
        found = [self._neighbour(case, item, alike) for alike, item in near]
        # One that asks in the same words, then one that says the same already, then the most alike.
        return max(
            found,
            key=lambda one: (one.identical, one.same_refusal and one.facts_known, one.similarity, one.item_id),
            default=None,
        )

    def _neighbour(self, case: GoldenItem, item: GoldenItem, alike: float) -> Neighbour:
        known = all(
            any(self._likeness.facts(fact, other) >= self._settings.fact_similarity for other in item.response_facts)
            for fact in case.response_facts
        )
        return Neighbour(item.item_id, alike, item.must_refuse == case.must_refuse, known)

    def _gate_of(self, moment: datetime) -> str | None:
        """The gate of the release that was in production then."""
        if self._line is None:
            self._line = self._releases.releases(_RELEASES)
        for release in self._line:
            if release.since <= moment and (release.until is None or moment < release.until):
                return release.gate_id
        return None


def _cut(texts: Sequence[str], limits: Sequence[int], trace: TraceContent) -> dict[str, int]:
    """What is longer than an item may hold, and how long it was."""
    facts = len(texts) - len(trace.turns) - 2
    names = ["question", *["an earlier turn"] * len(trace.turns), *["a fact"] * facts, "the request"]
    return {name: len(text) for name, text, limit in zip(names, texts, limits, strict=True) if len(text) > limit}


def _asked(trace: TraceContent) -> list[str]:
    """What was said to the agent, the question first, in the order in which it is redacted."""
    return [trace.question, *(turn.text for turn in trace.turns)]
