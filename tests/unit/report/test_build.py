"""A plan, its records and a verdict -> the report as data."""

import json
from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest

from flywheel.domain.outcome import FactScore, TrialError, TrialKey, TrialRecord, Usage
from flywheel.domain.plan import StoredArm
from flywheel.domain.policy import GatePolicy
from flywheel.domain.verdict import Reason, Verdict
from flywheel.report import Report, build_report, render_html, report_to_json
from flywheel.report.decision import StoredAnswers
from flywheel.report.text import TEXT_LIMIT
from tests import report_samples
from tests.report_estimates import estimates
from tests.report_gates import gate_plan, golden_items
from tests.report_samples import STARTED

_PLAN = gate_plan(items=golden_items(6))
_FIRST = _PLAN.items[0].item_id


def _report(*records: TrialRecord, verdict: Verdict | None = None, **more: object) -> Report:
    options: dict[str, object] = {"promoted": False, "started": STARTED, "ended": STARTED} | more
    return build_report(_PLAN, records, verdict or Verdict("FAIL", (Reason("minimum", "too low"),)), **options)  # type: ignore[arg-type]


def _answered(score: float, arm: str = "candidate", item: str = _FIRST, trial: int = 1, **more: object) -> TrialRecord:
    key = TrialKey(item, trial, arm)  # type: ignore[arg-type]
    return TrialRecord(key, "answered", scores={"correctness": score}, **more)  # type: ignore[arg-type]


def _errored(stage: str = "invoke", item: str = _FIRST, trial: int = 1) -> TrialRecord:
    key = TrialKey(item, trial, "candidate")
    return TrialRecord(key, "errored", error=TrialError(stage, "timeout", "took too long"))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(report_samples.SAMPLES))
def test_report_json_has_every_field_of_the_report_and_is_plain_json(name: str) -> None:
    report = report_samples.SAMPLES[name]()
    text = report_to_json(report)
    data = json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))
    assert list(data) == [f.name for f in fields(Report)]
    assert data["verdict"] == report.verdict
    assert text.encode("utf-8")


def test_a_report_of_a_gate_that_is_still_open_is_refused() -> None:
    with pytest.raises(ValueError, match="no verdict yet"):
        _report(verdict=Verdict(None))


