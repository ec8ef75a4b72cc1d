"""A typed review, the dataset, what is on record -> what becomes of it: the rules of the harvest."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from flywheel.domain.exchange import Turn
from flywheel.domain.golden_item import GoldenItem
from flywheel.domain.live_form import TypedReview
from flywheel.domain.live_review import Harvest, HarvestState

# Where an item says what the harvest wrote: an item whose content differs from it was changed by hand.
CONTENT_HASH = "content_hash"

type Effect = Literal["none", "write", "archive"]


@dataclass(frozen=True, slots=True)
class StoredCase:
    """The dataset's item of a trace as it is now. `item` None: it is no golden item any more."""

    item: GoldenItem | None
    archived: bool = False
    elsewhere: bool = False

    @property
    def by_hand(self) -> bool:
        """Somebody changed in Langfuse what the harvest had written; archiving is looked at by itself."""
        return self.item is None or self.item.metadata.get(CONTENT_HASH) != content_hash(self.item)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An item that asks nearly the same.

    `facts_known`: it expects all the facts of the review already.
    """

    item_id: str
    similarity: float
    same_refusal: bool
    facts_known: bool

    @property
    def identical(self) -> bool:
        """No word that says anything differs."""
        return self.similarity >= 1.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a review and what has to be done for it. `message`: why, without anybody's text."""

    state: HarvestState
    effect: Effect = "none"
    item_id: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a case comes from. `gate`: the gate that let the agent in that answered; None: it is not on record."""

    trace_id: str
    reviewers: tuple[str, ...]
    queue: str
    gate: str | None
    harvested_at: datetime
    redacted: Sequence[Mapping[str, Any]] = ()
    context: Mapping[str, Any] = field(default_factory=dict)
    cut: Mapping[str, int] = field(default_factory=dict)


def case_id(trace_id: str) -> str:
    """Id of the golden item of a trace: `p-` and 16 hex digits of the hash of the trace's id."""
    return "p-" + hashlib.sha256(trace_id.encode()).hexdigest()[:16]


def growth_id(items: Mapping[str, str]) -> str:
    """Id of an announcement, by what it announces: the same list is the same announcement."""
    said = json.dumps(sorted(items.items()), separators=(",", ":"))
    return "grown-" + hashlib.sha256(said.encode()).hexdigest()[:24]


def content_hash(item: GoldenItem) -> str:
    """Over what an answer is held against; metadata does not count."""
    content: list[Any] = [
        item.question,
        item.slice,
        item.trajectory,
        item.search_term,
        item.response_facts,
        item.must_refuse,
    ]
    # Items without a conversation keep the hash that they were written with.
    content += [[[turn.speaker, turn.text] for turn in item.turns]] if item.turns else []
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()[:32]


def golden_case(
    question: str,
    facts: Sequence[str],
    trajectory: Sequence[str],
    review: TypedReview,
    source: Provenance,
    *,
    turns: Sequence[Turn] = (),
) -> GoldenItem:
    """The golden item of a flagged review; texts are redacted already."""
    item = GoldenItem(
        item_id=case_id(source.trace_id),
        question=question,
        slice="production",
        origin="production",
        trajectory=tuple(trajectory) if review.trajectory_confirmed and not review.must_refuse else (),
        response_facts=() if review.must_refuse else tuple(facts),
        must_refuse=review.must_refuse,
        turns=tuple(turns),
    )
    metadata: dict[str, Any] = {
        "source_trace_id": source.trace_id,
        "reviewers": list(source.reviewers),
        "queue": source.queue,
        "gate": source.gate,
        "harvested_at": source.harvested_at.isoformat(),
        "review_hash": review.review_hash,
        CONTENT_HASH: content_hash(item),
        "redacted": [dict(entry) for entry in source.redacted],
    }
    if source.cut:
        metadata["cut"] = dict(source.cut)
    if source.context:
        metadata["context"] = dict(source.context)
    return replace(item, metadata=metadata)


def decide_unflagged(review: TypedReview, before: Harvest | None, stored: StoredCase | None) -> Decision:
    """A review that nobody wants in the dataset, or wants in it no more. `stored`: its item, if it ever had one."""
    if stored is None:
        return Decision("unflagged" if review.said else "skipped")
    item_id = before.item_id if before else None
    if not stored.archived and (stored.by_hand or stored.elsewhere):
        return _conflict(
            item_id, "the review is not flagged any more, but its item was changed by hand: archive it there"
        )
    effect: Effect = "none" if stored.archived else "archive"
    return Decision("unflagged", effect, item_id, "the review is not flagged any more: its item is archived")


def _conflict(item_id: str | None, message: str) -> Decision:
    return Decision("conflict", item_id=item_id, message=message)


def decide_contradicted(review: TypedReview, before: Harvest | None) -> Decision:
    """A flagged review that contradicts itself, or whose reviewers contradict each other."""
    return Decision("conflict", item_id=before.item_id if before else None, message="; ".join(review.contradictions))


def decide_flagged(
    case: GoldenItem,
    before: Harvest | None,
    stored: StoredCase | None,
    neighbour: Neighbour | None,
) -> Decision:
    """A flagged review that contradicts nothing in itself; `case` is its item, redacted."""
    if stored is not None:
        return _decide_stored(case, before, stored)
    if before is not None and before.state == "harvested":
        return Decision(
            "conflict", item_id=case.item_id, message="its item was deleted by hand: the harvest does not bring it back"
        )
    beside = None if neighbour is None else _decide_beside(case, neighbour)
    return beside or Decision("harvested", "write", case.item_id)


def _decide_beside(case: GoldenItem, neighbour: Neighbour) -> Decision | None:
    """None: it is added. A question that is only alike never keeps out a correction that says something else."""
    if neighbour.same_refusal and neighbour.facts_known:
        return Decision("linked", item_id=neighbour.item_id, message="an item asks nearly the same already")
    if not neighbour.identical:
        return None
    if not neighbour.same_refusal:
        said = "expects an answer" if case.must_refuse else "has to be refused"
        return _conflict(neighbour.item_id, f"item {neighbour.item_id} asks the same and {said}")
    return _conflict(
        neighbour.item_id, f"item {neighbour.item_id} asks the same and expects other facts: correct one of them"
    )


def _decide_stored(case: GoldenItem, before: Harvest | None, stored: StoredCase) -> Decision:
    if stored.elsewhere:
        return Decision("conflict", item_id=case.item_id, message="an item of that id is in another dataset")
    if stored.item is not None and not stored.archived and content_hash(stored.item) == content_hash(case):
        return Decision("harvested", "none", case.item_id)
    ours = before is not None and before.state != "harvested"
    if stored.by_hand or (stored.archived and not ours):
        return Decision(
            "conflict", item_id=case.item_id, message="its item was changed by hand: the harvest does not overwrite it"
        )
    return Decision("harvested", "write", case.item_id)
