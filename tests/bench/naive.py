"""One trial of every item -> whether today's simple rules promote the candidate; pure."""

from collections.abc import Iterable, Mapping, Sequence
from math import comb
from random import Random
from statistics import fmean

from flywheel.domain.gate import Pair
from tests.bench.simulation import answers
from tests.bench.worlds import WORLDS, Truth

LOSS = 0.02
SIGNIFICANT = 0.05
RULES = ("mean >= .5", "mean >= .8", "incumbent - .02", "McNemar p < .05")
type Trial = tuple[float | None, float | None]


def one_trial(truth: Truth, rng: Random) -> list[Trial]:
    """Both arms' scores of every item; None where the trial errored, which is then left out, as is usual."""
    trials = []
    for item in truth.slices:
        candidate, incumbent = answers(truth, Pair(item, 1), rng)
        if truth.history is not None:
            incumbent = truth.history[item][0]
        trials.append((_number(candidate), _number(incumbent)))
    return trials


def _number(score: object) -> float | None:
    return score if isinstance(score, float) else None


def promoted(trials: Iterable[Trial]) -> dict[str, bool]:
    """What each rule does with these scores."""
    trials = list(trials)
    candidate = fmean(score for score, _ in trials if score is not None)
    incumbent = fmean(score for _, score in trials if score is not None)
    both = [(mine, theirs) for mine, theirs in trials if mine is not None and theirs is not None]
    lost = sum(mine < theirs for mine, theirs in both)
    won = sum(mine > theirs for mine, theirs in both)
    blocked = lost > won and mcnemar(lost, won) < SIGNIFICANT
    return dict(
        zip(RULES, (candidate >= 0.5, candidate >= 0.8, candidate >= incumbent - LOSS, not blocked), strict=True)
    )


def mcnemar(lost: int, won: int) -> float:
    """Exact two-sided p-value of McNemar's test from the pairs in which the arms differ."""
    differing = lost + won
    tail = sum(comb(differing, count) for count in range(min(lost, won) + 1))
    return min(1.0, tail / 2.0 ** (differing - 1))


def judge(world: str, numbers: Sequence[int]) -> list[dict[str, bool]]:
    """The same truths that the gate meets, see `simulation.simulate`."""
    return [
        promoted(one_trial(WORLDS[world].draw(Random(f"{world} truth {number}")), Random(f"{world} naive {number}")))
        for number in numbers
    ]


def shares(found: Sequence[Mapping[str, bool]]) -> dict[str, float]:
    return {rule: fmean(float(one[rule]) for one in found) for rule in RULES}