def test_a_report_needs_times_with_a_zone() -> None:
    with pytest.raises(ValueError, match="zone"):
        _report(started=datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused


def test_times_are_in_utc_and_the_duration_is_their_difference() -> None:
    report = report_samples.passing()
    assert report.started_at == "2026-11-23T07:12:03Z"
    assert report.duration_s == 52.4


def test_an_errored_trial_is_counted_as_errored_and_in_no_mean() -> None:
    report = _report(_answered(1.0, item=_PLAN.items[1].item_id), _errored())
    ours = report.figures("candidate")
    assert ours is not None
    assert (ours.trials, ours.answered, ours.errored) == (2, 1, 1)
    overall = next(m for m in report.metrics if m.metric == "correctness" and m.slice is None)
    assert (overall.candidate, overall.candidate_trials) == (1.0, 1)
    assert [(e.stage, e.kind, e.count) for e in report.errors] == [("invoke", "timeout", 1)]


def test_an_errored_item_is_listed_with_its_stage_and_without_a_score() -> None:
    item = _report(_errored()).failed_items[0]
    assert (item.failed, item.errored) == (0, 1)
    assert (item.failures[0].error_stage, item.failures[0].score) == ("invoke", None)


def test_what_the_judge_could_not_score_is_shown_but_has_not_failed() -> None:
    report = _report(_errored("judge"))
    assert (report.failed_items[0].failed, report.failed_items[0].errored) == (0, 1)
    assert report.reliability == ()


def test_a_trial_that_is_given_twice_counts_once() -> None:
    report = _report(_answered(0.0), _answered(1.0))
    assert report.invocations == 1
    assert report.failed_items == ()


def test_the_order_of_the_records_does_not_change_the_report() -> None:
    records = [_answered(0.1 * n, item=i.item_id) for n, i in enumerate(_PLAN.items)]
    assert _report(*records) == _report(*reversed(records))


def test_production_items_are_in_no_average_but_in_a_row_of_their_own() -> None:
    production = next(i for i in _PLAN.items if i.must_pass)
    report = _report(_answered(1.0), _answered(0.0, item=production.item_id))
    rows = {m.slice: m.candidate for m in report.metrics if m.metric == "correctness"}
    assert rows[None] == 1.0
    assert rows["production"] == 0.0


def test_a_minimum_without_any_score_still_has_its_row() -> None:
    rows = [m for m in _report().metrics if m.slice == "happy_path"]
    assert [(m.candidate, m.required) for m in rows] == [(None, 0.7)]


def test_differences_compare_means_over_the_trials_of_each_item_and_start_with_the_largest_loss() -> None:
    other = _PLAN.items[1].item_id
    report = _report(
        _answered(0.0), _answered(1.0, trial=2), _answered(1.0, "incumbent"),
        _answered(1.0, item=other), _answered(1.0, "incumbent", other),
    )  # fmt: skip
    assert [(d.item_id, d.difference) for d in report.differences] == [(_FIRST, -0.5), (other, 0.0)]


def test_reliability_tells_items_that_flip_from_items_that_hold() -> None:
    other = _PLAN.items[1].item_id
    report = _report(
        _answered(1.0), _answered(0.0, trial=2), _answered(1.0, item=other), _answered(1.0, item=other, trial=2)
    )
    row = report.reliability[0]
    assert (row.trials_per_item, row.flips, row.flipped_items) == (2, 1, (_FIRST,))
    assert row.pass_hat == (0.75, 0.5)


def test_reliability_has_a_row_for_each_slice_and_production_items_have_their_own() -> None:
    production = next(i.item_id for i in _PLAN.items if i.must_pass)
    report = _report(_answered(1.0), _answered(0.0, trial=2), _answered(0.0, item=production))
    assert [(r.slice, r.items, r.passed, r.judged) for r in report.reliability] == [
        (None, 2, 1, 3),
        (_PLAN.items[0].slice, 1, 1, 2),
        ("production", 1, 0, 1),
    ]


def test_items_below_n_of_n_are_listed_the_least_steady_first() -> None:
    other = _PLAN.items[1].item_id
    third = _PLAN.items[2].item_id
    report = _report(
        _answered(1.0), _answered(0.0, trial=2), _answered(1.0, "incumbent"), _answered(0.0, "incumbent", trial=2),
        _answered(0.0, item=other), _answered(1.0, item=third), _errored("judge", third, 2),
    )  # fmt: skip
    assert [(i.item_id, i.passed, i.trials, i.unstable) for i in report.items_below_n] == [
        (other, 0, 1, False),
        (_FIRST, 1, 2, True),
    ]
    assert (report.items_below_n[1].incumbent_passed, report.items_below_n[1].incumbent_trials) == (1, 2)
    assert report.unstable == (_FIRST,)


def test_the_cost_of_an_invocation_is_known_only_when_it_is_for_every_arm() -> None:
    told = Verdict("INCONCLUSIVE", (Reason("undecided", "open"),), estimates(state="open", missing=True))
    ours, theirs = _answered(1.0, cost_usd=0.01), _answered(1.0, "incumbent", cost_usd=0.03)
    priced = _report(ours, theirs, verdict=told).decision
    assert priced is not None
    assert [priced.spent.usd, priced.missing[0].usd] == pytest.approx([0.04, 8.4])
    half = _report(ours, _answered(1.0, "incumbent"), verdict=told).decision
    assert half is not None
    assert (half.spent.usd, half.missing[0].usd) == (0.01, None)


def test_stored_answers_are_compared_but_count_as_no_invocation() -> None:
    old = replace(_PLAN.arms[1].candidate, image_digest="sha256:" + "c" * 64)
    kept = StoredArm("incumbent", old, 16, {_FIRST: 2}, ("g-1", "g-2"), "incumbent.json")
    anchor = replace(kept, arm="anchor", release_no=3, file="anchor.json")
    plan = replace(_PLAN, arms=_PLAN.arms[:1], stored=(kept, anchor))
    answers = [_answered(score, arm, trial=n, stored_from="g-1")
               for arm in ("incumbent", "anchor") for n, score in ((1, 1.0), (2, 0.0))]  # fmt: skip
    other = _answered(1.0, item=_PLAN.items[1].item_id)
    told = Verdict("PASS", (), estimates(design="cached"))
    report = build_report(plan, [_answered(1.0, cost_usd=0.02), other, *answers], told, promoted=False,
                          started=STARTED, ended=STARTED)  # fmt: skip
    assert (report.invocations, report.evaluated_items, [f.arm for f in report.arms]) == (2, 2, ["candidate"])
    assert [(i.arm, i.stored_release) for i in report.identities] == [
        ("candidate", None),
        ("incumbent", 16),
        ("anchor", 3),
    ]
    assert report.stored_arm("incumbent") == StoredAnswers("incumbent", 16, 2, 1, ("g-1", "g-2"))
    assert [(d.item_id, d.incumbent) for d in report.differences] == [(_FIRST, 0.5)]
    assert [(r.arm, r.judged) for r in report.reliability if r.slice is None] == [("candidate", 2), ("incumbent", 2)]
    assert report.decision is not None
    assert report.decision.spent.usd == 0.02


def test_latency_leaves_out_trials_without_a_duration_and_takes_the_nearest_rank() -> None:
    records = [_answered(1.0, item=i.item_id, latency_ms=100 * n or None) for n, i in enumerate(_PLAN.items)]
    ours = _report(*records).figures("candidate")
    assert ours is not None
    assert ours.latencies_ms == (100, 200, 300, 400, 500)
    assert (ours.latency_p50_ms, ours.latency_p95_ms, ours.latency_max_ms) == (300, 500, 500)


def test_cost_that_is_not_known_is_not_taken_for_nothing() -> None:
    unknown = _report(_answered(1.0)).figures("candidate")
    known = _report(_answered(1.0, cost_usd=0.5, usage=Usage(10, 5, 1))).figures("candidate")
    assert unknown is not None
    assert known is not None
    assert (unknown.cost_usd, unknown.cost_known) == (None, 0)
    assert (known.cost_usd, known.input_tokens, known.model_calls) == (0.5, 10, 1)


def test_regression_tests_come_first_among_the_failed_items() -> None:
    production = next(i.item_id for i in _PLAN.items if i.must_pass)
    report = _report(_answered(0.0), _answered(0.5, item=production))
    assert [i.item_id for i in report.failed_items] == [production, _FIRST]


def test_an_item_that_a_reason_names_is_shown_although_its_trials_passed() -> None:
    reason = Reason("latency_p95_ms", "slow", items=(_FIRST,))
    report = _report(_answered(1.0), verdict=Verdict("FAIL", (reason,)))
    assert [(i.item_id, i.failed) for i in report.failed_items] == [(_FIRST, 0)]


def test_failed_items_beyond_the_limit_are_counted() -> None:
    report = report_samples.huge()
    assert len(report.failed_items) == 200
    assert report.failed_omitted > 500


def test_a_muted_item_says_whether_it_failed() -> None:
    muted = _PLAN.muted[0].item_id
    assert _report().muted[0].failed is None
    assert _report(_answered(0.0, item=muted)).muted[0].failed is True
    assert _report(_answered(1.0, item=muted)).muted[0].failed is False


def test_facts_carry_the_judges_choice_in_words() -> None:
    fact = FactScore("The sky is blue.", "D", 0.0, "It says green.")
    row = _report(_answered(0.0, facts=(fact,))).failed_items[0].failures[0].facts[0]
    assert (row.choice, row.choice_text) == ("D", "contradicts the fact")


def test_long_texts_are_shortened_and_say_how_long_they_were() -> None:
    trial = _report(_answered(0.0, answer="a" * 100_000)).failed_items[0].failures[0]
    assert len(trial.answer) < TEXT_LIMIT + 200
    assert "100,000 characters" in trial.answer
    assert trial.answer_characters == 100_000


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://langfuse.example/t/1", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("//evil.example", False),
        ("http://[broken", False),
        ("", False),
    ],
)
def test_only_an_address_of_the_web_becomes_a_link(url: str, kept: bool) -> None:
    report = _report(_answered(0.0, trace_id="t1"), trace_url=lambda _: url)
    assert report.failed_items[0].failures[0].trace_url == (url if kept else None)


