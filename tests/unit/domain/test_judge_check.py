from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from flywheel.domain.guards import final_verdict
from flywheel.domain.judge_check import ENOUGH_REPEATS, judge_estimates, judge_reasons
from flywheel.domain.outcome import Arm, FactScore, TrialRecord
from flywheel.domain.policy import GatePolicy
from flywheel.domain.review import Review
from flywheel.domain.verdict import Verdict
from tests.unit.domain.samples import BARE, answered, golden, review
from tests.unit.evaluation.doubles import GATE, plan

ITEMS = [golden(f"i-{number:03}") for number in range(60)]
PLAN = replace(plan(ITEMS, ("candidate", "incumbent")), policy=BARE)
VERSION = PLAN.judge.version


def records(arm: Arm = "candidate", score: float = 1.0) -> list[TrialRecord]:
    return [
        replace(answered(item.item_id, score, arm=arm), trace_id=f"{item.item_id} {arm}", facts=()) for item in ITEMS
    ]


def repeated(agreed: int, differed: int) -> list[TrialRecord]:
    facts = [FactScore("f", "B", 1.0, again="B")] * agreed + [FactScore("f", "B", 1.0, again="D")] * differed
    return [replace(answered(), facts=(*facts, FactScore("f", "B", 1.0)))]


def said(count: int, human: float, judge: float, start: int = 0, **more: Any) -> list[Review]:
    """Reviews of as many answers of the candidate, from item `start` on."""
    return [
        replace(
            review(item.item_id, human, judge, gate_id=GATE, judge_version=VERSION, **more),
            trace_id=f"{item.item_id} {more.get('arm', 'candidate')}",
        )
        for item in ITEMS[start : start + count]
    ]


def reasons(policy: GatePolicy, records: Sequence[TrialRecord], reviews: Sequence[Review]) -> list[str | None]:
    estimates = judge_estimates(replace(PLAN, policy=policy), records, reviews)
    return [reason.metric for reason in judge_reasons(policy, estimates)]


AGREEING = said(24, 1.0, 1.0) + said(6, 0.0, 0.0, start=24)
STRICTER_PEOPLE = said(15, 1.0, 1.0) + said(15, 0.0, 1.0, start=15)


def test_a_judge_that_agrees_with_people_is_checked_and_may_pass() -> None:
    estimates = judge_estimates(PLAN, records(), AGREEING)

    assert (estimates["version"], estimates["model"]) == (VERSION, PLAN.judge.model_id)
    assert (estimates["reviews"], estimates["random"], estimates["checked"]) == (30, 30, True)
    assert estimates["kappa"]["value"] == 1.0
    assert estimates["agreement"]["value"] == 1.0
    assert judge_reasons(BARE, estimates) == ()


def test_a_judge_below_the_required_agreement_cannot_pass_a_candidate() -> None:
    estimates = judge_estimates(PLAN, records(), STRICTER_PEOPLE)
    [reason] = judge_reasons(BARE, estimates)

    assert (reason.code, reason.metric, reason.observed, reason.required) == (
        "judge_unreliable",
        "judge_agreement",
        0.0,
        0.6,
    )
    assert "kappa of the judge with people is 0.00 (" in reason.message
    assert "over 30 answers; at least 0.60 is required" in reason.message
    assert final_verdict(Verdict("PASS"), [reason]).kind == "INCONCLUSIVE"


def test_a_failure_stays_one_whatever_the_judge_is_worth() -> None:
    [reason] = judge_reasons(BARE, judge_estimates(PLAN, records(), STRICTER_PEOPLE))

    assert final_verdict(Verdict("FAIL"), [reason]).kind == "FAIL"


def test_too_few_reviews_lower_nothing_and_the_judge_counts_as_unchecked() -> None:
    estimates = judge_estimates(PLAN, records(), STRICTER_PEOPLE[1:])

    assert (estimates["reviews"], estimates["checked"]) == (29, False)
    assert judge_reasons(BARE, estimates) == ()


def test_without_any_review_nothing_is_said_about_agreement() -> None:
    estimates = judge_estimates(PLAN, records(), [])

    assert (estimates["reviews"], estimates["agreement"], estimates["kappa"]) == (0, None, None)
    assert estimates["checked"] is False
    assert judge_reasons(BARE, estimates) == ()


def test_reviews_of_another_judge_say_nothing_about_this_one() -> None:
    others = [replace(one, judge_version="another") for one in STRICTER_PEOPLE]

    assert judge_estimates(PLAN, records(), others)["reviews"] == 0


def test_reviews_of_other_gates_count_for_the_instrument() -> None:
    others = [replace(one, gate_id="g-other", trace_id="theirs") for one in STRICTER_PEOPLE]

    assert reasons(BARE, records(), others) == ["judge_agreement"]


def test_reviewers_of_the_same_answer_are_one_answer() -> None:
    twice = [*AGREEING, *(replace(one, reviewer="person-2") for one in AGREEING)]

    assert judge_estimates(PLAN, records(), twice)["reviews"] == 30


def test_a_judge_whose_agreement_is_not_asked_for_may_be_of_any_kind() -> None:
    assert reasons(replace(BARE, minimum_judge_agreement=None), records(), STRICTER_PEOPLE) == []


def test_people_who_found_no_failure_do_not_condemn_a_judge_that_found_one() -> None:
    estimates = judge_estimates(PLAN, records(), said(29, 1.0, 1.0) + said(1, 1.0, 0.0, start=29))

    assert (estimates["kappa"], estimates["checked"]) == (None, False)
    assert judge_reasons(BARE, estimates) == ()


def test_a_judge_that_fails_what_people_pass_is_unreliable_even_where_kappa_says_nothing() -> None:
    reviews = said(15, 1.0, 1.0) + said(15, 1.0, 0.0, start=15)
    [reason] = judge_reasons(BARE, judge_estimates(PLAN, records(), reviews))

    assert reason.message.startswith("agreement of the judge with people is 0.50 (")


def test_answers_pass_from_the_policys_score_on() -> None:
    policy = replace(BARE, must_pass_score=0.5)
    half = said(24, 0.5, 1.0) + said(6, 0.0, 0.49, start=24)

    assert reasons(policy, records(), half) == []
    assert reasons(BARE, records(), half) == ["judge_agreement"]  # at .75 people let none of them pass


@pytest.mark.parametrize(
    ("agreed", "differed", "expected"),
    [(10, 0, []), (16, 4, []), (15, 5, ["judge_self_agreement"]), (0, ENOUGH_REPEATS - 1, [])],
)
def test_a_judge_that_contradicts_itself_cannot_pass_a_candidate(
    agreed: int, differed: int, expected: list[str]
) -> None:
    assert reasons(BARE, repeated(agreed, differed), []) == expected


def test_self_agreement_is_a_share_with_its_interval() -> None:
    estimates = judge_estimates(PLAN, repeated(16, 4), [])

    assert (estimates["repeats"], estimates["agreed"]) == (20, 16)
    assert estimates["self_agreement"] == pytest.approx({"value": 0.8, "low": 0.584, "high": 0.9193}, abs=5e-4)
    assert judge_estimates(PLAN, [answered()], [])["self_agreement"] is None
