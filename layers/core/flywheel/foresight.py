"""Policy and dataset -> what a gate of them will take and see, by simulating gates; for `flywheel gate plan`.

Simulated items are answered right with a chance drawn from Beta(.884, .156): mean .85, a few of them hard. A drop takes
the same share off every chance. Seeded: the same plan foresees the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from random import Random
from statistics import fmean
from typing import Literal

from flywheel.domain.gate import SequentialGate, VerdictKind
from flywheel.domain.policy import GatePolicy

type Design = Literal["paired", "cached", "one_sample"]

_GATES = 100
_GATES_A_DROP = 50
_DROPS = (0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.1, 0.12, 0.15, 0.2, 0.3)
_SEEN = 0.8
_STORED = 10
_ALPHA, _BETA = 0.884, 0.156


@dataclass(frozen=True, slots=True)
class Foresight:
    """Of an equal candidate: pairs expected, 95th percentile, at the cap, and the share of gates that pass it.

    `smallest_drop`: the smallest loss of the mean, in points of [0, 1], of those tried that four gates in five FAIL;
    None: not even the largest.
    """

    gates: int
    expected_pairs: int
    pairs_p95: int
    cap_pairs: int
    equal_passed: float
    equal_failed: float
    smallest_drop: float | None


def foresee(policy: GatePolicy, items: Mapping[str, str], *, design: Design, wave_pairs: int) -> Foresight:
    """`items`: item id -> slice, as `gate_items` gives them."""
    plan = _Plan(policy, items, design, wave_pairs)
    equal = [_simulate(plan, 0.0, seed) for seed in range(_GATES)]
    pairs = sorted(used for _, used in equal)
    kinds = [kind for kind, _ in equal]
    return Foresight(
        gates=_GATES,
        expected_pairs=round(fmean(pairs)),
        pairs_p95=pairs[ceil(0.95 * len(pairs)) - 1],
        cap_pairs=len(items) * policy.trials_cap(len(items)),
        equal_passed=kinds.count("PASS") / len(kinds),
        equal_failed=kinds.count("FAIL") / len(kinds),
        smallest_drop=next((drop for drop in _DROPS if _is_seen(plan, drop)), None),
    )


@dataclass(frozen=True, slots=True)
class _Plan:
    policy: GatePolicy
    items: Mapping[str, str]
    design: Design
    wave_pairs: int


def _is_seen(plan: _Plan, drop: float) -> bool:
    failed = 0
    for seed in range(_GATES_A_DROP):
        failed += _simulate(plan, drop, seed)[0] == "FAIL"
        if failed + _GATES_A_DROP - seed - 1 < _SEEN * _GATES_A_DROP:
            return False  # the rest cannot make up for it
    return True


def _simulate(plan: _Plan, drop: float, seed: int) -> tuple[VerdictKind | None, int]:
    """Give the verdict of one gate and the pairs that it took."""
    random = Random(f"foresight {seed}")  # noqa: S311 - a simulation, not a secret
    chances = {item: random.betavariate(_ALPHA, _BETA) for item in plan.items}
    share = 1.0 - min(1.0, drop / max(1e-9, fmean(chances.values())))

    def answer(chance: float) -> float:
        return float(random.random() < chance)

    history = None
    if plan.design == "cached":
        history = {item: [answer(chance) for _ in range(_STORED)] for item, chance in chances.items()}
    gate = SequentialGate(plan.policy, plan.items, seed, history=history)
    pairs = 0
    while (kind := gate.verdict().kind) is None:
        for pair in gate.next_pairs(plan.wave_pairs):
            chance = chances[pair.item_id]
            incumbent = answer(chance) if plan.design == "paired" else None
            gate.record(pair.item_id, pair.trial, answer(chance * share), incumbent)
            pairs += 1
    return kind, pairs
