"""A window of production traces -> which of them people review, in two draws, each with known probability.

1. The shortlist: of all traces, by what their heads say. Only these are read further.
2. The selection: of the shortlist, by all that is known then.

What a judge says of a share of the shortlist is one more thing that is known then: it moves the probability of the
second draw, and never to 0, so the product stays right whatever the judge says or leaves out.

Both are `sampling.select`, with keys that have nothing to do with each other. A trace is reviewed with the product of
both probabilities, which is never 0. A window is a stratum of its own: what it does not spend, later windows of the day
may, and each review keeps the probability with which it was drawn there. Reference: Saerndal, Swensson and Wretman
(1992), "Model assisted survey sampling", 9.3, on two-phase sampling.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from flywheel.domain.likeness import GoldenQuestions
from flywheel.domain.live_trace import TraceHead, TraceScore, TraceTexts
from flywheel.domain.risk import (
    combine,
    head_signals,
    score_signals,
    stratum_of,
    text_signals,
    topic_of,
    usual_latency_s,
)
from flywheel.domain.sampling import select
from flywheel.domain.sampling_settings import SamplingSettings

_SHORTLIST, _SELECTION, _JUDGED = b"shortlist:", b"selection:", b"judged:"


@dataclass(frozen=True, slots=True)
class Shortlisted:
    """`probability`: with which it came on the list, in (0, 1]."""

    head: TraceHead
    probability: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """A trace to review. `reasons`: its signals, then the parts of its weight that it was drawn by."""

    head: TraceHead
    inclusion_probability: float
    risk: float
    stratum: str
    reasons: tuple[str, ...]


def shortlist(
    heads: Sequence[TraceHead], failing: AbstractSet[str], settings: SamplingSettings, key: bytes, size: int
) -> list[Shortlisted]:
    """First draw: at most `size` traces whose texts and scores are worth reading; the likeliest first."""
    usual_s = usual_latency_s(heads)
    by_id = {head.trace_id: head for head in heads}
    weighed = [
        (
            head.trace_id,
            combine(head_signals(head, failing=failing, usual_s=usual_s), settings).value,
            topic_of(head, settings),
        )
        for head in heads
    ]
    return [
        Shortlisted(by_id[chosen.trace_id], chosen.inclusion_probability)
        for chosen in select(weighed, size, _SHORTLIST + key)
    ]


def judged(listed: Sequence[Shortlisted], key: bytes, settings: SamplingSettings) -> list[str]:
    """Ids of the traces whose answers a judge looks at: a share of the shortlist, the same for the same list and key.

    By a number of the id alone, so that neither risk nor topic is favoured.
    """
    ids = sorted((one.head.trace_id for one in listed), key=lambda trace: _number(_JUDGED + key, trace))
    return ids[: min(settings.judge_most, round(settings.judge_share * len(ids)))]


def _number(key: bytes, trace: str) -> bytes:
    return hmac.digest(key, trace.encode(errors="replace"), hashlib.sha256)


def draw(
    listed: Sequence[Shortlisted],
    budget: int,
    key: bytes,
    settings: SamplingSettings,
    *,
    usual_s: float | None,
    failing: AbstractSet[str],
    texts: Mapping[str, TraceTexts],
    scores: Mapping[str, Sequence[TraceScore]],
    golden: GoldenQuestions,
    judged_low: AbstractSet[str] = frozenset(),
) -> list[Drawn]:
    """Second draw: `budget` traces of the shortlist, by all that was read of them."""
    risks, strata = {}, {}
    for one in listed:
        trace = one.head.trace_id
        read = texts.get(trace)
        signals = head_signals(one.head, failing=failing, usual_s=usual_s)
        signals |= score_signals(scores.get(trace, ()), settings)
        if read is not None:
            signals |= text_signals(read, golden, settings)
        if trace in judged_low:
            signals["judge_low"] = 1.0
        risks[trace] = combine(signals, settings)
        strata[trace] = stratum_of(one.head, read, golden, settings)
    by_id = {one.head.trace_id: one for one in listed}
    weighed = [(trace, risk.value, strata[trace]) for trace, risk in risks.items()]
    return [
        Drawn(
            head=by_id[chosen.trace_id].head,
            inclusion_probability=by_id[chosen.trace_id].probability * chosen.inclusion_probability,
            risk=chosen.risk,
            stratum=chosen.topic,
            reasons=(*risks[chosen.trace_id].reasons, *chosen.reasons),
        )
        for chosen in select(weighed, budget, _SELECTION + key)
    ]
