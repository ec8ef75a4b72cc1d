"""A production trace that people review: why it was chosen, where it waits, what became of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

# `sampled`: drawn by the sampler; `alert`: drawn within the window of an alert; `callout`: a person sent it.
type LiveSource = Literal["sampled", "alert", "callout"]

# What came of a finished review. `harvested`: it is a golden item now; `linked`: it is nearly one that is there, and
# was linked to it; `unflagged`: nobody wants it in the dataset; `conflict`: it contradicts itself, another reviewer or
# the dataset, and is back in a queue; `skipped`: finished without a judgement; `gone`: item or trace was deleted.
type HarvestState = Literal["harvested", "linked", "unflagged", "conflict", "skipped", "gone"]


@dataclass(frozen=True, slots=True)
class Harvest:
    """The newest look at a finished review.

    `review_hash`: over everything that the review said then; an edit in Langfuse moves no time, only this. `failed`:
    the answer was judged wrong; None: nobody said. `item_id`: the golden item that it became or was linked to.
    `watched_until`: later edits are noticed until then; a look after it closes the row for good (`closed`).
    """

    state: HarvestState
    review_hash: str
    looked_at: datetime
    reviewed_at: datetime
    watched_until: datetime
    failed: bool | None = None
    item_id: str | None = None
    reviewers: tuple[str, ...] = ()
    message: str = ""
    closed: bool = False


@dataclass(frozen=True, slots=True)
class LiveReview:
    """One row of the ledger of live reviews; there is one for each trace, for ever.

    `day`: the UTC day (`yyyy-mm-dd`) of whose budget it is. `inclusion_probability`: in (0, 1], as `select` gave it;
    None when it was not drawn by chance (`callout`): such a review never enters an estimate. `queued_at`: None while it
    is claimed only. `queue_id`, `queue_name`: where it waits.
    """

    trace_id: str
    source: LiveSource
    day: str
    trace_at: datetime
    queue_name: str
    inclusion_probability: float | None = None
    risk: float = 0.0
    stratum: str = ""
    reasons: tuple[str, ...] = ()
    queue_id: str | None = None
    queued_at: datetime | None = None
    harvest: Harvest | None = None
