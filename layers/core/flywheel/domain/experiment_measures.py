"""Results of an experiment's configurations -> what each was measured to be, and how it compares with the leader."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum, sqrt

from flywheel.domain.experiment_safety import is_safe
from flywheel.domain.golden import GoldenItem
from flywheel.domain.item_intervals import Figure, amount_figure, difference_figure, score_figure
from flywheel.domain.outcome import TrialKey, TrialRecord
from flywheel.domain.quantile import P95, percentile, percentile_interval
from flywheel.domain.records import agent_errored

# Those that came this close to the widest coverage are compared for the lead.
_AS_WIDE = 0.9

type ItemScores = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class SliceFigure:
    """Mean of the primary score over a configuration's own items of a slice."""

    slice: str
    quality: Figure
    items: int


@dataclass(frozen=True, slots=True)
class ConfigurationFigures:
    """What was measured of one configuration. None: nothing was.

    Attributes:
        trials: invocations of the agent, errored ones among them.
        errored: the agent or its runtime failed; such a trial scores 0, as it does in the search.
        judge_errored: answered, and not scored: it says nothing about quality.
        items: item -> mean primary score of its trials.
        quality: mean over the items of the leader: the leader's mean, and on top the paired difference on `shared`.
        difference: paired difference to the leader on the items that both were asked; None for the leader itself.
        shared: those items. Fewer than the leader's own: the quality is `estimated`.
        latency_p50_ms, latency_p95_ms: the agent's own duration, of trials in which it did not fail.
        cost_per_item_usd: mean cost of one trial, an item counting once; None: no trial has a known price.
        safety: share of the answers to adversarial items that are safe (`is_safe`), an item counting once.
    """

    configuration_id: str
    trials: int
    errored: int
    judge_errored: int
    items: ItemScores
    quality: Figure | None
    difference: Figure | None
    shared: int
    estimated: bool
    latency_p50_ms: Figure | None
    latency_p95_ms: Figure | None
    cost_per_item_usd: Figure | None
    cost_usd: float | None
    unpriced: int
    error_rate: float | None
    safety: Figure | None
    safety_items: int
    slices: tuple[SliceFigure, ...]
    judgements: int


@dataclass(frozen=True, slots=True)
class Measures:
    """`leader`: the best in quality among those that were not stopped, None when nothing was scored at all."""

    figures: Mapping[str, ConfigurationFigures]
    leader: str | None


def measure(
    items: Sequence[GoldenItem],
    metric: str,
    records: Mapping[str, Sequence[TrialRecord]],
    remaining: Collection[str],
    *,
    safe_from: float,
) -> Measures:
    """Figures of every configuration in `records`, which may hold a trial twice (the later one counts).

    `remaining`: those that the search did not stop; `safe_from`: the policy's `must_pass_score`.
    """
    trials = {name: _distinct(own, items) for name, own in records.items()}
    tables = {name: _means(own, metric) for name, own in trials.items()}
    leader = _leader(tables, remaining)
    slice_of = {item.item_id: item.slice for item in items}
    base = tables[leader] if leader is not None else {}
    figures = {
        name: _figures(name, trials[name], tables[name], base, slice_of, safe_from=safe_from) for name in records
    }
    return Measures(figures, leader)


def paired(ours: ItemScores, theirs: ItemScores) -> dict[str, float]:
    """Item -> ours - theirs, of the items that both have, in the order of ours."""
    return {item: score - theirs[item] for item, score in ours.items() if item in theirs}


def _distinct(records: Iterable[TrialRecord], items: Sequence[GoldenItem]) -> list[TrialRecord]:
    known = {item.item_id for item in items}
    found: dict[TrialKey, TrialRecord] = {r.key: r for r in records if r.key.item_id in known}
    return list(found.values())


def _means(records: Sequence[TrialRecord], metric: str) -> dict[str, float]:
    scores: dict[str, list[float]] = {}
    for record in records:
        if agent_errored(record):
            scores.setdefault(record.key.item_id, []).append(0.0)
        elif metric in record.scores:
            scores.setdefault(record.key.item_id, []).append(record.scores[metric])
    return {item: fsum(own) / len(own) for item, own in scores.items()}


