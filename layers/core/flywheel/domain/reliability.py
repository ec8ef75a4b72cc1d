"""How reliably each item is answered over its trials: k of n, pass^k, and items that flip.

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


@dataclass(frozen=True, slots=True)
class SliceReliability:
    """`pass_hat[k - 1]` is the mean of pass^k over the items that have k trials; None where none has."""

    slice: str
    items: int
    pass_hat: tuple[float | None, ...]


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


def slice_reliability(items: Sequence[ItemReliability], *, most_k: int) -> list[SliceReliability]:
    """pass^1 .. pass^most_k of each slice, slices in alphabetical order."""
    slices: dict[str, list[ItemReliability]] = defaultdict(list)
    for item in items:
        slices[item.slice].append(item)
    return [
        SliceReliability(name, len(part), tuple(_mean_pass_hat(part, k) for k in range(1, most_k + 1)))
        for name, part in sorted(slices.items())
    ]


def unstable_items(candidate: Sequence[ItemReliability], incumbent: Sequence[ItemReliability]) -> tuple[str, ...]:
    """Items that flip in both arms: the item or its judgement is unstable, not the candidate."""
    flipping = {item.item_id for item in incumbent if item.flips}
    return tuple(item.item_id for item in candidate if item.flips and item.item_id in flipping)


def passes(record: TrialRecord, pass_score: float) -> bool | None:
    """Whether a trial passed; None when the judge could not say."""
    if record.error is not None:
        return None if record.error.stage == "judge" else False
    return record.scores.get("correctness", 0.0) >= pass_score


def _of_item(item: GoldenItem, records: Sequence[TrialRecord], pass_score: float) -> ItemReliability:
    results = [passes(record, pass_score) for record in records]
    unjudged = results.count(None)
    return ItemReliability(item.item_id, item.slice, results.count(True), len(results) - unjudged, unjudged)


def _mean_pass_hat(items: Sequence[ItemReliability], k: int) -> float | None:
    values = [value for item in items if (value := item.pass_hat(k)) is not None]
    return fsum(values) / len(values) if values else None
