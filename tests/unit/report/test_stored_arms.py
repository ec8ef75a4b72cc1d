"""A gate whose incumbent and anchor were not invoked says so: whose answers, from where, and what it really asked."""

from dataclasses import replace

from flywheel.domain.outcome import TrialKey, TrialRecord
from flywheel.domain.plan import StoredArm
from flywheel.domain.verdict import Reason, Verdict
from flywheel.report import Report, build_report, render_html
from flywheel.report.decision import StoredAnswers
from tests.report_estimates import estimates
from tests.report_gates import candidate, gate_plan
from tests.report_samples import STARTED

PLAN = gate_plan(incumbent=False)
FIRST = PLAN.items[0].item_id
STORED = replace(
    PLAN,
    incumbent_release=17,
    stored=(
        StoredArm("incumbent", candidate("b"), 17, {FIRST: 3}, ("g-earlier", "g-later"), "incumbent-01234567"),
        StoredArm("anchor", candidate("c"), 4, {FIRST: 3}, ("g-first",), "anchor-01234567"),
    ),
)


def report() -> Report:
    records = [TrialRecord(TrialKey(FIRST, 1, "candidate"), "answered", {"correctness": 0.5}, latency_ms=100)]
    for arm, score in (("incumbent", 0.75), ("anchor", 1.0)):
        key = TrialKey(FIRST, 1, arm)  # type: ignore[arg-type]
        records += [
            TrialRecord(replace(key, trial=n), "answered", {"correctness": score}, stored_from="g-earlier")
            for n in (1, 2, 3)
        ]
    notes = (Reason("anchor_unavailable", "no release holds this candidate back"),)
    verdict = Verdict("PASS", notes, estimates(design="cached", anchor=True))
    return build_report(STORED, records, verdict, promoted=False, started=STARTED, ended=STARTED)


def test_stored_answers_are_no_invocations_and_have_no_figures_of_their_own() -> None:
    it = report()
    assert (it.invocations, [figures.arm for figures in it.arms]) == (1, ["candidate"])


def test_scores_are_shown_against_those_of_the_stored_incumbent() -> None:
    overall = next(row for row in report().metrics if row.metric == "correctness" and row.slice is None)
    assert (overall.candidate, overall.incumbent, overall.incumbent_trials) == (0.5, 0.75, 3)


def test_it_says_which_configurations_they_were_and_where_the_answers_come_from() -> None:
    it = report()
    assert [(i.arm, i.stored_release) for i in it.identities] == [
        ("candidate", None),
        ("incumbent", 17),
        ("anchor", 4),
    ]
    assert it.stored == (
        StoredAnswers("incumbent", 17, 3, 1, ("g-earlier", "g-later")),
        StoredAnswers("anchor", 4, 3, 1, ("g-first",)),
    )
    assert "meets the policy. It was not put" in it.meaning


def test_the_page_tells_it_to_people() -> None:
    page = render_html(report())
    assert page.count("Not invoked: its stored answers were judged again.") == 2
    assert "(release 4)" in page
    assert "The incumbent was not asked again" in page
    assert "no release holds this candidate back" in page
