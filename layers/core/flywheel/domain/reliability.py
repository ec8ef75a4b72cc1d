"""How reliably each item is answered over its trials: k of n, pass^k, items that flip and items that are unstable.

pass^k (Yao et al. 2024, tau-bench) is the chance that k trials of an item, drawn without replacement from its n, all
pass: C(c, k) / C(n, k) with c passes. A mean hides an item that works every other time; pass^k does not.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, fsum

from flywheel.domain.golden_item import GoldenItem
from flywheel.domain.outcome import Arm, TrialRecord


@dataclass(frozen=True, slots=True)
class ItemReliability:
    """Trials of one item and arm. An errored trial did not pass; one that the judge could not score is in neither.

    `flips`: some trials passed and some did not.
    """

    item_id: str
    slice: str
    passed: int
    trials: int
    unjudged: int = 0

    @property
    def flips(self) -> bool:
        return 0 < self.passed < self.trials

    def pass_hat(self, k: int) -> float | None:
        """pass^k in [0, 1]; None with fewer than k trials.

        Raises:
            ValueError: k is below 1.
        """
        if k < 1:
            raise ValueError(f"k is {k}; it must be at least 1")
        return comb(self.passed, k) / comb(self.trials, k) if self.trials >= k else None


def item_reliability(
    items: Sequence[GoldenItem], records: Sequence[TrialRecord], *, arm: Arm = "candidate", pass_score: float
) -> list[ItemReliability]:
    """One entry for each item that has records, in the order of `items`; a trial passes from `pass_score` on.

    The score is `correctness`.
    """
    trials: dict[str, list[TrialRecord]] = defaultdict(list)
    for record in records:
        if record.key.arm == arm:
            trials[record.key.item_id].append(record)
    return [_of_item(item, trials[item.item_id], pass_score) for item in items if item.item_id in trials]


def mean_pass_hat(items: Sequence[ItemReliability], k: int) -> float | None:
    """Mean pass^k over the items with at least k trials, in [0, 1]; None when there is no such item.

    Raises:
        ValueError: k is below 1.
    """
    hats = [hat for item in items if (hat := item.pass_hat(k)) is not None]
    return fsum(hats) / len(hats) if hats else None


def unstable_items(items: Sequence[GoldenItem], records: Sequence[TrialRecord], *, pass_score: float) -> list[str]:
    """Ids of the items that flip in both arms, in the order of `items`.

    Where candidate and incumbent both pass sometimes, the item or its judgement is at fault, not the change: such an
    item costs trials and decides nothing. Empty without an incumbent.
    """
    theirs = item_reliability(items, records, arm="incumbent", pass_score=pass_score)
    flipped = {item.item_id for item in theirs if item.flips}
    ours = item_reliability(items, records, pass_score=pass_score)
    return [item.item_id for item in ours if item.flips and item.item_id in flipped]


def passes(record: TrialRecord, pass_score: float) -> bool | None:
    """Whether a trial passed; None when the judge could not say."""
    if record.error is not None:
        return None if record.error.stage == "judge" else False
    return record.scores.get("correctness", 0.0) >= pass_score


def _of_item(item: GoldenItem, records: Sequence[TrialRecord], pass_score: float) -> ItemReliability:
    results = [passes(record, pass_score) for record in records]
    unjudged = results.count(None)
    return ItemReliability(item.item_id, item.slice, results.count(True), len(results) - unjudged, unjudged)
