"""Traces -> which of them people review, each with the probability of having been chosen.

Selection is bottom-k of weighted ranks: a trace's rank is u / weight, u in (0, 1] being a keyed hash of its id, and the
k lowest ranks are reviewed. With t the lowest rank that is left out, a trace is chosen with probability
min(1, weight * t), given what the others drew. References: Ohlsson (1998), sequential Poisson sampling; Duffield, Lund
and Thorup (2007), priority sampling; Cohen and Kaplan (2007), bottom-k sketches and their conditioning on t.

The budget is met exactly; the same traces give the same selection, again and in any order; and a large population may
be taken in shards: totals of every shard first, then `shard` with the sum of them, then `merge`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from heapq import nsmallest
from math import inf

from flywheel.domain.json_words import shown
from flywheel.domain.sample_estimate import Day, Estimate, Pooled, estimate, pool
from flywheel.domain.sampled_traces import Columns, Totals, Trace, columns, weighing
from flywheel.errors import InvalidRequestError

__all__ = [
    "Day",
    "Estimate",
    "Pooled",
    "Selected",
    "Shard",
    "Totals",
    "estimate",
    "merge",
    "pool",
    "select",
    "shard",
    "totals",
]

_BYTES = 8
_UNITS = 2.0 ** (8 * _BYTES)


@dataclass(frozen=True, slots=True)
class Selected:
    """A trace to review.

    `inclusion_probability`: in (0, 1], as it was when the trace was chosen; it cannot be computed afterwards.
    `reasons`: the parts of the weight that it took, the largest first: "risk", "uniform" (it stands for ordinary
    traffic), "topic" (its topic is rare); or "all" alone, when there was budget for every trace.
    """

    trace_id: str
    inclusion_probability: float
    reasons: tuple[str, ...]
    risk: float
    topic: str


@dataclass(frozen=True, slots=True)
class Ranked:
    """A trace that may be selected. The lower `rank`, the sooner; ids break ties."""

    rank: float
    trace_id: str
    weight: float
    risk: float
    topic: str
    risk_units: int


@dataclass(frozen=True, slots=True)
class Shard:
    """Part of a population: its budget + 1 lowest ranks, which is all that a selection can need of it.

    `key_mark` tells keys apart and gives none away.
    """

    totals: Totals
    budget: int
    key_mark: str
    lowest: tuple[Ranked, ...]


def select(traces: Iterable[Trace], budget: int, key: bytes) -> list[Selected]:
    """Choose `budget` traces of (id, risk, topic), or all when there are no more; the lowest rank first.

    A smaller budget's selection is the beginning of a larger one's. An id that comes several times is one trace, with
    its highest risk. Keep `key` secret and the same: who knows it knows what nobody will look at.

    Raises:
        InvalidRequestError: a trace is not what it should be, the budget is negative, the key is empty.
    """
    checked = columns(traces)
    return merge([_shard(checked, checked.totals(), budget, key)])


def totals(traces: Iterable[Trace]) -> Totals:
    """First pass over a shard: what the weights need of it.

    A trace id belongs to one shard only, or it is counted twice.

    Raises:
        InvalidRequestError: a trace is not what it should be.
    """
    return columns(traces).totals()


def shard(traces: Iterable[Trace], population: Totals, budget: int, key: bytes) -> Shard:
    """Second pass over a shard, with the sum of all shards' totals.

    Raises:
        InvalidRequestError: as of `select`, or the population's totals do not hold these traces.
    """
    checked = columns(traces)
    if _is_not_in(checked.totals(), population):
        raise InvalidRequestError("the population's totals do not hold this shard's traces: add its own totals first")
    return _shard(checked, population, budget, key)


def merge(shards: Sequence[Shard]) -> list[Selected]:
    """The selection of all shards together: exactly that of `select` on all their traces.

    A shard that is given twice changes nothing.

    Raises:
        InvalidRequestError: the shards are of different populations, budgets or keys, or a trace is in two of them with
            different risks or topics.
    """
    if not shards:
        return []
    first = shards[0]
    if any((s.totals, s.budget, s.key_mark) != (first.totals, first.budget, first.key_mark) for s in shards):
        raise InvalidRequestError("shards to merge must have the same totals, budget and key")
    lowest: dict[str, Ranked] = {}
    for one in (ranked for part in shards for ranked in part.lowest):
        if lowest.setdefault(one.trace_id, one) != one:
            raise InvalidRequestError(f"trace {shown(one.trace_id)} is in two shards, and not the same in both")
    ranked = sorted(lowest.values(), key=lambda one: (one.rank, one.trace_id))
    threshold = ranked[first.budget].rank if len(ranked) > first.budget else inf
    chosen = ranked[: first.budget]
    return [
        Selected(one.trace_id, min(1.0, one.weight * threshold), reasons, one.risk, one.topic)
        for one, reasons in zip(chosen, _reasons(chosen, first.totals, threshold), strict=True)
    ]


def _reasons(chosen: Sequence[Ranked], population: Totals, threshold: float) -> list[tuple[str, ...]]:
    if not chosen or threshold == inf:
        return [("all",)] * len(chosen)
    weighed = weighing(population)
    return [_needed(weighed.parts(one.risk_units, one.topic), one.rank * one.weight / threshold) for one in chosen]


def _needed(parts: Mapping[str, float], needed: float) -> tuple[str, ...]:
    """The fewest parts, the largest first, whose sum alone would have kept the rank under the threshold."""
    reached = 0.0
    reasons = []
    for name, part in sorted(parts.items(), key=lambda item: -item[1]):
        reasons.append(name)
        reached += part
        if reached > needed:
            break
    return tuple(reasons)


def _shard(checked: Columns, population: Totals, budget: int, key: bytes) -> Shard:
    if isinstance(budget, bool) or not isinstance(budget, int) or budget < 0:
        raise InvalidRequestError(f"the budget is {shown(budget)}; expected a whole number from 0 on")
    if not isinstance(key, bytes) or not key:
        raise InvalidRequestError("the sampler's key must be bytes, and not empty")
    seed = _seed(key)
    mark = blake2b(seed, digest_size=_BYTES, person=b"flywheel.mark").hexdigest()
    if not checked.trace_ids:
        return Shard(population, budget, mark, ())
    weights = weighing(population).weights(checked)
    ranks = [u / weight for u, weight in zip(_uniforms(checked.trace_ids, seed), weights, strict=True)]
    last = max(nsmallest(budget + 1, ranks))
    lowest = sorted((rank, checked.trace_ids[at], at) for at, rank in enumerate(ranks) if rank <= last)[: budget + 1]
    return Shard(
        population,
        budget,
        mark,
        tuple(
            Ranked(rank, trace_id, weights[at], checked.risks[at], checked.topics[at], checked.risk_units[at])
            for rank, trace_id, at in lowest
        ),
    )


def _is_not_in(part: Totals, population: Totals) -> bool:
    return (
        part.traces > population.traces
        or part.risk_units > population.risk_units
        or any(count > population.topics.get(topic, 0) for topic, count in part.topics.items())
    )


def _seed(key: bytes) -> bytes:
    """A key of the length that the hash takes, of a key of any length, for this use and no other."""
    return blake2b(key, digest_size=64, person=b"flywheel.key").digest()


def _uniforms(trace_ids: Iterable[str], seed: bytes) -> list[float]:
    """A number in (0, 1] for each trace id, the same each time and for nobody to foretell without the key.

    `person` sets it apart: a sampler upstream that hashes the same ids, with the same key even, has drawn numbers that
    say nothing about ours.
    """
    keyed = blake2b(key=seed, digest_size=_BYTES, person=b"flywheel.sample")
    digests = []
    for trace_id in trace_ids:
        of_trace = keyed.copy()
        of_trace.update(trace_id.encode("utf-8", "surrogatepass"))
        digests.append(of_trace.digest())
    return [(number + 0.5) / _UNITS for number in map(int.from_bytes, digests)]
