"""Plan -> judgements that are asked a second time, to see whether the judge agrees with itself."""

from hashlib import blake2b
from heapq import nsmallest

from flywheel.domain.gate import SequentialGate
from flywheel.domain.outcome import TrialKey
from flywheel.domain.plan import GatePlan
from flywheel.domain.waves import gate_items

# One judgement in so many is repeated, from the first on: they spread over items, and all of them are in early waves.
_ONE_IN = 4


def repeated_judgements(plan: GatePlan) -> frozenset[tuple[TrialKey, str]]:
    """Trial and fact of every judgement to repeat: at most `judge_repeats`, always the same ones for a plan.

    They are drawn by a hash from the first pairs that the gate issues, whose order depends on its seed and items only:
    these pairs run whatever comes out, and every shard knows without asking which of its own are drawn. Fewer are
    repeated when an answer needs no judge.
    """
    wanted = plan.policy.judge_repeats
    if not wanted:
        return frozenset()
    facts = {item.item_id: item.response_facts for item in plan.items}
    gate = SequentialGate(plan.policy, gate_items(plan.policy, plan.items), plan.seed)
    asked: list[tuple[TrialKey, str]] = []
    for pair in gate.next_pairs(_ONE_IN * wanted):
        if len(asked) >= _ONE_IN * wanted:
            break
        asked += [
            (TrialKey(pair.item_id, pair.trial, arm.arm), fact) for arm in plan.arms for fact in facts[pair.item_id]
        ]
    return frozenset(nsmallest(wanted, asked, key=lambda one: _draw(plan.gate_id, *one)))


def _draw(gate_id: str, key: TrialKey, fact: str) -> bytes:
    text = "\0".join((gate_id, key.item_id, str(key.trial), key.arm, fact))
    return blake2b(text.encode(), digest_size=8).digest()
