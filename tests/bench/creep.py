"""Ten releases in a row that each lose 3 points, each PASS the next incumbent -> by how much the mean has changed."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random

from tests.bench.naive import one_trial, promoted
from tests.bench.simulation import POLICY, run
from tests.bench.worlds import HISTORY, Truth, equal, mean, scores, shifted

RELEASES, LOSS = 10, -0.03


def chain(passes: Callable[[Truth, int], bool], first: Truth) -> float:
    """Change of the true mean from the first incumbent to the last one."""
    now = first.incumbent
    for release in range(1, RELEASES + 1):
        candidate = shifted(now, LOSS)
        if passes(Truth(first.slices, now, candidate), release):
            now = candidate
    return mean(now) - mean(first.incumbent)


def _first(number: int) -> Truth:
    return equal(Random(f"creep truth {number}"))


def chains(anchored: bool, numbers: Sequence[int]) -> list[float]:
    """One chain for each number; `anchored`: candidates are also held against stored trials of the first release."""
    changes = []
    for number in numbers:
        first = _first(number)
        anchor = scores(first.incumbent, HISTORY, Random(f"creep anchor {number}")) if anchored else None
        changes.append(chain(partial(_gate_passes, number, Random(f"creep trials {number}"), anchor), first))
    return changes


def _gate_passes(
    number: int, rng: Random, anchor: Mapping[str, Sequence[float]] | None, truth: Truth, release: int
) -> bool:
    return run(truth, POLICY, number * RELEASES + release, rng, anchor=anchor).kind == "PASS"


def naive_chains(rule: str, numbers: Sequence[int]) -> list[float]:
    """The same releases under one of `naive.RULES`."""
    return [
        chain(partial(_rule_promotes, rule, Random(f"creep {rule} {number}")), _first(number)) for number in numbers
    ]


def _rule_promotes(rule: str, rng: Random, truth: Truth, _release: int) -> bool:
    return promoted(one_trial(truth, rng))[rule]
