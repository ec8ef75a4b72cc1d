"""A truth and a policy -> what a gate makes of it, driven through its public interface only; seeded."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import chain
from random import Random
from statistics import fmean
from typing import Any

from flywheel.domain.gate import Errored, GatePolicy, Pair, SequentialGate
from tests.bench.worlds import TRIALS, WORLDS, Truth

type Score = float | Errored
POLICY = GatePolicy(max_trials=TRIALS)
LOOK = 10
_PORTION = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """One gate. `invocations` counts both arms; a cached incumbent costs none."""

    kind: str
    reason: str
    pairs: int
    invocations: int
    looks: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Many gates of one world; shares in [0, 1]."""

    gates: int
    passed: float
    failed: float
    inconclusive: float
    invocations: float
    invocations_p95: float
    looks: float
    reasons: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Setting:
    """What is simulated: `changes` replace fields of the policy; `wave`: pairs of a look."""

    world: str
    wave: int = LOOK
    changes: tuple[tuple[str, Any], ...] = ()

    @property
    def policy(self) -> GatePolicy:
        return replace(POLICY, **dict(self.changes))


def run(
    truth: Truth,
    policy: GatePolicy,
    seed: int,
    rng: Random,
    *,
    wave: int = LOOK,
    anchor: Mapping[str, Sequence[float]] | None = None,
) -> Outcome:
    """Give the gate what it asks for, `wave` pairs a look, until it decides.

    Raises:
        RuntimeError: the gate asks for nothing and decides nothing.
    """
    gate = SequentialGate(policy, truth.slices, seed, **_stored(truth, anchor))
    pairs = looks = 0
    while (verdict := gate.verdict()).kind is None:
        wanted = gate.next_pairs(wave)
        if not wanted:
            raise RuntimeError(f"after {pairs} pairs the gate is open and asks for nothing")
        for pair in wanted:
            gate.record(pair.item_id, pair.trial, *answers(truth, pair, rng))
        pairs += len(wanted)
        looks += 1
    reason = verdict.reasons[0].code if verdict.reasons else ""
    return Outcome(verdict.kind, reason, pairs, pairs * (1 if truth.history is not None else 2), looks)


def _stored(truth: Truth, anchor: Mapping[str, Sequence[float]] | None) -> dict[str, Any]:
    return {name: scores for name, scores in (("history", truth.history), ("anchor", anchor)) if scores is not None}


def answers(truth: Truth, pair: Pair, rng: Random) -> tuple[Score, Score | None]:
    """Scores of both arms; None for an incumbent that is not run."""
    candidate = _score(truth.candidate[pair.item_id], truth.candidate_errors, rng)
    if truth.history is not None:
        return candidate, None
    return candidate, _score(truth.incumbent[pair.item_id], truth.incumbent_errors, rng)


def _score(chance: float, errors: float, rng: Random) -> Score:
    if errors and rng.random() < errors:
        return Errored()
    return float(rng.random() < chance)


def simulate(setting: Setting, numbers: Sequence[int]) -> list[Outcome]:
    """One gate for each number; the same number meets the same truth in every setting of a world."""
    world, policy = WORLDS[setting.world], setting.policy
    outcomes = []
    for number in numbers:
        truth = world.draw(Random(f"{setting.world} truth {number}"))
        outcomes.append(run(truth, policy, number, Random(f"{setting.world} trials {number}"), wave=setting.wave))
    return outcomes


def spread[Setup, Result](
    pool: Executor, work: Callable[[Setup, Sequence[int]], list[Result]], setup: Setup, gates: int
) -> Iterator[Result]:
    """Start `work` over the numbers 0 .. `gates` - 1 in portions; the results come as from one process, in order."""
    portions = [range(first, min(first + _PORTION, gates)) for first in range(0, gates, _PORTION)]
    return chain.from_iterable(pool.map(work, [setup] * len(portions), portions))


def figures(outcomes: Sequence[Outcome]) -> Figures:
    def share(kind: str) -> float:
        return sum(outcome.kind == kind for outcome in outcomes) / len(outcomes)

    ordered = sorted(outcome.invocations for outcome in outcomes)
    reasons = [outcome.reason for outcome in outcomes if outcome.reason]
    return Figures(
        gates=len(outcomes),
        passed=share("PASS"),
        failed=share("FAIL"),
        inconclusive=share("INCONCLUSIVE"),
        invocations=fmean(ordered),
        invocations_p95=float(ordered[max(0, -(-95 * len(ordered) // 100) - 1)]),
        looks=fmean(outcome.looks for outcome in outcomes),
        reasons={code: reasons.count(code) for code in sorted(set(reasons))},
    )
