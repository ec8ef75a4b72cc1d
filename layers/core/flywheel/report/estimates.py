"""Estimates of a verdict -> `Decision`, or None where there is no sequential decision to report.

Estimates come from a file that an older or a newer gate may have written: what a page does not know is ignored, and
what it cannot read is left out of the decision. The whole of them stays in the report as it was written.
"""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from flywheel.domain.policy import GatePolicy
from flywheel.domain.verdict import Verdict
from flywheel.report.decision import (
    AnchorEvidence,
    Certificate,
    ClaimState,
    Decision,
    Design,
    Interval,
    Missing,
    PathPoint,
    SliceEvidence,
    SliceState,
    Spent,
)
from flywheel.report.figures import Money
from flywheel.report.text import one_line
from flywheel.report.wording import wording
from flywheel.report.words import after

_NAME = 120
_UNKNOWN = Money(None, None)
_ORDER: Mapping[ClaimState, int] = {"refuted": 0, "open": 1, "certified": 2, "not_asked": 3}
_SUBJECTS = {"mean": "the mean", "error_rate": "the error rate", "anchor": "the loss against the anchor"}


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, frozen=True)


class _Interval(_Read):
    mean: float
    low: float | None = None
    high: float | None = None
    pairs: NonNegativeInt


class _Certificate(_Read):
    name: str
    slice: str | None = None
    claim: str
    threshold: float
    observed: float | None = None
    evidence: float
    needed: float
    state: ClaimState
    at_pairs: NonNegativeInt | None = None
    refuting_evidence: float | None = None
    refuting_needed: float | None = None


class _Arm(_Read):
    mean: float | None = None


class _Slice(_Read):
    pairs: NonNegativeInt
    candidate: _Arm
    incumbent: _Arm | None = None
    difference: _Interval | None = None
    state: SliceState
    certified_in: str | None = None
    items: NonNegativeInt


class _Anchor(_Read):
    difference: _Interval | None = None
    state: ClaimState


class _Fixed(_Read):
    pairs: NonNegativeInt
    invocations: NonNegativeInt


class _Missing(_Read):
    certificate: str
    slice: str | None = None
    pairs: NonNegativeInt | None = None
    invocations: NonNegativeInt | None = None
    message: str


class _Estimates(_Read):
    metric: str
    design: Design
    pairs: NonNegativeInt
    cap_pairs: NonNegativeInt
    invocations: NonNegativeInt
    cap_invocations: NonNegativeInt
    candidate: _Arm
    incumbent: _Arm | None = None
    difference: _Interval | None = None
    level: float | None = None
    path: tuple[tuple[NonNegativeInt, float, float, float], ...] = ()
    certificates: tuple[_Certificate, ...] = ()
    slices: dict[str, _Slice] = Field(default_factory=dict)
    anchor: _Anchor | None = None
    fixed_design: _Fixed | None = None
    missing: tuple[_Missing, ...] = ()


def read_decision(verdict: Verdict, policy: GatePolicy, *, money: Money = _UNKNOWN) -> Decision | None:
    """The sequential decision behind a verdict; None for a point estimate, or where nothing was estimated."""
    try:
        it = _Estimates.model_validate(verdict.estimates)
    except ValidationError:
        return None
    groups = {c.slice: c.state for c in it.certificates if c.slice is not None}
    certificates = tuple(sorted(map(_certificate, it.certificates), key=_deciding))
    one_sample = it.design == "one_sample"
    minimum = policy.minima.get(policy.primary_metric, policy.entry_minimum)
    return Decision(
        metric=one_line(it.metric, _NAME),
        design=it.design,
        level=it.level,
        limit=0.0 if one_sample else -policy.margin,
        slice_limit=-policy.slice_margin,
        minimum=minimum if one_sample else None,
        candidate_mean=it.candidate.mean,
        incumbent_mean=it.incumbent.mean if it.incumbent else None,
        difference=_interval(it.difference),
        path=tuple(PathPoint(*point) for point in it.path),
        certificates=certificates,
        slices=tuple(_slice(name, found, groups) for name, found in it.slices.items()),
        spent=_spent(it, money),
        settled=_settled(certificates, verdict),
        ending=_ending(it, certificates, verdict),
        anchor=AnchorEvidence(_interval(it.anchor.difference), it.anchor.state, policy.anchor_margin)
        if it.anchor
        else None,
        missing=tuple(_missing(found, money.invocation_usd) for found in it.missing) if _goes_on(verdict) else (),
    )


def _interval(found: _Interval | None) -> Interval | None:
    """None also for a mean without its confidence sequence: alone it would look more certain than it is."""
    if found is None or found.low is None or found.high is None:
        return None
    return Interval(found.mean, found.low, found.high, found.pairs)


