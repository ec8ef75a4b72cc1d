"""Which trials run when: items -> pairs of the gate and of the regression tests; pairs -> shards of a wave."""

from collections.abc import Sequence

from flywheel.domain.golden import GoldenItem
from flywheel.domain.metrics import METRICS
from flywheel.domain.outcome import Arm, TrialKey
from flywheel.domain.plan import Shard
from flywheel.domain.policy import GatePolicy
from flywheel.domain.verdict import Pair


def gate_items(policy: GatePolicy, items: Sequence[GoldenItem]) -> dict[str, str]:
    """Item id -> slice of what `SequentialGate` averages: no production item, and the primary metric applies."""
    applies = METRICS[policy.primary_metric].applies
    return {item.item_id: item.slice for item in items if not item.must_pass and applies(item)}


def must_pass_pairs(policy: GatePolicy, items: Sequence[GoldenItem]) -> list[Pair]:
    """Every trial of the production items, `must_pass_n` each; they run beside the gate's own pairs."""
    return [Pair(item.item_id, trial) for trial in range(1, policy.must_pass_n + 1) for item in items if item.must_pass]


def plan_shards(
    pairs: Sequence[Pair],
    arms: Sequence[Arm],
    shards_per_wave: int,
    gate_id: str,
    wave: int,
    *,
    stored: Sequence[TrialKey] = (),
) -> list[Shard]:
    """Spread the pairs of one wave over at most `shards_per_wave` shards; no shard is empty.

    Both arms of a pair stand next to each other in one shard, so that a change of the environment hits both alike;
    which arm goes first alternates from pair to pair. Shards differ by at most one pair. A shard's key is
    `<wave>-<nn>`: the name that its files under shards/, checkpoints/ and results/ share. `stored` are answers to be
    judged again, spread over the shards after the pairs.

    Raises:
        ValueError: `shards_per_wave` is below 1, there is no arm, or a pair or an arm comes twice.
    """
    if shards_per_wave < 1:
        raise ValueError(f"shards_per_wave is {shards_per_wave}; at least 1 is needed")
    if not arms or len(set(arms)) != len(arms):
        raise ValueError(f"arms are {list(arms)}; each must be there once")
    if len(set(pairs)) != len(pairs):
        raise ValueError("a pair comes twice in one wave")
    count = min(shards_per_wave, len(pairs))
    lines: list[list[TrialKey]] = [[] for _ in range(count)]
    for number, pair in enumerate(pairs):
        turn = arms if (number // count) % 2 == 0 else tuple(reversed(arms))
        lines[number % count] += [TrialKey(pair.item_id, pair.trial, arm) for arm in turn]
    for number, key in enumerate(stored):
        lines[number % count].append(key)
    return [Shard(gate_id, f"{wave}-{number:02d}", tuple(part)) for number, part in enumerate(lines)]
