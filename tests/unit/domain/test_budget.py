from dataclasses import replace

from flywheel.domain.budget import capped, plan_budget, trials_by_item
from flywheel.domain.policy import GatePolicy
from flywheel.domain.prices import ModelPrice, PriceTable
from tests.unit.domain.samples import golden

PRICES = PriceTable("2026-01-01", "nowhere", {"m": ModelPrice(1.0, 1.0)})  # 0.0128 USD a trial
ITEMS = [golden(str(n)) for n in range(50)] + [golden("p", "production", origin="production")]


def budget_of(policy: GatePolicy) -> tuple[int, int, float]:
    found = plan_budget(policy, ITEMS, PRICES, arm_models=["m", "m"], judge_model=None)
    return found.trials, found.wanted, found.cost.usd


def test_the_cap_is_what_the_policy_allows_while_the_money_lasts() -> None:
    trials, wanted, usd = budget_of(GatePolicy(usd_per_gate=1000))
    assert (trials, wanted) == (12, 12)
    assert round(usd / 2 / 0.0128) == 50 * 12 + 1


def test_money_takes_trials_away_but_never_the_first() -> None:
    assert budget_of(GatePolicy(usd_per_gate=7))[:2] == (5, 12)
    trials, _, usd = budget_of(GatePolicy(usd_per_gate=0.01))
    assert trials == 1
    assert usd > 0.01, "such a gate must not start"


def test_a_capped_policy_asks_for_no_more_than_was_paid_for() -> None:
    for policy in (
        GatePolicy(usd_per_gate=7),
        GatePolicy(usd_per_gate=7, on_inconclusive="more_trials", more_trials=3),
        GatePolicy(usd_per_gate=7, on_inconclusive="more_trials", more_trials=30),
    ):
        found = plan_budget(policy, ITEMS, PRICES, arm_models=["m", "m"], judge_model=None)
        assert capped(policy, found).trials_cap(50) == 5
    rich = GatePolicy(usd_per_gate=1000)
    assert capped(rich, plan_budget(rich, ITEMS, PRICES, arm_models=["m"], judge_model=None)) is rich


def test_regression_tests_run_as_often_as_they_must() -> None:
    trials = trials_by_item(replace(GatePolicy(), must_pass_n=3), ITEMS, 6)
    assert (trials["0"], trials["p"], len(trials)) == (6, 3, 51)
