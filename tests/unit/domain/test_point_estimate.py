from math import fsum

import pytest

from flywheel.domain.point_estimate import Scored, decide, estimates
from flywheel.domain.policy import GatePolicy
from flywheel.domain.verdict import Errored
from tests.unit.domain.samples import BARE

JUDGE = Errored("judge")


def pairs(
    candidate: list[float | Errored], incumbent: list[float | Errored] | None = None, slice_: str = "happy_path"
) -> list[Scored]:
    others: list[float | Errored | None] = [None] * len(candidate) if incumbent is None else list(incumbent)
    return [
        Scored(f"{slice_}-{number}", slice_, score, other)
        for number, (score, other) in enumerate(zip(candidate, others, strict=True))
    ]


def codes(policy: GatePolicy, scored: list[Scored]) -> tuple[str | None, list[str]]:
    verdict = decide(policy, scored)
    return verdict.kind, [reason.code for reason in verdict.reasons]


def test_a_mean_that_meets_its_minimum_exactly_passes() -> None:
    """Three times .7 has a mean that the computer puts just below .7."""
    assert fsum([0.7] * 3) / 3 < 0.7
    assert codes(GatePolicy(minima={"correctness": 0.7}), pairs([0.7] * 3)) == ("PASS", [])


def test_a_mean_below_its_minimum_fails_and_names_the_worst_items_first() -> None:
    verdict = decide(GatePolicy(), pairs([1.0, 0.5, 0.0, 1.0]))
    reason = verdict.reasons[0]
    assert (verdict.kind, reason.code, reason.observed, reason.required) == ("FAIL", "minimum", 0.625, 0.75)
    assert reason.items == ("happy_path-2", "happy_path-1")


def test_a_slice_below_its_minimum_fails_though_the_mean_is_fine() -> None:
    scored = pairs([1.0] * 16) + pairs([0.5] * 4, slice_="adversarial")
    verdict = decide(GatePolicy(), scored)
    assert [(r.code, r.slice, r.observed) for r in verdict.reasons] == [("slice_minimum", "adversarial", 0.5)]
    assert verdict.kind == "FAIL"


def test_a_loss_within_the_margin_passes_and_one_beyond_it_fails() -> None:
    assert codes(BARE, pairs([0.91] * 10, [1.0] * 10)) == ("PASS", [])
    assert codes(BARE, pairs([0.90] * 10, [1.0] * 10)) == ("FAIL", ["regression"])


def test_a_slice_that_broke_fails_though_the_mean_is_within_the_margin() -> None:
    scored = pairs([1.0] * 95, [1.0] * 95) + pairs([0.0] * 5, [1.0] * 5, "edge_case")
    verdict = decide(BARE, scored)
    assert [(r.code, r.slice, r.observed, r.required) for r in verdict.reasons] == [
        ("slice_regression", "edge_case", -1.0, -0.5)
    ]


def test_errors_are_never_dropped_silently() -> None:
    """The measured trap: with failures dropped, an agent that fails three calls in four scores 1.000."""
    scored = pairs([1.0, Errored(), Errored(), Errored()] * 10, [1.0] * 40)
    verdict = decide(GatePolicy(), scored)
    assert verdict.kind == "FAIL"
    assert verdict.reasons[0].code == "error_rate"
    assert verdict.reasons[0].observed == 0.75


def test_an_error_is_not_scored_as_a_wrong_answer_either() -> None:
    scored = pairs([1.0] * 19 + [Errored()], [1.0] * 20)
    described = estimates(BARE, scored)
    assert decide(BARE, scored).kind == "PASS"
    assert described["candidate"] == {"mean": 1.0, "scored": 19, "errored": 1, "judge_errored": 0}
    assert described["difference"] == {"mean": 0.0, "pairs": 19}


