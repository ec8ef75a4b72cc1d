"""Results of a wave -> the gate that has recorded them."""

from collections.abc import Sequence

from flywheel.domain.gate import SequentialGate
from flywheel.domain.outcome import TrialKey, TrialRecord
from flywheel.domain.plan import GatePlan
from flywheel.domain.records import Records
from flywheel.domain.stored_gate import gate_with_stored
from flywheel.domain.verdict import Errored, Reason
from flywheel.errors import EvidenceMissingError

_NAMED = 10


def record_wave(
    plan: GatePlan, gate: SequentialGate, wave: int, asked: Sequence[TrialKey], records: Records
) -> SequentialGate | Reason:
    """Record what the wave was asked for; give the gate, or why nothing may be concluded.

    Args:
        plan: the gate's plan.
        gate: as it stood when it asked for the wave.
        wave: its number, from 1; with the first one come the stored answers.
        asked: every trial that the wave was asked for.
        records: of all waves so far.

    Raises:
        EvidenceMissingError: a result that was asked for is not there, or has no primary score.
    """
    absent = [key for key in asked if key not in records]
    if absent:
        raise EvidenceMissingError(f"{len(absent)} trials have no result: {names(absent)}")
    own = [key for key in asked if key.arm == "candidate" and key.item_id in gate.items]
    if wave == 1 and plan.stored:
        known = gate_with_stored(plan, len(own), records)
        if isinstance(known, Reason):
            return known
        gate = known
    for key in own:
        other = TrialKey(key.item_id, key.trial, "incumbent")
        incumbent = _primary(plan, records[other]) if plan.arm("incumbent") else None
        gate.record(key.item_id, key.trial, _primary(plan, records[key]), incumbent)
    return gate


def _primary(plan: GatePlan, record: TrialRecord) -> float | Errored:
    """Give the score that the decision looks at. One that is not there is missing evidence, never a 0."""
    if record.error is not None:
        return Errored(record.error.stage)
    score = record.scores.get(plan.policy.primary_metric)
    if score is None:
        raise EvidenceMissingError(f"a trial has no {plan.policy.primary_metric}: {names([record.key])}")
    return score


def names(keys: Sequence[TrialKey]) -> str:
    """The first of them, for people."""
    return ", ".join(f"{key.item_id}#{key.trial} {key.arm}" for key in keys[:_NAMED])
