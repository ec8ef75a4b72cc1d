from dataclasses import replace

import pytest

from flywheel.domain.gate import Reason, Verdict, VerdictKind
from flywheel.domain.golden import GoldenItem
from flywheel.domain.guards import check_guards, final_verdict
from flywheel.domain.outcome import TrialKey, TrialRecord
from flywheel.domain.plan import MutedItem
from flywheel.domain.policy import GatePolicy
from flywheel.errors import InvalidRequestError
from tests.unit.domain.samples import BARE, answered, errored, golden

ITEMS = [golden(str(n)) for n in range(20)]
PRODUCTION = golden("p", "production", origin="production")
TODAY = "2026-03-01"


def check(
    policy: GatePolicy,
    records: list[TrialRecord],
    items: list[GoldenItem] = ITEMS,
    muted: tuple[MutedItem, ...] = (),
) -> list[Reason]:
    return list(check_guards(policy, items, records, muted, TODAY))


def codes(reasons: list[Reason]) -> list[str]:
    return [reason.code for reason in reasons]


def test_a_good_candidate_meets_no_guard() -> None:
    assert check(BARE, [answered(i.item_id) for i in ITEMS]) == []


def test_no_records_at_all_are_too_few_items() -> None:
    assert codes(check(BARE, [])) == ["too_few_items"]


def test_too_few_scored_items_are_not_enough_to_pass() -> None:
    records = [answered(i.item_id) for i in ITEMS[:4]] + [answered("0", trial=2)]
    unscored = [errored(i.item_id, "judge") for i in ITEMS[4:6]]
    found = check(replace(BARE, minimum_items=5, maximum_judge_error_rate=0.5), records + unscored)
    assert [(r.code, r.observed, r.required) for r in found] == [("too_few_items", 4.0, 5.0)]


def test_a_gate_that_ended_before_it_tried_so_many_items_has_enough() -> None:
    assert check(replace(BARE, minimum_items=15), [answered(i.item_id) for i in ITEMS[:9]]) == []


def test_the_error_rate_names_the_stages_and_the_items() -> None:
    records = [answered(i.item_id) for i in ITEMS[:18]] + [errored("18"), errored("19", "deploy")]
    [reason] = check(BARE, records)
    assert (reason.code, reason.observed, reason.items) == ("error_rate", 0.1, ("18", "19"))
    assert "1 x invoke: timeout" in reason.message
    assert "1 x deploy: timeout" in reason.message


def test_an_error_of_the_incumbent_is_not_the_candidates() -> None:
    records = [answered(i.item_id) for i in ITEMS] + [errored(i.item_id, arm="incumbent") for i in ITEMS]
    assert check(BARE, records) == []


def test_judge_errors_are_never_the_agents_and_nothing_is_concluded_from_what_is_left() -> None:
    policy = replace(BARE, minima={"fact_coverage": 0.9}, maximum_error_rate=0.05)
    records = [answered(i.item_id) for i in ITEMS[:10]] + [errored(i.item_id, "judge") for i in ITEMS[10:]]
    assert codes(check(policy, records)) == ["judge_unavailable"]


def test_the_latency_is_the_nearest_rank_of_the_answers() -> None:
    policy = replace(BARE, latency_p95_ms=1000)
    slow = [answered(i.item_id, latency_ms=5000 + n) for n, i in enumerate(ITEMS[:2])]
    rest = [answered(i.item_id, latency_ms=1000) for i in ITEMS[2:]]
    assert check(policy, [slow[0], answered("1", latency_ms=1000), *rest]) == [], "19 of 20 are within the budget"
    [reason] = check(policy, slow + rest)
    assert (reason.code, reason.observed, reason.required) == ("latency_p95_ms", 5000, 1000)
    assert reason.items == ("1", "0"), "the slowest first"


def test_an_answer_whose_judgement_failed_still_has_its_latency() -> None:
    policy = replace(BARE, latency_p95_ms=50, maximum_judge_error_rate=0.5)
    assert "latency_p95_ms" in codes(check(policy, [errored("0", "judge"), answered("1")]))


def test_answers_that_tell_no_duration_do_not_help_against_the_budget() -> None:
    policy = replace(BARE, latency_p95_ms=1000)
    silent = [answered(i.item_id, latency_ms=None) for i in ITEMS[:2]]
    [reason] = check(policy, silent + [answered(i.item_id) for i in ITEMS[2:]])
    assert (reason.code, reason.metric, reason.items) == ("evidence_missing", "latency_ms", ("0", "1"))
    assert check(policy, silent[:1] + [answered(i.item_id) for i in ITEMS[1:]]) == []


