"""Trial records + golden items -> the failed items of a report, with everything one needs to judge them by eye."""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence

from flywheel.domain.golden import GoldenItem
from flywheel.domain.outcome import TrialRecord
from flywheel.domain.plan import GatePlan
from flywheel.domain.reliability import passes
from flywheel.report.figures import item_scores, of_arm
from flywheel.report.model import FactRow, FailedItem, FailedTrial, StepRow
from flywheel.report.text import one_line, shorten, web_link
from flywheel.report.wording import choice_text

FAILED_ITEMS = 200
TRIALS_SHOWN = 10
STEPS_SHOWN = 40
FACTS_SHOWN = 40
SHORT_TEXT = 600


def failed(record: TrialRecord, pass_score: float) -> bool:
    """The trial was answered and did not pass by the policy's own rule; an errored one is no wrong answer."""
    return record.outcome != "errored" and passes(record, pass_score) is False


def failed_items(
    plan: GatePlan, records: Sequence[TrialRecord], named: Collection[str], trace_url: Callable[[str], str] | None
) -> tuple[tuple[FailedItem, ...], int]:
    """Items of which a trial of the candidate failed, or that a reason names, the worst first; and how many more."""
    pass_score, metric = plan.policy.must_pass_score, plan.policy.primary_metric
    incumbent = item_scores(records, "incumbent", metric)
    own: dict[str, list[TrialRecord]] = defaultdict(list)
    for record in of_arm(records, "candidate"):
        own[record.key.item_id].append(record)
    muted = {m.item_id for m in plan.muted}
    rows: list[tuple[tuple[bool, bool, float, str], FailedItem]] = []
    for item in plan.items:
        trials = sorted(own[item.item_id], key=lambda r: r.key.trial)
        shown = [r for r in trials if r.outcome == "errored" or failed(r, pass_score)] or (
            trials if item.item_id in named else []
        )
        if not shown:
            continue
        row = _failed_item(
            item,
            trials,
            shown,
            plan,
            trace_url=trace_url,
            muted=item.item_id in muted,
            incumbent=incumbent.get(item.item_id),
        )
        worst = min((r.scores.get(metric, 0.0) for r in shown), default=0.0)
        rows.append(((not item.must_pass, row.errored == row.trials, worst, item.item_id), row))
    ordered = [row for _, row in sorted(rows, key=lambda pair: pair[0])]
    return tuple(ordered[:FAILED_ITEMS]), max(0, len(ordered) - FAILED_ITEMS)


def _failed_item(
    item: GoldenItem,
    trials: Sequence[TrialRecord],
    shown: Sequence[TrialRecord],
    plan: GatePlan,
    *,
    trace_url: Callable[[str], str] | None,
    muted: bool,
    incumbent: float | None,
) -> FailedItem:
    return FailedItem(
        item_id=item.item_id,
        slice=item.slice,
        must_pass=item.must_pass,
        muted=muted,
        question=shorten(item.question),
        expected_facts=tuple(shorten(f, SHORT_TEXT) for f in item.response_facts[:FACTS_SHOWN]),
        expected_trajectory=tuple(one_line(t, 120) for t in item.trajectory[:STEPS_SHOWN]),
        expected_search_term=None if item.search_term is None else one_line(item.search_term),
        must_refuse=item.must_refuse,
        errored=sum(r.outcome == "errored" for r in trials),
        failed=sum(failed(r, plan.policy.must_pass_score) for r in trials),
        trials=len(trials),
        incumbent=incumbent,
        failures=tuple(_failed_trial(r, plan.policy.primary_metric, trace_url) for r in shown[:TRIALS_SHOWN]),
    )


def _failed_trial(record: TrialRecord, metric: str, trace_url: Callable[[str], str] | None) -> FailedTrial:
    error = record.error
    return FailedTrial(
        trial=record.key.trial,
        outcome=record.outcome,
        score=record.scores.get(metric),
        scores=dict(record.scores),
        facts=tuple(
            FactRow(
                shorten(f.fact, SHORT_TEXT), f.choice, choice_text(f.choice), f.score, shorten(f.rationale, SHORT_TEXT)
            )
            for f in record.facts[:FACTS_SHOWN]
        ),
        answer=shorten(record.answer),
        answer_characters=len(record.answer),
        stop_reason=one_line(record.stop_reason, 80),
        trajectory=tuple(
            StepRow(one_line(s.tool, 120), shorten(s.input, SHORT_TEXT), s.error)
            for s in record.trajectory[:STEPS_SHOWN]
        ),
        latency_ms=record.latency_ms,
        error_stage=None if error is None else error.stage,
        error_kind=None if error is None else one_line(error.kind, 120),
        error_message=None if error is None else shorten(error.message, SHORT_TEXT),
        trace_id=one_line(record.trace_id, 80),
        trace_url=web_link(trace_url(record.trace_id)) if trace_url is not None and record.trace_id else None,
    )