def test_an_error_of_the_incumbent_drops_the_pair_from_the_difference_only() -> None:
    scored = pairs([0.0, 1.0, 1.0, 1.0], [Errored(), 1.0, 1.0, 1.0])
    assert estimates(BARE, scored)["difference"] == {"mean": 0.0, "pairs": 3}
    assert estimates(BARE, scored)["candidate"]["mean"] == 0.75


def test_the_error_rate_comes_first_of_several_reasons() -> None:
    kind, found = codes(GatePolicy(), pairs([Errored(), 0.0, 0.0, 0.0], [1.0] * 4))
    assert kind == "FAIL"
    assert found == ["error_rate", "minimum", "slice_minimum", "regression", "slice_regression"]


def test_an_error_rate_at_its_maximum_is_accepted() -> None:
    assert codes(BARE, pairs([1.0] * 19 + [Errored()])) == ("PASS", [])
    assert codes(BARE, pairs([1.0] * 18 + [Errored()] * 2)) == ("FAIL", ["error_rate"])


def test_a_run_in_which_both_arms_err_too_often_is_void() -> None:
    """Even when the candidate errs far more: the environment may be the reason."""
    scored = pairs([Errored()] * 10 + [1.0] * 10, [Errored()] * 2 + [1.0] * 18)
    verdict = decide(BARE, scored)
    assert (verdict.kind, [r.code for r in verdict.reasons]) == ("INCONCLUSIVE", ["void"])


def test_an_incumbent_that_errs_does_not_hold_back_a_candidate_that_answers() -> None:
    """Otherwise a broken production could never be replaced."""
    assert codes(BARE, pairs([1.0] * 10, [Errored()] * 10)) == ("PASS", [])


def test_a_judge_that_fails_makes_it_inconclusive_and_never_a_failure_of_the_agent() -> None:
    """The measured trap: with 75 % of the judgements lost, the survivors' mean was 1.000."""
    assert codes(BARE, pairs([1.0] + [JUDGE] * 3, [1.0] * 4)) == ("INCONCLUSIVE", ["judge_unavailable"])
    assert codes(GatePolicy(), pairs([0.0] + [JUDGE] * 3)) == ("INCONCLUSIVE", ["judge_unavailable"])
    assert codes(BARE, pairs([JUDGE] * 4)) == ("INCONCLUSIVE", ["judge_unavailable"])


def test_a_judge_that_fails_on_the_incumbent_alone_is_noticed_too() -> None:
    assert codes(BARE, pairs([1.0] * 4, [JUDGE] * 4)) == ("INCONCLUSIVE", ["judge_unavailable"])


def test_an_agent_that_errs_too_often_fails_though_the_judge_is_down() -> None:
    assert codes(BARE, pairs([Errored(), JUDGE])) == ("FAIL", ["error_rate", "judge_unavailable"])


def test_few_judge_errors_are_accepted_and_counted() -> None:
    scored = pairs([1.0] * 49 + [JUDGE])
    assert codes(BARE, scored) == ("PASS", [])
    assert estimates(BARE, scored)["candidate"]["judge_errored"] == 1


def test_a_slice_of_which_nothing_could_be_scored_is_not_passed() -> None:
    scored = pairs([1.0] * 39) + pairs([Errored()], slice_="edge_case")
    verdict = decide(BARE, scored)
    assert (verdict.kind, verdict.reasons[0].code, verdict.reasons[0].slice) == (
        "INCONCLUSIVE",
        "evidence_missing",
        "edge_case",
    )


def test_a_minimum_of_a_slice_that_is_not_there_is_not_asked_for() -> None:
    assert codes(GatePolicy(), pairs([1.0] * 4)) == ("PASS", [])


def test_estimates_of_nothing_are_none_and_never_a_number() -> None:
    described = estimates(BARE, [])
    assert (described["pairs"], described["candidate"]["mean"], described["slices"]) == (0, None, {})


@pytest.mark.parametrize("count", [21, 500])
def test_a_reason_names_twenty_items_at_most(count: int) -> None:
    assert len(decide(GatePolicy(), pairs([0.0] * count)).reasons[0].items) == 20
