"""Failures come later than successes: what the gate decides when it is asked after every single arrival.

Waves of 60 pairs. `in_order`: the gate keeps the results in the order in which it issued the pairs. `as_they_come`: the
trap, made without touching the gate: whatever arrives next is recorded as the pair that was issued next.
"""

from collections.abc import Sequence
from random import Random

from flywheel.domain.gate import SequentialGate
from tests.bench.simulation import POLICY, Score, answers
from tests.bench.worlds import WORLDS

WAVE = 60
_SLOW = 5.0


def passes(setup: tuple[str, bool], numbers: Sequence[int]) -> list[bool]:
    """`setup`: world, and whether results are recorded as the pairs that they belong to."""
    world, in_order = setup
    found = []
    for number in numbers:
        truth, rng = WORLDS[world].draw(Random(f"{world} truth {number}")), Random(f"{world} arrivals {number}")
        gate = SequentialGate(POLICY, truth.slices, number)
        while gate.verdict().kind is None:
            issued = gate.next_pairs(WAVE)
            results = [(pair, answers(truth, pair, rng)) for pair in issued]
            arrivals = sorted(results, key=lambda result: duration(result[1][0], rng))
            for slot, (pair, (candidate, incumbent)) in zip(issued, arrivals, strict=True):
                at = pair if in_order else slot
                gate.record(at.item_id, at.trial, candidate, incumbent)
                if gate.verdict().kind is not None:
                    break
        found.append(gate.verdict().kind == "PASS")
    return found


def duration(candidate: Score, rng: Random) -> float:
    return rng.random() * (1.0 if candidate == 1.0 else _SLOW) + (0.0 if candidate == 1.0 else 1.0)
