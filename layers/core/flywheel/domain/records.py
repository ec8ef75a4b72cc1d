"""Records of trials as guards look at them: each trial once, with its item."""

from collections.abc import Iterable, Mapping, Sequence

from flywheel.domain.golden_item import GoldenItem
from flywheel.domain.outcome import TrialKey, TrialRecord
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
