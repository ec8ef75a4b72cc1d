from dataclasses import replace

import pytest

from flywheel.domain.human_difference import differences
from flywheel.domain.judge_check import judge_estimates
from flywheel.domain.outcome import TrialRecord
from tests.unit.domain.samples import BARE, answered, errored, golden, review
from tests.unit.evaluation.doubles import plan

ITEMS = [golden(f"i-{number:03}") for number in range(60)]
PLAN = replace(plan(ITEMS, ("candidate", "incumbent")), policy=BARE)


def record(item: int, score: float, arm: str) -> TrialRecord:
    item_id = f"i-{item:03}"
    found = answered(item_id, score, arm="candidate" if arm == "candidate" else "incumbent")
    return replace(found, trace_id=f"{item_id} {arm}")


# The judge sees no difference at all.
RECORDS = [record(item, 1.0, arm) for item in range(60) for arm in ("candidate", "incumbent")]


def people(reviewed: range, candidate: float, incumbent: float) -> dict[str, float]:
    return {
        f"i-{n:03} {arm}": score
        for n in reviewed
        for arm, score in (("candidate", candidate), ("incumbent", incumbent))
    }


def test_people_see_a_difference_that_the_judge_does_not() -> None:
    human = people(range(15), 0.0, 1.0) | people(range(15, 30), 1.0, 1.0)
    found = differences(PLAN, RECORDS, human)

    assert found["judged_difference"] == 0.0
    difference = found["human_difference"]
    assert difference["mean"] == pytest.approx(-0.5)
    assert difference["low"] < -0.5 < difference["high"] < -0.2
    assert (difference["by"], difference["reviewed"], difference["scored"]) == ("pairs", 30, 60)


def test_arms_are_estimated_apart_where_people_saw_answers_and_not_pairs() -> None:
    human = {f"i-{n:03} candidate": 0.5 for n in range(20)} | {f"i-{n:03} incumbent": 1.0 for n in range(30, 50)}
    difference = differences(PLAN, RECORDS, human)["human_difference"]

    assert difference["mean"] == pytest.approx(-0.5)
    assert (difference["by"], difference["reviewed"], difference["scored"]) == ("answers", 40, 120)


def test_few_reviews_give_no_human_figure_beside_the_judged_one() -> None:
    found = differences(PLAN, RECORDS, people(range(9), 0.0, 1.0))

    assert found == {"judged_difference": 0.0, "human_difference": None}


def test_without_an_incumbent_there_is_no_difference() -> None:
    alone = [found for found in RECORDS if found.key.arm == "candidate"]

    assert differences(PLAN, alone, people(range(30), 1.0, 1.0)) == {
        "judged_difference": None,
        "human_difference": None,
    }


def test_answers_without_a_score_and_items_outside_the_mean_take_no_part() -> None:
    production = golden("p-1", "production", origin="production")
    plan_ = replace(PLAN, items=(*ITEMS, production))
    more = [
        replace(answered("p-1", 0.0), trace_id="p"),
        answered("p-1", 1.0, arm="incumbent"),
        errored("i-000", trial=2),
    ]

    found = differences(plan_, [*RECORDS, *more], people(range(20), 1.0, 1.0))

    assert found["judged_difference"] == 0.0
    assert found["human_difference"]["scored"] == 60


def test_answers_that_decided_a_verdict_do_not_enter_the_estimate() -> None:
    """Were they to, people would seem to find the candidate half a point worse than it is."""
    random = [
        replace(review(f"i-{n:03}", 1.0, 1.0, arm=arm, judge_version=PLAN.judge.version), trace_id=f"i-{n:03} {arm}")
        for n in range(20)
        for arm in ("candidate", "incumbent")
    ]
    decided = [
        replace(
            review(f"i-{n:03}", 0.0, 1.0, chosen="decided", judge_version=PLAN.judge.version),
            trace_id=f"i-{n:03} candidate",
        )
        for n in range(20, 60)
    ]
    estimates = judge_estimates(PLAN, RECORDS, [*random, *decided])

    assert (estimates["reviews"], estimates["random"]) == (80, 40)
    assert estimates["human_difference"]["mean"] == 0.0
    assert estimates["kappa"]["value"] == 0.0


def test_a_hundred_reviews_of_another_gate_give_no_human_figure_for_this_one() -> None:
    others = [
        replace(review(f"i-{n:03}", 0.0, 1.0, judge_version=PLAN.judge.version), trace_id=f"other {n}")
        for n in range(60)
    ]

    assert judge_estimates(PLAN, RECORDS, others)["human_difference"] is None
