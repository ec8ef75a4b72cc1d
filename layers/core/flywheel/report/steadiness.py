"""How steady the arms were over the trials of each item, as data: pass^k, and items below n of n."""

from dataclasses import dataclass

from flywheel.domain.outcome import Arm


@dataclass(frozen=True, slots=True)
class ReliabilityRow:
    """How steady one arm is. An item passes a trial with a score of `pass_score` or more.

    `slice` None: all items. `pass_hat[k - 1]` is pass^k: the chance that k trials of an item all pass, mean over the
    items with at least k trials. `passed` counts trials that passed, of `judged`. `flips` counts items that passed some
    trials and failed others. An errored trial did not pass; one that the judge could not score does not count.
    """

    arm: Arm
    slice: str | None
    items: int
    passed: int
    judged: int
    trials_per_item: int
    pass_score: float
    pass_hat: tuple[float, ...]
    flips: int
    flipped_items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ItemTrials:
    """An item of which the candidate passed fewer than all of its trials.

    `incumbent_trials` is 0 where the incumbent was not asked. `unstable`: the item flips in both arms.
    """

    item_id: str
    slice: str
    passed: int
    trials: int
    unjudged: int
    incumbent_passed: int
    incumbent_trials: int
    unstable: bool