def _safe_shares(records: Sequence[TrialRecord], slice_of: Mapping[str, str], least: float) -> dict[str, float]:
    seen: dict[str, list[float]] = {}
    for record in records:
        safe = is_safe(record, slice_of[record.key.item_id], least)
        if safe is not None:
            seen.setdefault(record.key.item_id, []).append(float(safe))
    return {item: _mean(own) for item, own in seen.items()}


def _leader(tables: Mapping[str, ItemScores], remaining: Collection[str]) -> str | None:
    scored = {name: table for name, table in tables.items() if table}
    going = {name: table for name, table in scored.items() if name in remaining} or scored
    if not going:
        return None
    widest = max(len(table) for table in going.values())
    wide = {name: table for name, table in going.items() if len(table) >= _AS_WIDE * widest}
    return min(wide, key=lambda name: (-_mean(wide[name].values()), name))


def _mean(values: Collection[float]) -> float:
    return fsum(values) / len(values)


def _figures(
    name: str,
    records: Sequence[TrialRecord],
    own: ItemScores,
    base: ItemScores,
    slice_of: Mapping[str, str],
    *,
    safe_from: float,
) -> ConfigurationFigures:
    errored = sum(agent_errored(r) for r in records)
    latencies = [r.latency_ms for r in records if r.latency_ms is not None and not agent_errored(r)]
    costs = [r.cost_usd for r in records if r.cost_usd is not None]
    safe = _safe_shares(records, slice_of, safe_from)
    quality, difference, shared = _against(own, base)
    return ConfigurationFigures(
        configuration_id=name,
        trials=len(records),
        errored=errored,
        judge_errored=sum(r.outcome == "errored" for r in records) - errored,
        items=own,
        quality=quality,
        difference=None if own is base else difference,
        shared=shared,
        estimated=shared < len(base),
        latency_p50_ms=_percentile(latencies, 0.5),
        latency_p95_ms=_percentile(latencies, P95),
        cost_per_item_usd=_cost_per_item(records),
        cost_usd=fsum(costs) if costs else None,
        unpriced=len(records) - errored - sum(r.cost_usd is not None and not agent_errored(r) for r in records),
        error_rate=errored / len(records) if records else None,
        safety=score_figure(list(safe.values())) if safe else None,
        safety_items=len(safe),
        slices=_slices(own, slice_of),
        judgements=sum(1 + bool(fact.again) for r in records for fact in r.facts),
    )


def _against(own: ItemScores, base: ItemScores) -> tuple[Figure | None, Figure | None, int]:
    """Quality over the leader's items, difference to the leader, and the items that both were asked."""
    differences = list(paired(own, base).values())
    if not differences:
        return (score_figure(list(own.values())) if own else None), None, 0
    difference = difference_figure(differences)
    if len(differences) == len(base):
        return score_figure([own[item] for item in base]), difference, len(base)
    leader = score_figure(list(base.values()))
    value = min(1.0, max(0.0, leader.value + difference.value))
    if difference.low is None or difference.high is None or leader.low is None or leader.high is None:
        return Figure(value), difference, len(differences)
    # Both may be off, independently of each other or nearly so.
    down = sqrt((leader.value - leader.low) ** 2 + (difference.value - difference.low) ** 2)
    up = sqrt((leader.high - leader.value) ** 2 + (difference.high - difference.value) ** 2)
    return Figure(value, max(0.0, value - down), min(1.0, value + up)), difference, len(differences)


def _percentile(values: Sequence[int], share: float) -> Figure | None:
    if not values:
        return None
    ends = percentile_interval(values, share)
    value = percentile(values, share)
    return Figure(value) if ends is None else Figure(value, min(ends[0], value), max(ends[1], value))


def _cost_per_item(records: Sequence[TrialRecord]) -> Figure | None:
    costs: dict[str, list[float]] = {}
    for record in records:
        if record.cost_usd is not None:
            costs.setdefault(record.key.item_id, []).append(record.cost_usd)
    return amount_figure([_mean(own) for own in costs.values()]) if costs else None


def _slices(own: ItemScores, slice_of: Mapping[str, str]) -> tuple[SliceFigure, ...]:
    members: dict[str, list[float]] = {}
    for item, score in own.items():
        members.setdefault(slice_of[item], []).append(score)
    return tuple(SliceFigure(name, score_figure(scores), len(scores)) for name, scores in sorted(members.items()))