def test_the_mean_cost_is_held_against_its_budget() -> None:
    policy = replace(BARE, cost_per_item_usd=0.02)
    assert check(policy, [answered("0", cost_usd=0.01), answered("1", cost_usd=0.03)]) == []
    [reason] = check(policy, [answered("0", cost_usd=0.01), answered("1", cost_usd=0.05)])
    assert (reason.code, reason.items) == ("cost_per_item_usd", ("1", "0"))
    assert reason.observed == pytest.approx(0.03)


def test_an_unknown_cost_is_said_and_lowers_nothing() -> None:
    policy = replace(BARE, cost_per_item_usd=0.02)
    reasons = check(policy, [answered("0", cost_usd=None)])
    assert codes(reasons) == ["cost_unknown"]
    assert final_verdict(Verdict("PASS"), reasons).kind == "PASS"


def scored(item_id: str, **scores: float) -> TrialRecord:
    return TrialRecord(TrialKey(item_id, 1, "candidate"), "answered", {"correctness": 1.0, **scores}, latency_ms=1)


def test_other_scores_have_minima_over_the_trials_to_which_they_apply() -> None:
    items = [replace(golden("a"), trajectory=("search",)), golden("b"), replace(golden("c"), trajectory=("search",))]
    policy = replace(BARE, minima={"trajectory": 0.6})
    assert check(policy, [scored("a", trajectory=0.2), scored("b"), scored("c", trajectory=1.0)], items) == []
    [reason] = check(policy, [scored("a", trajectory=0.1), scored("b"), scored("c", trajectory=1.0)], items)
    assert (reason.code, reason.metric, reason.observed, reason.items) == ("minimum", "trajectory", 0.55, ("a",))


def test_other_scores_have_minima_by_slice() -> None:
    items = [replace(golden("a", "adversarial", origin="authored"), must_refuse=True, response_facts=()), golden("b")]
    policy = replace(BARE, slice_minima={"adversarial": {"refusal": 1.0}, "happy_path": {"refusal": 1.0}})
    [reason] = check(policy, [scored("a", refusal=0.0), scored("b")], items)
    assert (reason.code, reason.metric, reason.slice) == ("slice_minimum", "refusal", "adversarial")


def test_a_score_that_should_be_there_and_is_not_is_missing_evidence() -> None:
    items = [replace(golden("a"), trajectory=("search",))]
    [reason] = check(replace(BARE, minima={"trajectory": 0.5}), [scored("a")], items)
    assert (reason.code, reason.metric) == ("evidence_missing", "trajectory")


def test_a_score_that_needs_something_to_judge_may_be_absent() -> None:
    assert check(replace(BARE, minima={"tool_success": 0.9}), [scored("0")]) == []


def test_the_primary_score_is_left_to_the_gate() -> None:
    assert check(replace(BARE, minima={"correctness": 1.0}), [answered("0", 0.0)]) == []


def test_a_production_item_takes_no_part_in_a_mean() -> None:
    items = [replace(golden("a"), trajectory=("search",)), replace(PRODUCTION, trajectory=("search",))]
    policy = replace(BARE, minima={"trajectory": 0.9})
    assert check(policy, [scored("a", trajectory=1.0), scored("p", trajectory=0.0)], items) == []


def test_a_production_item_must_pass_and_failing_names_it() -> None:
    items = [*ITEMS, PRODUCTION]
    records = [answered(i.item_id) for i in ITEMS]
    assert check(BARE, [*records, answered("p", 0.75)], items) == []
    [reason] = check(BARE, [*records, answered("p", 0.74)], items)
    assert (reason.code, reason.items, reason.observed, reason.required) == ("must_pass", ("p",), 0.0, 1.0)


def test_a_production_item_passes_with_k_of_its_n_trials() -> None:
    policy = replace(BARE, must_pass_k=2, must_pass_n=3)
    trials = [answered("p", 1.0, trial=1), answered("p", 0.0, trial=2)]
    assert check(policy, [*trials, answered("p", 1.0, trial=3)], [PRODUCTION]) == []
    assert codes(check(policy, [*trials, answered("p", 0.0, trial=3)], [PRODUCTION])) == ["must_pass"]


def test_an_error_of_the_agent_is_no_passed_trial() -> None:
    policy = replace(BARE, maximum_error_rate=0.5)
    assert "must_pass" in codes(check(policy, [errored("p"), answered("0")], [PRODUCTION, *ITEMS]))


def test_a_production_item_that_could_not_be_judged_is_not_failed_but_not_passed_either() -> None:
    policy = replace(BARE, maximum_judge_error_rate=0.5)
    reasons = check(policy, [errored("p", "judge"), answered("0")], [PRODUCTION, *ITEMS])
    assert [(r.code, r.items) for r in reasons] == [("evidence_missing", ("p",))]
    assert codes(check(BARE, [answered("0")], [PRODUCTION, *ITEMS])) == ["evidence_missing"], "it was never run"


def test_trials_beyond_n_do_not_help_a_production_item() -> None:
    records = [answered("p", 0.0, trial=1), answered("p", 1.0, trial=2)]
    assert codes(check(BARE, records, [PRODUCTION])) == ["must_pass"]


