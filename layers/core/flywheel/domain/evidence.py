"""Records of trials -> what the gate and the guards look at: one record a trial, scores in the words of the gate."""

from collections.abc import Iterable, Mapping, Sequence

from flywheel.domain.gate import SequentialGate
from flywheel.domain.golden_item import GoldenItem
from flywheel.domain.outcome import Arm, TrialKey, TrialRecord
from flywheel.domain.policy import GatePolicy
from flywheel.domain.verdict import Errored
from flywheel.errors import InvalidRequestError

type Records = Mapping[TrialKey, TrialRecord]


def unique_records(records: Iterable[TrialRecord]) -> Records:
    """Index by key; a record that was delivered twice counts once.

    Raises:
        InvalidRequestError: two different records claim to be the same trial: choosing one would be choosing a result.
    """
    index: dict[TrialKey, TrialRecord] = {}
    for record in records:
        known = index.setdefault(record.key, record)
        if known != record:
            key = record.key
            raise InvalidRequestError(
                f"trial {key.trial} of item {key.item_id!r}, {key.arm}, has two different results; look for a shard "
                "that was evaluated twice"
            )
    return index


def candidate_records(
    items: Sequence[GoldenItem], records: Sequence[TrialRecord]
) -> list[tuple[GoldenItem, TrialRecord]]:
    """The candidate's records, each once, with their items.

    Raises:
        InvalidRequestError: a record is of no known item, or a trial has two different results.
    """
    by_id = {item.item_id: item for item in items}
    trials = []
    for key, record in unique_records(records).items():
        if key.item_id not in by_id:
            raise InvalidRequestError(f"there is a result of item {key.item_id!r}, which is not in the plan")
        if key.arm == "candidate":
            trials.append((by_id[key.item_id], record))
    return trials


def agent_errored(record: TrialRecord) -> bool:
    """The agent or its runtime failed; where the judge failed the agent has answered."""
    return record.error is not None and record.error.stage != "judge"


def gate_score(policy: GatePolicy, record: TrialRecord) -> float | Errored:
    """The primary score of a trial, or `Errored` with its stage.

    A trial without its primary score counts as one that the judge could not score, never as 0 and never as absent.
    """
    if record.error is not None:
        return Errored(record.error.stage)
    score = record.scores.get(policy.primary_metric)
    return Errored("judge") if score is None else score


def feed_gate(gate: SequentialGate, records: Iterable[TrialRecord], arms: Sequence[Arm]) -> int:
    """Record in the gate every pair whose arms are all there, and say how many those were.

    Records of items that the gate does not average (production items) are passed over. Feeding a state that has some
    of the pairs already is an error, so give it the records of the wave that it issued last.

    Raises:
        InvalidRequestError: a trial has two different results.
        ValueError: a pair was not issued by this gate or is recorded already.
    """
    index = unique_records(records)
    count = 0
    for key, record in index.items():
        if key.arm != "candidate" or key.item_id not in gate.items:
            continue
        incumbent = index.get(TrialKey(key.item_id, key.trial, "incumbent"))
        if "incumbent" in arms and incumbent is None:
            continue
        other = gate_score(gate.policy, incumbent) if incumbent is not None and "incumbent" in arms else None
        gate.record(key.item_id, key.trial, gate_score(gate.policy, record), other)
        count += 1
    return count