def _certificate(found: _Certificate) -> Certificate:
    return Certificate(
        name=one_line(found.name, _NAME),
        slice=None if found.slice is None else one_line(found.slice, _NAME),
        claim=one_line(found.claim),
        threshold=found.threshold,
        observed=found.observed,
        evidence=found.evidence,
        needed=found.needed,
        state=found.state,
        at_pairs=found.at_pairs,
        refuting_evidence=found.refuting_evidence,
        refuting_needed=found.refuting_needed,
    )


def _deciding(it: Certificate) -> tuple[int, int]:
    """Refuted first; of what is certified the last one settled, because the others waited for it."""
    at = it.at_pairs or 0
    return _ORDER[it.state], at if it.state == "refuted" else -at


def _slice(name: str, found: _Slice, groups: Mapping[str, ClaimState]) -> SliceEvidence:
    label = one_line(name, _NAME)
    group = None if found.certified_in in (None, name) else found.certified_in
    return SliceEvidence(
        slice=label,
        items=found.items,
        pairs=found.pairs,
        candidate=found.candidate.mean,
        incumbent=found.incumbent.mean if found.incumbent else None,
        difference=_interval(found.difference),
        state=found.state,
        group=None if group is None else one_line(group, _NAME),
        group_state=None if group is None else groups.get(group),
    )


def _missing(found: _Missing, invocation_usd: float | None) -> Missing:
    return Missing(
        certificate=one_line(found.certificate, _NAME),
        slice=None if found.slice is None else one_line(found.slice, _NAME),
        subject=_subject(found.certificate, found.slice),
        pairs=found.pairs,
        invocations=found.invocations,
        message=one_line(found.message),
        usd=_times(invocation_usd, found.invocations),
    )


def _spent(it: _Estimates, money: Money) -> Spent:
    fixed = it.fixed_design.invocations if it.fixed_design else 0
    return Spent(
        pairs=it.pairs,
        invocations=it.invocations,
        usd=money.spent_usd,
        cap_pairs=it.cap_pairs,
        cap_invocations=it.cap_invocations,
        cap_usd=_times(money.invocation_usd, it.cap_invocations),
        fixed_pairs=it.fixed_design.pairs if it.fixed_design else 0,
        fixed_invocations=fixed,
        fixed_usd=_times(money.invocation_usd, fixed),
        saved=1.0 - it.invocations / fixed if fixed else 0.0,
    )


def _times(usd: float | None, invocations: int | None) -> float | None:
    return None if usd is None or invocations is None else usd * invocations


def _settled(certificates: Sequence[Certificate], verdict: Verdict) -> bool:
    return verdict.kind == "FAIL" or {c.state for c in certificates} - {"not_asked"} == {"certified"}


def _goes_on(verdict: Verdict) -> bool:
    """Whether more pairs could help: a FAIL misses nothing, and of a void run nothing can be continued."""
    return verdict.kind == "INCONCLUSIVE" and not any(reason.code == "void" for reason in verdict.reasons)


def _ending(it: _Estimates, certificates: Sequence[Certificate], verdict: Verdict) -> str:
    """When it ended and why, in one sentence."""
    when = f"Ended after {it.pairs:,} of {it.cap_pairs:,} possible pairs"
    if it.pairs >= it.cap_pairs:
        when = f"Ended with all {after(it.cap_pairs)} used"
    asked = [c for c in certificates if c.state != "not_asked"]
    refuted = [c for c in asked if c.state == "refuted"]
    still_open = [c for c in asked if c.state != "certified"]
    # In a run that is void the error rate is refuted too, but nothing is concluded from that.
    if refuted and verdict.kind == "FAIL":
        why = f"{_subjects(refuted)} {'was' if len(refuted) == 1 else 'were'} refuted"
    elif asked and not still_open:
        why = f"{_subjects(asked[::-1])} {'is' if len(asked) == 1 else 'are'} certified"
    elif verdict.against and verdict.against[0].code != "undecided":
        title = wording(verdict.against[0].code).title
        why = title[:1].lower() + title[1:]
    elif still_open:
        why = f"{_subjects(still_open)} {'is' if len(still_open) == 1 else 'are'} still open"
    else:
        return f"{when}."
    return f"{when}: {why}."


def _subject(certificate: str, where: str | None) -> str:
    if where is not None:
        return f"slice {one_line(where, _NAME)}"
    return _SUBJECTS.get(certificate, one_line(certificate, _NAME))


def _subjects(certificates: Sequence[Certificate]) -> str:
    """`the mean, the error rate and 3 slices`; a single slice by its name."""
    slices = [c for c in certificates if c.slice is not None]
    named = list(dict.fromkeys(_subject(c.name, None) for c in certificates if c.slice is None))
    if slices:
        named.append(_subject("slice", slices[0].slice) if len(slices) == 1 else f"{len(slices)} slices")
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
