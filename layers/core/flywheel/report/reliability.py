"""Trial records -> how steady each arm is, over all items, per slice and per item."""

from collections.abc import Sequence

from flywheel.domain.outcome import Arm, TrialRecord
from flywheel.domain.plan import GatePlan
from flywheel.domain.reliability import ItemReliability, item_reliability, mean_pass_hat, unstable_items
from flywheel.report.figures import PRODUCTION, named
from flywheel.report.steadiness import ItemTrials, ReliabilityRow
from flywheel.report.text import one_line

MOST_TRIALS = 10
MOST_ITEMS = 500


def reliability_rows(plan: GatePlan, records: Sequence[TrialRecord]) -> tuple[ReliabilityRow, ...]:
    """A row for each arm that has a judged trial, over all items first, then one for each slice and arm.

    Stored answers of the incumbent count as its trials; the anchor is no arm of this comparison.
    """
    compared: tuple[Arm, ...] = ("candidate", "incumbent")
    judged = {arm: _judged(plan, records, arm) for arm in compared}
    score = plan.policy.must_pass_score
    rows = [_row(arm, None, items, score) for arm, items in judged.items() if items]
    production = {i.item_id for i in plan.items if i.must_pass}
    where = {i.item_id: PRODUCTION if i.item_id in production else i.slice for i in plan.items}
    for name in dict.fromkeys(where.values()):
        own = {arm: [i for i in items if where[i.item_id] == name] for arm, items in judged.items()}
        rows += [_row(arm, name, items, score) for arm, items in own.items() if items]
    return tuple(rows)


def items_below_n(plan: GatePlan, records: Sequence[TrialRecord]) -> tuple[tuple[ItemTrials, ...], int]:
    """Items of which the candidate did not pass every judged trial, the least steady first; and how many more."""
    theirs = {i.item_id: i for i in _judged(plan, records, "incumbent")}
    unstable = set(unstable_items(plan.items, records, pass_score=plan.policy.must_pass_score))
    rows = []
    for item in _judged(plan, records, "candidate"):
        if item.passed < item.trials:
            other = theirs.get(item.item_id)
            rows.append(
                ItemTrials(
                    item_id=one_line(item.item_id, 120),
                    slice=item.slice,
                    passed=item.passed,
                    trials=item.trials,
                    unjudged=item.unjudged,
                    incumbent_passed=other.passed if other else 0,
                    incumbent_trials=other.trials if other else 0,
                    unstable=item.item_id in unstable,
                )
            )
    rows.sort(key=lambda row: (row.passed / row.trials, -row.trials, row.item_id))
    return tuple(rows[:MOST_ITEMS]), max(0, len(rows) - MOST_ITEMS)


def _judged(plan: GatePlan, records: Sequence[TrialRecord], arm: Arm) -> list[ItemReliability]:
    found = item_reliability(plan.items, records, arm=arm, pass_score=plan.policy.must_pass_score)
    return [item for item in found if item.trials]


def _row(arm: Arm, where: str | None, items: Sequence[ItemReliability], pass_score: float) -> ReliabilityRow:
    most = max(i.trials for i in items)
    flipped, _ = named(i.item_id for i in items if i.flips)
    hats = (mean_pass_hat(items, k) for k in range(1, min(MOST_TRIALS, most) + 1))
    return ReliabilityRow(
        arm=arm,
        slice=where,
        items=len(items),
        passed=sum(i.passed for i in items),
        judged=sum(i.trials for i in items),
        trials_per_item=most,
        pass_score=pass_score,
        pass_hat=tuple(hat for hat in hats if hat is not None),
        flips=sum(i.flips for i in items),
        flipped_items=flipped,
    )
