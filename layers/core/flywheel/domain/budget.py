"""Policy, dataset and prices -> how often each item may be tried, and what that costs at most."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from flywheel.domain.golden import GoldenItem
from flywheel.domain.policy import GatePolicy
from flywheel.domain.prices import CostEstimate, PriceTable, estimate_gate_cost
from flywheel.domain.waves import gate_items


@dataclass(frozen=True, slots=True)
class Budget:
    """`trials` of each averaged item at most; `cost` if all of them run; `wanted` is what the policy would allow
    without its `usd_per_gate`.
    """

    trials: int
    wanted: int
    cost: CostEstimate

    @property
    def is_capped(self) -> bool:
        return self.trials < self.wanted


def plan_budget(
    policy: GatePolicy,
    items: Sequence[GoldenItem],
    prices: PriceTable,
    *,
    arm_models: Iterable[str],
    judge_model: str | None,
    stored_facts: int = 0,
) -> Budget:
    """The most trials that the policy's `usd_per_gate` pays for, one at the least.

    A gate ends long before its cap as a rule; the cap is what it may cost at the very most. When even one trial of each
    item costs more than is allowed, `cost.usd` says so: such a gate must not start.
    """
    models = list(arm_models)
    wanted = trials = policy.trials_cap(len(gate_items(policy, items)))

    def cost(trials: int) -> CostEstimate:
        by_item = trials_by_item(policy, items, trials)
        return estimate_gate_cost(
            prices,
            arm_models=models,
            trials_per_arm=sum(by_item.values()),
            facts=sum(len(item.response_facts) * by_item.get(item.item_id, 0) for item in items),
            judge_model=judge_model,
            stored_facts=stored_facts,
        )

    while trials > 1 and cost(trials).usd > policy.usd_per_gate:
        trials -= 1
    return Budget(trials, wanted, cost(trials))


def capped(policy: GatePolicy, budget: Budget) -> GatePolicy:
    """The policy with the cap that its budget allows; as it is when the budget takes nothing away."""
    if not budget.is_capped:
        return policy
    extra = policy.more_trials if policy.on_inconclusive == "more_trials" else 0
    if budget.trials > extra:
        return replace(policy, max_trials=budget.trials - extra)
    return replace(policy, max_trials=budget.trials, on_inconclusive="reject")


def trials_by_item(policy: GatePolicy, items: Sequence[GoldenItem], trials: int) -> dict[str, int]:
    """Item id -> trials of one arm at most: `trials` of what is averaged, `must_pass_n` of a regression test."""
    averaged = gate_items(policy, items)
    planned = {item.item_id: trials for item in items if item.item_id in averaged}
    return planned | {item.item_id: policy.must_pass_n for item in items if item.must_pass}
