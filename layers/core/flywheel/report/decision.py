"""What the sequential decision rests on, as data: the part of a report that a point estimate does not have.

Differences are candidate - incumbent in points of [0, 1]; without an incumbent they are candidate - minimum.
Evidence is an e-value: what a bet against a claim's opposite has made of 1. A claim counts once it reaches `needed`.
"""

from dataclasses import dataclass
from typing import Literal

from flywheel.domain.outcome import Arm

type Design = Literal["paired", "cached", "one_sample"]
type ClaimState = Literal["certified", "refuted", "open", "not_asked"]
type SliceState = Literal["certified", "refuted", "open", "small"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the ends of its confidence sequence, after so many pairs."""

    mean: float
    low: float
    high: float
    pairs: int


@dataclass(frozen=True, slots=True)
class PathPoint:
    """The difference and its confidence sequence as they stood after so many pairs."""

    pairs: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Certificate:
    """One claim that a PASS needs. `at_pairs`: when it was settled; None: it was not.

    `refuting_evidence` is the evidence for its opposite; None where nothing can refute it.
    """

    name: str
    slice: str | None
    claim: str
    threshold: float
    observed: float | None
    evidence: float
    needed: float
    state: ClaimState
    at_pairs: int | None
    refuting_evidence: float | None = None
    refuting_needed: float | None = None


@dataclass(frozen=True, slots=True)
class SliceEvidence:
    """One slice. `small`: too few items for a certificate of its own.

    `group` names what it is certified in together with other small slices, `group_state` says whether that is; both are
    None for a slice by itself, and for a small one that can only be refuted.
    """

    slice: str
    items: int
    pairs: int
    candidate: float | None
    incumbent: float | None
    difference: Interval | None
    state: SliceState
    group: str | None = None
    group_state: ClaimState | None = None


@dataclass(frozen=True, slots=True)
class AnchorEvidence:
    """The candidate held against the anchor release, with a margin of its own."""

    difference: Interval | None
    state: ClaimState
    margin: float | None


@dataclass(frozen=True, slots=True)
class Missing:
    """What an undecided gate would still need if it goes on as it did.

    `pairs` and `invocations` None: no number of them seems to settle it. `usd` is an estimate; None: not known.
    """

    certificate: str
    slice: str | None
    subject: str
    pairs: int | None
    invocations: int | None
    message: str
    usd: float | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What the pairs took, beside their cap and a test of fixed size with the same error rates.

    `saved` is the share of the fixed design's invocations that was not needed; below 0: it took more. `fixed_pairs` 0:
    no fixed design was worked out. The `usd` of cap and fixed design are estimates from what an invocation of this gate
    cost; None: not known. Judging is in none.
    """

    pairs: int
    invocations: int
    usd: float | None
    cap_pairs: int
    cap_invocations: int
    cap_usd: float | None
    fixed_pairs: int
    fixed_invocations: int
    fixed_usd: float | None
    saved: float


@dataclass(frozen=True, slots=True)
class StoredAnswers:
    """An arm that was not asked again: so many stored answers to so many items, judged again with the candidate's.

    `gates` are those that had asked for them.
    """

    arm: Arm
    release: int
    trials: int
    items: int
    gates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """`limit` and `slice_limit` are the least accepted differences; `level` is that of the confidence sequence.

    `minimum`: what the candidate is held against when there is no incumbent. `certificates` are in order of what
    decided: refuted, open, then certified ones, the last one settled first. `settled`: all that were asked
    are certified, or the verdict is FAIL. `ending` says when and why it ended.
    """

    metric: str
    design: Design
    level: float | None
    limit: float
    slice_limit: float
    minimum: float | None
    candidate_mean: float | None
    incumbent_mean: float | None
    difference: Interval | None
    path: tuple[PathPoint, ...]
    certificates: tuple[Certificate, ...]
    slices: tuple[SliceEvidence, ...]
    spent: Spent
    settled: bool
    ending: str
    anchor: AnchorEvidence | None = None
    missing: tuple[Missing, ...] = ()