def test_a_refused_first_reason_gives_headline_and_next_step() -> None:
    reason = Reason("judge_unavailable", "the judge did not answer")
    report = _report(verdict=Verdict("INCONCLUSIVE", (reason,)))
    assert report.headline == "the judge did not answer"
    assert "flywheel gate start" in report.next_step
    assert "could not tell" in report.meaning


def test_a_reason_without_a_message_is_named_by_its_title_and_an_unknown_code_by_itself() -> None:
    report = _report(verdict=Verdict("FAIL", (Reason("never_ready", ""), Reason("brand_new", " "))))
    assert report.headline == "The candidate never started"
    assert [r.title for r in report.reasons] == ["The candidate never started", "Brand new"]


@pytest.mark.parametrize(
    ("kind", "promoted", "promote", "state"),
    [
        ("PASS", True, True, "promoted"),
        ("PASS", False, False, "not_requested"),
        ("PASS", False, True, "failed"),
        ("FAIL", False, True, "not_promoted"),
        ("INCONCLUSIVE", False, True, "not_promoted"),
    ],
)
def test_the_promotion_is_told_from_the_verdict_when_nobody_says_more(
    kind: str,
    promoted: bool,
    promote: bool,
    state: str,
) -> None:
    plan = replace(_PLAN, promote=promote)
    report = build_report(plan, [], Verdict(kind), promoted=promoted, started=STARTED, ended=STARTED)  # type: ignore[arg-type]
    assert report.promotion.state == state


