"""Plan + records + verdict -> the report of a gate, as data."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from flywheel.domain.annotation import Annotation
from flywheel.domain.outcome import TrialRecord
from flywheel.domain.plan import ArmPlan, GatePlan, StoredArm
from flywheel.domain.reliability import passes, unstable_items
from flywheel.domain.verdict import Reason, Verdict
from flywheel.report.decision import StoredAnswers
from flywheel.report.estimates import read_decision
from flywheel.report.failures import failed_items
from flywheel.report.figures import arm_figures, differences, error_rows, metric_rows, money, named
from flywheel.report.judge_check import read_judge
from flywheel.report.model import (
    SCHEMA_VERSION,
    Deployment,
    Identity,
    MutedRow,
    Promotion,
    ReasonRow,
    Report,
)
from flywheel.report.plain import plain
from flywheel.report.reliability import items_below_n, reliability_rows
from flywheel.report.reviews import read_annotation
from flywheel.report.text import one_line, shorten
from flywheel.report.wording import first_words, headline, is_approved, meaning, next_step, wording

REASON_TEXT = 600


def build_report(
    plan: GatePlan,
    records: Sequence[TrialRecord],
    verdict: Verdict,
    *,
    promoted: bool,
    started: datetime,
    ended: datetime,
    promotion: Promotion | None = None,
    trace_url: Callable[[str], str] | None = None,
    stand_ins: Sequence[str] = (),
    deployments: Sequence[Deployment] = (),
    annotation: Annotation | None = None,
) -> Report:
    """The report of a gate that has ended.

    `records` may be empty (the candidate never started) and may hold an arm's trials in any order; a trial given twice
    counts once, the later one. `promotion` None: derived from `promoted` and the verdict. `trace_url` turns a trace id
    into the address of its trace; what is no web address is left out. `stand_ins` names each part that stood in for a
    real service. `annotation`: what became of asking people about it.

    Raises:
        ValueError: the verdict is still open, or a time has no zone.
    """
    if verdict.kind is None:
        raise ValueError(f"gate {plan.gate_id} has no verdict yet: a report is made when it has ended")
    if started.tzinfo is None or ended.tzinfo is None:
        raise ValueError("a report needs times with a zone, such as datetime.now(UTC)")
    distinct = list({r.key: r for r in records}.values())
    arms = tuple(a.arm for a in plan.arms)
    compared: tuple[ArmPlan | StoredArm, ...] = (*plan.arms, *plan.stored)
    evaluated = {r.key.item_id for r in distinct if not r.stored_from}
    named_items = {item for reason in verdict.reasons for item in reason.items}
    failed, omitted = failed_items(plan, distinct, named_items, trace_url)
    below_n, below_n_omitted = items_below_n(plan, distinct)
    figures = tuple(arm_figures(distinct, arm) for arm in arms)
    return Report(
        schema_version=SCHEMA_VERSION,
        gate_id=plan.gate_id,
        environment=plan.environment,
        verdict=verdict.kind,
        headline=shorten(headline(verdict), REASON_TEXT),
        meaning=meaning(
            verdict.kind, promoted=promoted, of_production=plan.judges_production, approved=is_approved(verdict)
        ),
        next_step=next_step(verdict, promoted=promoted),
        reasons=tuple(map(_reason_row, verdict.against)),
        notes=tuple(map(_reason_row, verdict.notes)),
        promoted=promoted,
        promotion=promotion or _derived_promotion(plan, verdict, promoted=promoted),
        trigger_source=plan.trigger.source,
        trigger_event_id=plan.trigger.event_id,
        requested_at=plan.trigger.requested_at,
        started_at=iso(started),
        ended_at=iso(ended),
        duration_s=round(max(0.0, (ended - started).total_seconds()), 3),
        identities=tuple(_identity(plan, arm) for arm in compared),
        stored=tuple(map(_stored, plan.stored)),
        incumbent_release=plan.incumbent_release,
        deployments=tuple(deployments),
        dataset_name=plan.dataset_name,
        dataset_version=plan.dataset_version,
        dataset_hash=plan.dataset_hash,
        dataset_items=len(plan.items),
        evaluated_items=len(evaluated),
        items_by_slice=dict(Counter(i.slice for i in plan.items)),
        judge_model_id=plan.judge.model_id,
        judge_version=plan.judge.version,
        primary_metric=plan.policy.primary_metric,
        pass_score=plan.policy.must_pass_score,
        metrics=metric_rows(plan, distinct),
        arms=figures,
        invocations=sum(f.trials for f in figures),
        errored=sum(f.errored for f in figures if f.arm == "candidate"),
        errors=error_rows(distinct),
        error_budget=plan.policy.maximum_error_rate,
        latency_budget_ms=plan.policy.latency_p95_ms,
        concurrency=plan.concurrency,
        cost_budget_usd=plan.policy.cost_per_item_usd,
        decision=read_decision(verdict, plan.policy, money=money(figures)),
        judge=read_judge(verdict.estimates),
        reliability=reliability_rows(plan, distinct),
        items_below_n=below_n,
        items_below_n_omitted=below_n_omitted,
        unstable=named(unstable_items(plan.items, distinct, pass_score=plan.policy.must_pass_score))[0],
        differences=differences(plan, distinct),
        failed_items=failed,
        failed_omitted=omitted,
        muted=_muted_rows(plan, distinct),
        policy=plain(plan.policy),
        estimates=plain(verdict.estimates or {}),
        seed=plan.seed,
        stand_ins=tuple(one_line(s) for s in stand_ins),
        reviews=read_annotation(annotation),
    )


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC, to the second."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _reason_row(reason: Reason) -> ReasonRow:
    items, omitted = named(reason.items)
    return ReasonRow(
        code=reason.code,
        title=wording(reason.code).title,
        message=shorten(first_words(reason), REASON_TEXT),
        metric=reason.metric,
        slice=reason.slice,
        observed=reason.observed,
        required=reason.required,
        items=items,
        items_omitted=omitted,
    )


def _stored(arm: StoredArm) -> StoredAnswers:
    gates, _ = named(arm.sources)
    return StoredAnswers(arm.arm, arm.release_no, sum(arm.trials.values()), len(arm.trials), gates)


def _identity(plan: GatePlan, arm: ArmPlan | StoredArm) -> Identity:
    it = arm.candidate
    pushed = arm.arm == "candidate"
    return Identity(
        arm=arm.arm,
        candidate_id=it.candidate_id,
        image_digest=it.image_digest,
        image_uri=it.image_uri,
        model_id=it.model_id,
        tag=plan.trigger.tag if pushed else None,
        revision=plan.revision if pushed else None,
        prompt=None if it.prompt_name is None else f"{it.prompt_name}:{it.prompt_version}",
        parameters={k: shorten(v, REASON_TEXT) if isinstance(v, str) else v for k, v in it.parameters},
        stored_release=arm.release_no if isinstance(arm, StoredArm) else None,
    )


def _derived_promotion(plan: GatePlan, verdict: Verdict, *, promoted: bool) -> Promotion:
    if promoted:
        return Promotion("promoted")
    if verdict.kind != "PASS":
        return Promotion("not_promoted", "Only a PASS, or what a person approved, goes to production.")
    if not plan.promote:
        return Promotion("not_requested", "This gate was asked to judge, not to promote.")
    return Promotion("failed", "The candidate passed, but production was not changed; the gate's events say why.")


def _muted_rows(plan: GatePlan, records: Sequence[TrialRecord]) -> tuple[MutedRow, ...]:
    """A muted item counts as failed by the policy's own rule: fewer than k of its trials passed."""
    rows = []
    for muted in plan.muted:
        own = [r for r in records if r.key.arm == "candidate" and r.key.item_id == muted.item_id]
        passed = sum(passes(r, plan.policy.must_pass_score) is True for r in own)
        failed = passed < plan.policy.must_pass_k if own else None
        rows.append(MutedRow(one_line(muted.item_id, 120), muted.until, shorten(muted.reason, REASON_TEXT), failed))
    return tuple(rows)


def report_to_dict(report: Report) -> dict[str, Any]:
    """Plain JSON values; the fields are those of `model.Report` and what it holds."""
    data: dict[str, Any] = plain(report)
    return data


def report_to_json(report: Report) -> str:
    """Content of `report.json`: `report_to_dict` with indentation, text as it is (UTF-8)."""
    return json.dumps(report_to_dict(report), indent=1, ensure_ascii=False) + "\n"
