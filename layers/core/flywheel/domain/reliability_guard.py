"""Trials of the candidate -> what speaks against it where the policy gates pass^k."""

from collections.abc import Sequence
from math import fsum

from flywheel.domain.golden_item import GoldenItem
from flywheel.domain.outcome import TrialRecord
from flywheel.domain.policy import TOLERANCE, GatePolicy
from flywheel.domain.reliability import ItemReliability, item_reliability
from flywheel.domain.verdict import MOST_ITEMS, Reason


def reliability_reasons(
    policy: GatePolicy, items: Sequence[GoldenItem], records: Sequence[TrialRecord]
) -> list[Reason]:
    """Hold the mean pass^k of the candidate against `minimum_reliability`; nothing when `reliability_k` is None.

    The mean is over the items with at least k trials that could be judged; production items have a rule of their own
    and are left out. `reliability` (FAIL) when it is below the minimum. The gate asks each item k times before it
    passes, but its cap or the judge may leave an item with fewer: while more than `maximum_judge_error_rate` of the
    items lack trials, the mean of the others says nothing about all of them (later trials go to the slices that are
    hard to settle), and the reason is `evidence_missing` (INCONCLUSIVE); unless the minimum could not be reached any
    more if all of those were perfect.
    """
    k, required = policy.reliability_k, policy.minimum_reliability
    counted = [item for item in items if not item.must_pass]
    if k is None or not counted:
        return []
    measured = item_reliability(counted, records, pass_score=policy.must_pass_score)
    hats = {item.item_id: hat for item in measured if (hat := item.pass_hat(k)) is not None}
    lacking = [item.item_id for item in counted if item.item_id not in hats]
    best = (fsum(hats.values()) + len(lacking)) / len(counted)
    enough = len(lacking) <= policy.maximum_judge_error_rate * len(counted) + TOLERANCE
    if hats and (enough or best < required - TOLERANCE):
        observed = fsum(hats.values()) / len(hats)
        if observed >= required - TOLERANCE:
            return []
        message = (
            f"pass^{k}, the chance that {k} trials of an item all pass, is {observed:.3f} on average over {len(hats)} "
            f"items; at least {required:.3f} is required"
        )
        return [Reason("reliability", message, f"pass^{k}", None, observed, required, _worst(measured, hats))]
    message = (
        f"only {len(hats)} of {len(counted)} items have the {k} judged trials that pass^{k} needs: "
        "the gate ended before it could be checked"
    )
    return [Reason("evidence_missing", message, f"pass^{k}", None, None, required, tuple(lacking[:MOST_ITEMS]))]


def _worst(measured: Sequence[ItemReliability], hats: dict[str, float]) -> tuple[str, ...]:
    below = sorted((hats[item.item_id], item.item_id) for item in measured if hats.get(item.item_id, 1.0) < 1.0)
    return tuple(item_id for _, item_id in below)[:MOST_ITEMS]
