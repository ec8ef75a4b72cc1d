"""A gate of the incumbent itself -> whether the quality of production has drifted.

Items that were harvested are failures by nature: an agent that fails one of them again has not become worse. What says
something is how many of a good number it fails, so two fields of the policy decide: the share `drift_rate` of at least
`drift_minimum_items` items. A nightly gate is over the whole dataset, which the incumbent once passed: that it fails is
drift by itself, whatever the share.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from flywheel.domain.outcome import TrialRecord
from flywheel.domain.plan import GatePlan
from flywheel.domain.reliability import item_reliability
from flywheel.domain.verdict import VerdictKind

NIGHTLY = "nightly"
DATASET_GROWN = "dataset-grown"
# The event that names them has to stay below 256 KB.
_MOST_NAMED = 1000


@dataclass(frozen=True, slots=True)
class Drift:
    """`item_ids` failed of the `asked` ones that could be judged; `by`: what makes it drift."""

    item_ids: tuple[str, ...]
    failed: int
    asked: int
    limit: float
    by: tuple[str, ...]

    @property
    def rate(self) -> float:
        return self.failed / self.asked if self.asked else 0.0


def find_drift(plan: GatePlan, records: Sequence[TrialRecord], verdict: VerdictKind) -> Drift | None:
    """None: not a gate of the incumbent by itself, or nothing has drifted.

    An item fails when no more than half of its trials pass, a regression test when fewer pass than the policy asks for;
    trials that the judge could not score are left out. `by` has `rate`, `verdict` or both.
    """
    if plan.trigger.source not in (NIGHTLY, DATASET_GROWN) or plan.release_no is None or len(plan.arms) != 1:
        return None
    policy = plan.policy
    must_pass = {item.item_id for item in plan.items if item.must_pass}
    failed, asked = [], 0
    for item in item_reliability(plan.items, records, pass_score=policy.must_pass_score):
        if item.trials == 0:
            continue
        asked += 1
        enough = item.passed >= policy.must_pass_k if item.item_id in must_pass else 2 * item.passed > item.trials
        if not enough:
            failed.append(item.item_id)
    drift = Drift(tuple(failed[:_MOST_NAMED]), len(failed), asked, policy.drift_rate, ())
    by = []
    if asked >= policy.drift_minimum_items and drift.rate > policy.drift_rate:
        by.append("rate")
    if plan.trigger.source == NIGHTLY and verdict == "FAIL":
        by.append("verdict")
    return Drift(drift.item_ids, drift.failed, asked, drift.limit, tuple(by)) if by else None