def test_a_figure_that_json_cannot_say_becomes_nothing() -> None:
    reason = Reason("minimum", "m", observed=float("nan"), required=float("inf"))
    report = _report(verdict=Verdict("FAIL", (reason,), {"x": float("-inf"), "at": datetime(2026, 1, 1, tzinfo=UTC)}))
    data = json.loads(report_to_json(report))
    assert (data["reasons"][0]["observed"], data["estimates"]["x"]) == (None, None)
    assert data["estimates"]["at"] == "2026-01-01T00:00:00+00:00"


def test_the_whole_policy_is_in_the_report() -> None:
    assert set(_report().policy) == {f.name for f in fields(GatePolicy)}


@pytest.mark.parametrize(
    ("kind", "said"),
    [("PASS", "meets the policy"), ("FAIL", "does not meet the policy any more"), ("INCONCLUSIVE", "could not tell")],
)
def test_a_gate_of_what_is_in_production_says_so(kind: str, said: str) -> None:
    candidate = [arm for arm in _PLAN.arms if arm.arm == "candidate"]
    plan = replace(_PLAN, arms=tuple(candidate), incumbent_release=3, promote=False)
    report = build_report(plan, [], Verdict(kind), promoted=False, started=STARTED, ended=STARTED)  # type: ignore[arg-type]
    assert report.meaning.startswith(
        ("What is in production", "This gate could not tell whether what is in production")
    )
    assert said in report.meaning


def test_the_report_states_at_which_concurrency_latency_was_measured() -> None:
    plan = replace(_PLAN, concurrency=8)
    records = [_answered(1.0, latency_ms=700)]
    report = build_report(plan, records, Verdict("PASS"), promoted=False, started=STARTED, ended=STARTED)
    assert report.concurrency == 8
    assert "own duration, up to 8 invocations at once" in render_html(report)