@pytest.mark.parametrize(("until", "code"), [("2026-03-01", "must_pass_muted"), ("2026-02-28", "must_pass")])
def test_a_muted_item_is_recorded_and_spared_until_its_date(until: str, code: str) -> None:
    muted = (MutedItem("p", until, "the docs changed"),)
    reasons = check(BARE, [answered("p", 0.0)], [PRODUCTION], muted)
    assert codes(reasons) == [code]
    assert final_verdict(Verdict("PASS"), reasons).kind == ("PASS" if code == "must_pass_muted" else "FAIL")


def test_a_muted_item_that_passes_is_not_mentioned() -> None:
    assert check(BARE, [answered("p")], [PRODUCTION], (MutedItem("p", "2026-12-31", "x"),)) == []


def test_reliability_is_gated_where_the_policy_asks_for_it() -> None:
    policy = replace(BARE, reliability_k=2, minimum_reliability=0.9)
    records = [answered(i.item_id, trial=t) for i in ITEMS for t in (1, 2)]
    assert check(policy, records) == []
    flipped = [answered(i.item_id, float(t == 1), trial=t) for i in ITEMS[:3] for t in (1, 2)]
    assert codes(check(policy, [*flipped, *records[6:]])) == ["reliability"]


def test_reliability_is_not_held_against_the_candidate_when_the_judge_failed() -> None:
    policy = replace(BARE, reliability_k=1, minimum_reliability=1.0)
    records = [answered("0", 0.0)] + [errored(i.item_id, "judge") for i in ITEMS[1:]]
    assert codes(check(policy, records)) == ["judge_unavailable"]


def test_a_record_of_an_unknown_item_is_an_error() -> None:
    with pytest.raises(InvalidRequestError, match="'stranger', which is not in the plan"):
        check(BARE, [answered("stranger")])


def test_a_record_that_came_twice_counts_once_and_two_different_ones_are_an_error() -> None:
    records = [answered(i.item_id) for i in ITEMS[:19]]
    once = check(BARE, [*records, errored("19")])
    assert check(BARE, [*records, errored("19"), errored("19")]) == once
    with pytest.raises(InvalidRequestError, match="two different results"):
        check(BARE, [answered("0", 1.0), answered("0", 0.0)])


FAILING = ["error_rate", "latency_p95_ms", "minimum", "slice_minimum", "must_pass", "reliability", "cost_per_item_usd"]
UNKNOWN = ["judge_unavailable", "evidence_missing", "too_few_items", "superseded", "dataset_changed", "never heard of"]
RECORDED = ["must_pass_muted", "cost_unknown"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [(c, "FAIL") for c in FAILING] + [(c, "INCONCLUSIVE") for c in UNKNOWN] + [(c, "PASS") for c in RECORDED],
)
def test_each_reason_lowers_a_pass_as_the_table_says(code: str, kind: VerdictKind) -> None:
    verdict = final_verdict(Verdict("PASS"), [Reason(code, "because")])
    assert (verdict.kind, [r.code for r in verdict.reasons]) == (kind, [code])


@pytest.mark.parametrize("code", FAILING + UNKNOWN + RECORDED)
@pytest.mark.parametrize("kind", ["FAIL", "INCONCLUSIVE"])
def test_guards_change_no_other_verdict_and_its_own_reason_stays_first(code: str, kind: VerdictKind) -> None:
    decision = Verdict(kind, (Reason("regression", "worse"),), {"pairs": 3})
    verdict = final_verdict(decision, [Reason(code, "because")])
    assert (verdict.kind, verdict.reasons[0].code, verdict.estimates) == (kind, "regression", {"pairs": 3})


def test_the_first_reason_is_what_is_really_wrong() -> None:
    reasons = [Reason(c, "x") for c in ("cost_unknown", "judge_unavailable", "must_pass", "latency_p95_ms")]
    verdict = final_verdict(Verdict("PASS"), reasons)
    assert verdict.kind == "FAIL"
    assert [r.code for r in verdict.reasons] == ["latency_p95_ms", "must_pass", "judge_unavailable", "cost_unknown"]


def test_what_gate_and_guards_both_found_is_named_once_and_each_production_item_for_itself() -> None:
    gate = Reason("error_rate", "gate", "error_rate", None, 0.2)
    guard = Reason("error_rate", "guard", "error_rate", None, 0.19)
    items = [Reason("must_pass", "x", "correctness", "production", 0, 1, (i,)) for i in ("p", "q")]
    verdict = final_verdict(Verdict("FAIL", (gate,)), [guard, *items])
    assert verdict.reasons == (gate, *items)


def test_an_open_gate_has_nothing_to_lower() -> None:
    with pytest.raises(ValueError, match="still open"):
        final_verdict(Verdict(None), [])
