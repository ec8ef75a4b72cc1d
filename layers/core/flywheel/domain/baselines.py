"""Stored outputs of a configuration: what a settled gate leaves, and which of it may stand for an arm.

A stored answer is judged again by the judge of the day, together with the candidate's: only the invocation is saved.
What is never stored are the trials by which a release came into production: a gate that stops as soon as it is
convinced stops on lucky trials.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from flywheel.domain.golden import GoldenItem, item_hash
from flywheel.domain.history import History
from flywheel.domain.outcome import Arm, TrialKey, TrialRecord
from flywheel.domain.plan import GatePlan, StoredArm
from flywheel.domain.records import agent_errored
from flywheel.domain.strict import STRICT, first_problems
from flywheel.errors import InvalidRequestError

# More stored answers of one item tell hardly more: its own luck is then small beside that of the candidate.
MOST_TRIALS = 10
# The anchor is compared over the items that it has; over less than this share of them it says too little.
ANCHOR_SHARE = 0.5
# What the history does not know narrows the margin; a margin that is mostly gone would leave every gate undecided.
MOST_UNKNOWN = 0.5


@dataclass(frozen=True, slots=True)
class Baseline:
    """The trials of one configuration in one gate, errored ones included, and what they were made under.

    `tool_hash` is the SHA-256 of the address of the agent's tools; the prompt is part of `candidate_id`.
    `item_hashes` has the content of each item at that time.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    candidate_id: str
    gate_id: str
    dataset_hash: str
    judge_version: str
    tool_hash: str
    item_hashes: dict[str, str]
    records: tuple[TrialRecord, ...]


_BASELINE: TypeAdapter[Baseline] = TypeAdapter(Baseline)


def dump_baseline(baseline: Baseline) -> str:
    """The JSON text of a baseline's file; `load_baseline` reverses it."""
    return _BASELINE.dump_json(baseline).decode()


def load_baseline(text: str | bytes) -> Baseline:
    """Read a baseline's file.

    Raises:
        InvalidRequestError: it is none, or has fields that this version does not know.
    """
    try:
        return _BASELINE.validate_json(text)
    except ValidationError as error:
        raise InvalidRequestError(f"not a baseline: {first_problems(error)}") from error


def baselines_of(plan: GatePlan, records: Sequence[TrialRecord]) -> tuple[Baseline, ...]:
    """What this gate leaves behind once it is settled.

    The trials of an incumbent that it invoked; and the candidate's own, when the gate could not promote and the
    candidate is a release already, so that the trials had no part in letting it in.
    """
    kept: list[Arm] = []
    if plan.arm("incumbent") is not None:
        kept.append("incumbent")
    if not plan.promote and plan.release_no is not None:
        kept.append("candidate")
    hashes = {item.item_id: item_hash(item) for item in plan.items}
    found = []
    for arm in kept:
        of_arm = plan.arm(arm)
        own = tuple(record for record in records if record.key.arm == arm and not record.stored_from)
        if of_arm is not None and own and plan.tool_hash:
            found.append(
                Baseline(
                    candidate_id=of_arm.candidate.candidate_id,
                    gate_id=plan.gate_id,
                    dataset_hash=plan.dataset_hash,
                    judge_version=plan.judge.version,
                    tool_hash=plan.tool_hash,
                    item_hashes={item_id: hashes[item_id] for item_id in sorted({r.key.item_id for r in own})},
                    records=own,
                )
            )
    return tuple(found)


def tool_hash(mcp_url: str) -> str:
    """What a baseline says of the agent's tools: 64 hex digits of the address that they are reached at."""
    return hashlib.sha256(mcp_url.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Conditions:
    """What stored outputs must have been made under; whether an item is still the same is asked of each item."""

    judge_version: str
    tool_hash: str

    def against(self, baseline: Baseline) -> str | None:
        """What has changed since then, in words; None when nothing has."""
        if baseline.judge_version != self.judge_version:
            return "judged by another judge"
        if baseline.tool_hash != self.tool_hash:
            return "answered with other tools"
        return None


def stored_trials(
    items: Sequence[GoldenItem], baselines: Sequence[Baseline], conditions: Conditions, arm: Arm
) -> tuple[TrialRecord, ...]:
    """Stored answers of these items, at most `MOST_TRIALS` each, the newest first, as trials 1, 2, ... of `arm`.

    Left out are trials in which the agent errored (they have no answer), those of an item whose content has changed
    since, and the failure for which an item was harvested: it was chosen for having failed.
    """
    newest = sorted(baselines, key=lambda baseline: baseline.gate_id, reverse=True)
    fitting = [baseline for baseline in newest if conditions.against(baseline) is None]
    by_item: dict[str, list[TrialRecord]] = {}
    for baseline in fitting:
        for record in baseline.records:
            if not agent_errored(record):
                by_item.setdefault(record.key.item_id, []).append(replace(record, stored_from=baseline.gate_id))
    unchanged = {baseline.gate_id: baseline.item_hashes for baseline in fitting}
    chosen = []
    for item in items:
        now, harvested = item_hash(item), item.metadata.get("source_trace_id")
        own = [
            record
            for record in by_item.get(item.item_id, [])
            if unchanged[record.stored_from].get(item.item_id) == now
            and not (harvested and record.trace_id == harvested)
        ]
        chosen += [
            replace(record, key=TrialKey(item.item_id, number, arm))
            for number, record in enumerate(own[:MOST_TRIALS], start=1)
        ]
    return tuple(chosen)


def enough(records: Sequence[TrialRecord], least: int) -> tuple[TrialRecord, ...]:
    """The trials of those items that have at least `least` of them."""
    counts = trials_of(records)
    return tuple(record for record in records if counts[record.key.item_id] >= least)


def trials_of(records: Sequence[TrialRecord]) -> dict[str, int]:
    """Item id -> number of its trials, in the order of the records."""
    counts: dict[str, int] = {}
    for record in records:
        counts[record.key.item_id] = counts.get(record.key.item_id, 0) + 1
    return counts


def unknown(records: Sequence[TrialRecord], metric: str) -> float:
    """Points by which the mean of these trials may be wrong, by the scores that they had then."""
    scores: dict[str, list[float]] = {}
    for record in records:
        if metric in record.scores:
            scores.setdefault(record.key.item_id, []).append(record.scores[metric])
    return History(scores).pad(list(scores))


def stored_facts(items: Sequence[GoldenItem], stored: Sequence[StoredArm]) -> int:
    """Judgements that it takes to score all stored answers again."""
    facts = {item.item_id: len(item.response_facts) for item in items}
    return sum(facts.get(item_id, 0) * count for arm in stored for item_id, count in arm.trials.items())
