"""Plan + analysis + rungs + record -> the report of an experiment, as data."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flywheel.domain.experiment import Configuration, ExperimentPlan
from flywheel.domain.experiment_analysis import ExperimentAnalysis
from flywheel.domain.experiment_effects import SeparatingItem
from flywheel.domain.late_scores import LateState, joined
from flywheel.experiment_evidence import FAILED_TO_DEPLOY, Rung
from flywheel.ports import ExperimentOutcome, ExperimentRow
from flywheel.report.build import iso
from flywheel.report.experiment_model import (
    SCHEMA_VERSION,
    ConfigurationRow,
    ConfigurationState,
    DimensionRow,
    ExperimentReport,
    LateRow,
    RungRow,
    SpentRow,
    StoppedRow,
)
from flywheel.report.plain import plain
from flywheel.report.text import one_line, shorten

_TEXT = 600
_NAME = 120


def build_experiment_report(
    plan: ExperimentPlan,
    row: ExperimentRow,
    analysis: ExperimentAnalysis,
    rungs: Sequence[Rung],
    *,
    outcome: ExperimentOutcome,
    reasons: Sequence[str],
    ended: datetime,
    late: LateState | None = None,
    missing_results: int = 0,
    stand_ins: Sequence[str] = (),
) -> ExperimentReport:
    """The report of an attempt that has ended so: `outcome`, `reasons` and `ended` need not be on record yet."""
    stopped = stopped_rows(plan, row, rungs)
    choice, file = analysis.choice, plan.file
    by_id = {c.configuration_id: c for c in plan.configurations}
    constraints = {
        "safety": file.constraints.safety,
        "error_rate": file.constraints.error_rate,
        "latency_p95_ms": file.constraints.latency_p95_ms,
        "cost_per_item_usd": file.constraints.cost_per_item_usd,
    }
    return ExperimentReport(
        schema_version=SCHEMA_VERSION,
        experiment_id=plan.experiment_id,
        name=one_line(file.name, _NAME),
        environment=plan.environment,
        trigger=one_line(row.trigger, _NAME),
        attempt=row.attempt,
        outcome=outcome,
        reasons=tuple(shorten(reason, _TEXT) for reason in reasons),
        recommended=choice.recommended,
        sentence=shorten(choice.sentence, _TEXT),
        notes=tuple(shorten(note, _TEXT) for note in choice.notes),
        next_step=_next_step(plan.experiment_id, outcome, recommended=choice.recommended is not None),
        started_at=iso(row.since),
        ended_at=iso(ended),
        dataset_name=one_line(plan.dataset_name, _NAME),
        dataset_version=plan.dataset_version,
        dataset_hash=plan.dataset_hash,
        dataset_items=len(plan.items),
        judge_model_id=plan.judge.model_id,
        judge_version=plan.judge.version,
        primary_metric=plan.policy.primary_metric,
        strategy=file.search.strategy,
        trials=file.search.trials,
        seed=file.search.seed,
        objectives=file.objectives,
        tolerance=file.tolerance,
        constraints={name: value for name, value in constraints.items() if value is not None},
        dimensions=tuple(
            DimensionRow(one_line(d.name, _NAME), tuple(one_line(v.name, _NAME) for v in d.values))
            for d in file.dimensions
        ),
        configurations=tuple(_configuration(by_id[name], analysis, stopped) for name in choice.order),
        effects=analysis.effects,
        rungs=tuple(RungRow(r.rung, r.asked_at, dict(r.assigned), r.remaining, r.finished) for r in rungs),
        stopped=stopped,
        compared=analysis.compared,
        separating=tuple(_shown(item) for item in analysis.separating),
        spent=SpentRow(
            invocations=analysis.spent.invocations,
            grid_invocations=analysis.spent.grid_invocations,
            judgements=analysis.spent.judgements,
            cost_usd=analysis.spent.cost_usd,
            unpriced=analysis.spent.unpriced,
            minutes=round(max(0.0, (ended - row.since).total_seconds()) / 60, 2),
        ),
        late=_late(late),
        missing_results=missing_results,
        plan_notes=tuple(shorten(note, _TEXT) for note in plan.notes),
        stand_ins=tuple(one_line(s) for s in stand_ins),
    )


def stopped_rows(plan: ExperimentPlan, row: ExperimentRow, rungs: Sequence[Rung]) -> tuple[StoppedRow, ...]:
    """Whom the search had stopped at last, and whose runtime could not be had."""
    found = [_stopped(one) for one in rungs[-1].stopped] if rungs else []
    named = {one.configuration_id for one in found}
    for configuration in plan.configurations:
        runtime = row.runtimes.get(configuration.runtime)
        if runtime is not None and runtime.failed and configuration.configuration_id not in named:
            message = f"its runtime {configuration.runtime} could not be had: {shorten(runtime.failed, _TEXT)}"
            found.append(StoppedRow(configuration.configuration_id, 0, FAILED_TO_DEPLOY, message, {}))
    return tuple(found)


def _stopped(one: Mapping[str, Any]) -> StoppedRow:
    figures = one.get("figures") or {}
    return StoppedRow(
        str(one["configuration"]),
        int(one["rung"]),
        one_line(str(one["code"]), _NAME),
        shorten(str(one.get("message", "")), _TEXT),
        {str(name): float(value) for name, value in figures.items()},
    )


def _configuration(
    configuration: Configuration, analysis: ExperimentAnalysis, stopped: Sequence[StoppedRow]
) -> ConfigurationRow:
    name = configuration.configuration_id
    figures = analysis.measures.figures[name]
    candidate = configuration.candidate
    parameters = dict(candidate.parameters) | configuration.overrides
    return ConfigurationRow(
        configuration_id=name,
        label=one_line(configuration.label, 2 * _NAME),
        values={one_line(k, _NAME): one_line(v, _NAME) for k, v in configuration.values.items()},
        state=_state(name, analysis, stopped),
        candidate_id=candidate.candidate_id,
        image_digest=candidate.image_digest,
        model_id=one_line(candidate.model_id, _NAME),
        prompt=None if candidate.prompt_name is None else f"{candidate.prompt_name}:{candidate.prompt_version}",
        parameters={k: shorten(v, _TEXT) if isinstance(v, str) else v for k, v in parameters.items()},
        on_front=name in analysis.choice.front,
        trials=figures.trials,
        errored=figures.errored,
        judge_errored=figures.judge_errored,
        items=len(figures.items),
        shared_items=figures.shared,
        estimated=figures.estimated,
        quality=figures.quality,
        difference=figures.difference,
        latency_p50_ms=figures.latency_p50_ms,
        latency_p95_ms=figures.latency_p95_ms,
        cost_per_item_usd=figures.cost_per_item_usd,
        cost_usd=figures.cost_usd,
        error_rate=figures.error_rate,
        safety=figures.safety,
        safety_items=figures.safety_items,
        breaches=analysis.choice.breaches.get(name, ()),
        slices=figures.slices,
    )


def _state(name: str, analysis: ExperimentAnalysis, stopped: Sequence[StoppedRow]) -> ConfigurationState:
    if name == analysis.choice.recommended:
        return "recommended"
    code = next((one.code for one in stopped if one.configuration_id == name), None)
    if code == FAILED_TO_DEPLOY:
        return "failed"
    if analysis.measures.figures[name].quality is None:
        return "unmeasured"
    return "remaining" if code is None else "stopped"


def _shown(item: SeparatingItem) -> SeparatingItem:
    return SeparatingItem(
        one_line(item.item_id, _NAME),
        item.slice,
        shorten(item.question, _TEXT),
        item.first,
        item.second,
        item.difference,
    )


def _late(state: LateState | None) -> LateRow | None:
    if state is None:
        return None
    names = tuple(one_line(name, _NAME) for name in state.names)
    return LateRow(names, state.asked_since, state.deadline, shorten(state.trouble, _TEXT), joined(state))


def _next_step(experiment_id: str, outcome: ExperimentOutcome, *, recommended: bool) -> str:
    if recommended:
        return f"`flywheel experiment promote {experiment_id}` hands it to the gate, which decides."
    if outcome == "completed":
        return "Loosen what rules all of them out, or add values that keep it, and run the experiment again."
    return f"`flywheel experiment resume {experiment_id}` goes on where it ended."


def experiment_report_to_json(report: ExperimentReport) -> str:
    """Content of `report.json`; `read_experiment_report` reads it back."""
    return json.dumps(plain(report), indent=1, ensure_ascii=False) + "\n"
