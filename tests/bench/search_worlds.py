"""Random numbers -> experiments with the truth about every configuration; pure.

The items are those of the project's own dataset: their slices, and how many facts the judge scores in each. Whether a
fact is answered is decided by

    logit p = ability + item's easiness + sum over dimensions (level's effect + level x slice + level x item)
              + sum over pairs of dimensions (interaction of two levels) + configuration x item

with an easiness that gives the success probabilities the mean and spread of the verdict's worlds (`worlds`): .85, .25.

An answer's facts succeed together (one draw) or each by itself, half and half. A fact that succeeds scores 1; of the
others a fifth scores .5, the rest 0; a refusal is right or wrong. The judge, in a share of its judgements, says
anything. A trial errs with the configuration's probability, and scores 0. So the expected score of every
configuration on every item, and with it the true mean over the dataset, is exact.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp, prod
from random import Random
from typing import Literal

type Kind = Literal["mixed", "near_equal", "one_best", "one_errs", "noisy"]
KINDS: tuple[Kind, ...] = ("mixed", "near_equal", "one_best", "one_errs", "noisy")

_HALF = 0.2  # of the facts that do not succeed
_TOGETHER = 0.5
_FEWEST, _MOST = 4, 32


@dataclass(frozen=True, slots=True)
class Item:
    """`facts`: 0 for an item that must be refused."""

    item_id: str
    slice: str
    facts: int


@dataclass(frozen=True, slots=True)
class Experiment:
    """Configurations over one dataset.

    `chances`: configuration -> item -> probability that a fact succeeds. `noise`: share of judgements that say
    anything. `errors`: configuration -> probability that a trial errs.
    """

    kind: Kind
    items: tuple[Item, ...]
    chances: Mapping[str, Mapping[str, float]]
    noise: float
    errors: Mapping[str, float]

    @property
    def configurations(self) -> tuple[str, ...]:
        return tuple(self.chances)

    def mean(self, configuration: str) -> float:
        """Expected score over the dataset: what the search is to find the largest of."""
        own = self.chances[configuration]
        total = sum(self._expected(own[item.item_id], item) for item in self.items)
        return (1.0 - self.errors[configuration]) * total / len(self.items)

    def _expected(self, chance: float, item: Item) -> float:
        half = 0.5 * _HALF * (1.0 - chance) if item.facts else 0.0
        return (1.0 - self.noise) * (chance + half) + self.noise * 0.5

    def trial(self, configuration: str, item: Item, rng: Random) -> float:
        """Score of one trial."""
        if rng.random() < self.errors[configuration]:
            return 0.0
        chance = self.chances[configuration][item.item_id]
        if not item.facts:
            return self._judged(float(rng.random() < chance), (0.0, 1.0), rng)
        together = rng.random() < _TOGETHER
        common = rng.random()
        total = 0.0
        for _ in range(item.facts):
            if (common if together else rng.random()) < chance:
                score = 1.0
            elif rng.random() < _HALF:
                score = 0.5
            else:
                score = 0.0
            total += self._judged(score, (0.0, 0.5, 1.0), rng)
        return total / item.facts

    def _judged(self, score: float, choices: tuple[float, ...], rng: Random) -> float:
        return rng.choice(choices) if rng.random() < self.noise else score


def experiment(kind: Kind, items: tuple[Item, ...], rng: Random) -> Experiment:
    """Draw one of 4 to 32 configurations in 2 to 4 dimensions."""
    levels = _levels(rng)
    size = {"near_equal": 0.1, "one_best": 0.15}.get(kind) or exp(rng.uniform(-2.3, 0.0))
    slices = sorted({item.slice for item in items})
    ability, easiness = rng.gauss(3.5, 0.5), {item.item_id: rng.gauss(0.0, 3.0) for item in items}
    effect = _table(rng, levels, lambda: rng.gauss(0.0, size))
    by_slice = {name: _table(rng, levels, lambda: rng.gauss(0.0, 0.5 * size)) for name in slices}
    by_item = {item.item_id: _table(rng, levels, lambda: rng.gauss(0.0, 0.5)) for item in items}
    pairs = {
        (a, i, b, j): rng.gauss(0.0, 0.3 * size)
        for a, b in itertools.combinations(range(len(levels)), 2)
        for i in range(levels[a])
        for j in range(levels[b])
    }
    chances = {}
    named = {f"c{n:02}": chosen for n, chosen in enumerate(itertools.product(*map(range, levels)), start=1)}
    for name, chosen in named.items():
        both = itertools.combinations(enumerate(chosen), 2)
        base = ability + sum(pairs[a, i, b, j] for (a, i), (b, j) in both)
        base += sum(effect[at] for at in enumerate(chosen))
        chances[name] = {
            item.item_id: _logistic(
                base
                + easiness[item.item_id]
                + sum(by_slice[item.slice][at] + by_item[item.item_id][at] for at in enumerate(chosen))
                + rng.gauss(0.0, 0.3)
            )
            for item in items
        }
    errors = dict.fromkeys(chances, 0.0)
    if kind == "one_errs":
        errors[rng.choice(list(chances))] = rng.choice((0.05, 0.2, 1.0))
    if kind == "one_best":
        best = rng.choice(list(chances))
        chances[best] = {item: p + 0.5 * (1.0 - p) for item, p in chances[best].items()}
    noise = rng.uniform(0.1, 0.2) if kind == "noisy" else rng.uniform(0.0, 0.06)
    return Experiment(kind, items, chances, noise, errors)


def _levels(rng: Random) -> list[int]:
    """Levels of each dimension, with 4 to 32 configurations in all."""
    while True:
        found = [rng.randint(2, 4) for _ in range(rng.randint(2, 4))]
        if _FEWEST <= prod(found) <= _MOST:
            return found


def _table(rng: Random, levels: list[int], value: Callable[[], float]) -> dict[tuple[int, int], float]:
    return {(dimension, level): value() for dimension, many in enumerate(levels) for level in range(many)}


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + exp(-x))
