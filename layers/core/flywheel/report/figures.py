"""Trial records of one gate -> the figures of its report: means, outcomes, latency, cost, differences."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from flywheel.domain.golden import SLICES
from flywheel.domain.outcome import Arm, Stage, TrialRecord
from flywheel.domain.plan import GatePlan
from flywheel.domain.policy import GatePolicy
from flywheel.domain.quantile import P95, percentile
from flywheel.domain.records import agent_errored
from flywheel.report.model import ArmFigures, ErrorRow, ItemDifference, MetricRow
from flywheel.report.text import one_line

NAMED_ITEMS = 50
# The regression tests: each counts by itself.
PRODUCTION = "production"


def mean(values: Sequence[float]) -> float | None:
    return fsum(values) / len(values) if values else None


def named(items: Iterable[str]) -> tuple[tuple[str, ...], int]:
    """The distinct items in order, at most `NAMED_ITEMS`, and how many were left out."""
    distinct = tuple(dict.fromkeys(items))
    return distinct[:NAMED_ITEMS], max(0, len(distinct) - NAMED_ITEMS)


def of_arm(records: Sequence[TrialRecord], arm: Arm) -> list[TrialRecord]:
    return [r for r in records if r.key.arm == arm]


def arm_figures(records: Sequence[TrialRecord], arm: Arm) -> ArmFigures:
    own = of_arm(records, arm)
    outcomes = Counter(r.outcome for r in own)
    # As the guards count it: an agent that failed fast is not fast.
    latencies = tuple(sorted(r.latency_ms for r in own if r.latency_ms is not None and not agent_errored(r)))
    costs = [r.cost_usd for r in own if r.cost_usd is not None]
    return ArmFigures(
        arm=arm,
        trials=len(own),
        answered=outcomes["answered"],
        refused=outcomes["refused"],
        errored=outcomes["errored"],
        latencies_ms=latencies,
        latency_p50_ms=round(percentile(latencies, 0.5)) if latencies else None,
        latency_p95_ms=round(percentile(latencies, P95)) if latencies else None,
        latency_max_ms=latencies[-1] if latencies else None,
        input_tokens=sum(r.usage.input_tokens for r in own),
        output_tokens=sum(r.usage.output_tokens for r in own),
        model_calls=sum(r.usage.model_calls for r in own),
        cost_usd=fsum(costs) if costs else None,
        cost_known=len(costs),
    )


@dataclass(frozen=True, slots=True)
class Money:
    """What the invocations of a gate cost, and one of them on average over the arms; None: not known."""

    spent_usd: float | None
    invocation_usd: float | None


def money(arms: Sequence[ArmFigures]) -> Money:
    """Cost of the arms that were invoked; an average that leaves an arm out would be wrong, so it is then not known."""
    costs = [f.cost_usd for f in arms if f.cost_usd is not None]
    each = [f.cost_usd / f.cost_known for f in arms if f.cost_usd is not None and f.cost_known]
    return Money(fsum(costs) if costs else None, fsum(each) / len(each) if each and len(each) == len(arms) else None)


def error_rows(records: Sequence[TrialRecord]) -> tuple[ErrorRow, ...]:
    """Errors of both arms by stage and kind, the most frequent first."""
    alike: dict[tuple[Arm, Stage, str], list[TrialRecord]] = defaultdict(list)
    for record in records:
        if record.error is not None:
            alike[(record.key.arm, record.error.stage, record.error.kind)].append(record)
    rows = []
    for (arm, stage, kind), group in alike.items():
        items, omitted = named(r.key.item_id for r in group)
        example = next(r.error.message for r in group if r.error is not None)
        rows.append(ErrorRow(arm, stage, one_line(kind, 120), len(group), one_line(example), items, omitted))
    return tuple(sorted(rows, key=lambda row: (row.arm, -row.count, row.stage, row.kind)))


def metric_rows(plan: GatePlan, records: Sequence[TrialRecord]) -> tuple[MetricRow, ...]:
    """Each metric over all items and per slice, the primary one first; also those with a minimum and no trial.

    As in the verdict, production items are in no average: they have a row of their own, `production`.
    """
    slice_of: dict[str, str] = {i.item_id: PRODUCTION if i.must_pass else i.slice for i in plan.items}
    scores: dict[tuple[str, str | None, Arm], list[float]] = defaultdict(list)
    for record in records:
        for metric, score in record.scores.items():
            where = slice_of.get(record.key.item_id, "unknown")
            scores[(metric, where, record.key.arm)].append(score)
            if where != PRODUCTION:
                scores[(metric, None, record.key.arm)].append(score)
    cells = {(metric, where) for metric, where, _ in scores} | _cells_with_minima(plan)
    primary = plan.policy.primary_metric
    order: dict[str | None, int] = {None: -1} | {s: n for n, s in enumerate(SLICES)}
    rows = [
        MetricRow(
            metric=metric,
            slice=where,
            candidate=mean(scores[(metric, where, "candidate")]),
            candidate_trials=len(scores[(metric, where, "candidate")]),
            incumbent=mean(scores[(metric, where, "incumbent")]),
            incumbent_trials=len(scores[(metric, where, "incumbent")]),
            required=required(plan.policy, metric, where),
        )
        for metric, where in cells
    ]
    return tuple(sorted(rows, key=lambda r: (r.metric != primary, r.metric, order.get(r.slice, 99))))


def _cells_with_minima(plan: GatePlan) -> set[tuple[str, str | None]]:
    cells: set[tuple[str, str | None]] = {(metric, None) for metric in plan.policy.minima}
    present = {i.slice for i in plan.items if not i.must_pass}
    return cells | {
        (metric, where) for where, minima in plan.policy.slice_minima.items() if where in present for metric in minima
    }


def required(policy: GatePolicy, metric: str, where: str | None) -> float | None:
    """The policy's minimum for this metric in this slice (None: over all items); None when it sets none."""
    minima: Mapping[str, float] = policy.minima if where is None else policy.slice_minima.get(where, {})
    return minima.get(metric)


def item_scores(records: Sequence[TrialRecord], arm: Arm, metric: str) -> dict[str, float]:
    """Mean of `metric` over the trials of each item that have it; items that only errored are not there."""
    scores: dict[str, list[float]] = defaultdict(list)
    for record in of_arm(records, arm):
        if metric in record.scores:
            scores[record.key.item_id].append(record.scores[metric])
    return {item: fsum(values) / len(values) for item, values in scores.items()}


def differences(plan: GatePlan, records: Sequence[TrialRecord]) -> tuple[ItemDifference, ...]:
    """Items that both arms were scored on, the largest loss of the candidate first."""
    metric = plan.policy.primary_metric
    ours, theirs = item_scores(records, "candidate", metric), item_scores(records, "incumbent", metric)
    slice_of = {i.item_id: i.slice for i in plan.items}
    rows = [
        ItemDifference(item, slice_of.get(item, "unknown"), ours[item], theirs[item], ours[item] - theirs[item])
        for item in ours.keys() & theirs.keys()
    ]
    return tuple(sorted(rows, key=lambda row: (row.difference, row.item_id)))
