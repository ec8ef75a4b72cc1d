"""What is known of the judge: read from the estimates, and said on the page."""

from dataclasses import replace
from typing import Any

import pytest

from flywheel.domain.judge_check import judge_estimates
from flywheel.domain.review import Review
from flywheel.report import render_html
from flywheel.report.judge_check import Figure, JudgeCheck, read_judge
from tests import report_samples
from tests.report_estimates import judge
from tests.report_gates import Behaviour, gate_plan, trial_records


def check(**options: Any) -> JudgeCheck:
    found = read_judge({"judge": judge(**options)})
    assert found is not None
    return found


def card(it: JudgeCheck | None, **policy: Any) -> str:
    report = report_samples.passing()
    page = render_html(replace(report, judge=it, policy=report.policy | policy))
    start = page.index("The judge as an instrument")
    return page[start : page.index("</div>", start)]


def test_agreement_with_itself_and_with_people_is_read_with_intervals() -> None:
    found = check()
    assert (found.repeats, found.agreed, found.reviews, found.random, found.checked) == (20, 19, 64, 32, True)
    assert found.kappa == Figure(0.71, 0.55, 0.83)
    assert found.human_difference is not None
    assert (found.human_difference.by, found.human_difference.reviewed) == ("pairs", 40)


@pytest.mark.parametrize("reviewed", [0, 40])
def test_what_the_gate_estimates_of_its_judge_can_be_read(reviewed: int) -> None:
    plan = gate_plan()
    records = [*trial_records(plan.items, "candidate", Behaviour(poor=0.3)),
               *trial_records(plan.items, "incumbent", Behaviour(poor=0.3))]  # fmt: skip
    records = [replace(r, facts=tuple(replace(f, again=f.choice) for f in r.facts)) for r in records]
    reviews = [
        Review("g-1", r.key.item_id, 1, r.key.arm, r.trace_id, plan.judge.version, r.scores["correctness"],
               r.scores["correctness"], "random", "u-1", "2026-11-23T07:12:03+00:00")
        for r in records[:reviewed]
    ]  # fmt: skip
    told = judge_estimates(plan, records, reviews)
    found = read_judge({"judge": told})
    assert found is not None
    assert (found.version, found.reviews, found.checked) == (plan.judge.version, reviewed, reviewed > 0)
    assert found.agreed == found.repeats > 0
    assert (found.human_difference is None) == (told["human_difference"] is None)


@pytest.mark.parametrize("told", [None, {}, {"judge": None}, {"judge": {"version": "x"}}, {"judge": [1]}])
def test_a_judge_that_was_not_measured_has_no_check(told: dict[str, Any] | None) -> None:
    assert read_judge(told) is None


def test_a_judge_that_was_not_measured_is_called_unchecked() -> None:
    said = card(None)
    assert "Unchecked." in said
    assert report_samples.passing().judge_version in said


def test_a_checked_judge_is_told_with_figures_and_what_the_policy_requires() -> None:
    said = card(check())
    assert "19 of 20 judgements that were asked twice gave the same letter: 0.95 (0.76 to 0.99); 0.80 is" in said
    assert "kappa 0.71 (0.55 to 0.83) over 64 reviewed answers, 32 of them drawn at random; 0.60 is required" in said
    assert "unchecked" not in said
    assert "\N{MINUS SIGN}0.012 as judged; \N{MINUS SIGN}0.021 (\N{MINUS SIGN}0.094 to +0.052) as people would" in said
    assert "from 40 reviewed of 200 pairs" in said


def test_too_few_reviews_leave_the_judge_unchecked_and_say_how_many_are_needed() -> None:
    said = card(check(reviews=12))
    assert "unchecked: kappa 0.71" in said
    assert "30 are needed" in said


def test_a_judge_without_repeats_and_reviews_says_so_for_each() -> None:
    said = card(check(reviews=0, repeats=0))
    assert "unchecked: no judgement was asked twice" in said
    assert "unchecked: no answer of this judge was reviewed" in said
    assert "too few reviews to say what people would see" in said


def test_where_kappa_says_nothing_the_agreement_is_told() -> None:
    said = card(replace(check(), kappa=None, checked=False))
    assert "unchecked: agreement 0.90 (0.80 to 0.95); kappa says nothing of them" in said


def test_a_policy_that_asks_for_no_agreement_requires_none() -> None:
    assert "0.60 is required" not in card(check(), minimum_judge_agreement=None)
