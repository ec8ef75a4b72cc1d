"""Verdict and records of a gate -> the answers that people are asked to judge, and why just these.

Two kinds, drawn one after the other:

- `random`: a few pairs of trials, uniformly from all that were scored. Only they stand for all answers of the gate, so
  only they may measure the judge or correct an estimate.
- `decided`: pairs of the items that decided a FAIL or an INCONCLUSIVE, those in which the arms differ most first. They
  are no sample of anything; they say whether the verdict hangs on a mistake of the judge.

A pair that chance has drawn already stays `random`, whatever it decided: taken out of the draw, it would be missing
from the picture of all answers.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import ConfigDict

from flywheel.domain.outcome import Arm, TrialKey, TrialRecord
from flywheel.domain.prediction_powered import FEWEST_REVIEWS
from flywheel.domain.review import Chosen
from flywheel.domain.strict import STRICT
from flywheel.domain.verdict import Reason, Verdict

# 20 pairs are 40 answers with two arms: about half an hour for a reviewer who reads each of them.
# Ten random ones are the fewest that give a figure of people's beside the judged difference.
DECIDED_PAIRS = 10
RANDOM_PAIRS = FEWEST_REVIEWS
# Reasons that scores decided. Time, cost, errors (undecided ones too) and missing evidence are not for people to judge.
BY_SCORES = frozenset(
    {
        "regression",
        "slice_regression",
        "anchor_regression",
        "minimum",
        "slice_minimum",
        "must_pass",
        "reliability",
        "undecided",
        "judge_unreliable",
    }
)
_ARMS: tuple[Arm, ...] = ("candidate", "incumbent")


@dataclass(frozen=True, slots=True)
class ReviewTask:
    """One answer that people are asked to judge, and why this one."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    item_id: str
    trial: int
    arm: Arm
    trace_id: str
    chosen: Chosen

    @property
    def key(self) -> TrialKey:
        return TrialKey(self.item_id, self.trial, self.arm)


@dataclass(slots=True)
class _Pair:
    """The scored answers of one trial of one item: the candidate's always, the incumbent's where there is one."""

    item_id: str
    trial: int
    records: dict[Arm, TrialRecord] = field(default_factory=dict)

    def disagreement(self, metric: str) -> float:
        """How far the arms are apart, in [0, 1]; without an incumbent, how much the candidate's answer lacks."""
        ours = self.records["candidate"].scores[metric]
        other = self.records.get("incumbent")
        return 1.0 - ours if other is None else abs(ours - other.scores[metric])


def choose_answers(
    gate_id: str, verdict: Verdict, records: Iterable[TrialRecord], slices: Mapping[str, str], metric: str
) -> tuple[ReviewTask, ...]:
    """The answers to review: the same for equal arguments, in an order that tells nobody which is which.

    Args:
        gate_id: seeds the random draw and the order.
        verdict: whose reasons name what decided; a PASS was decided by all items, so that only random pairs follow.
        records: all trials. Those without a score or a trace cannot be asked about; stored answers of an earlier gate
            are that gate's to ask about.
        slices: item id -> slice.
        metric: the score that people judge again, the policy's primary one.
    """
    pairs = _pairs(records, metric)

    def rank(*parts: object) -> bytes:
        return hashlib.blake2b("\0".join(map(str, (gate_id, *parts))).encode(), digest_size=16).digest()

    drawn = sorted(pairs, key=lambda pair: rank("pair", pair.item_id, pair.trial))
    chosen: list[tuple[_Pair, Chosen]] = [(pair, "random") for pair in drawn[:RANDOM_PAIRS]]
    left = drawn[RANDOM_PAIRS:]
    by_item: dict[str, list[_Pair]] = {}
    for pair in sorted(left, key=lambda pair: -pair.disagreement(metric)):  # stable: ties stay in random order
        by_item.setdefault(pair.item_id, []).append(pair)
    deciding = [by_item[item_id] for item_id in _deciding_items(verdict, by_item, slices) if item_id in by_item]
    chosen += [(pair, "decided") for pair in _in_turns(deciding, DECIDED_PAIRS)]
    tasks = [
        ReviewTask(pair.item_id, pair.trial, arm, pair.records[arm].trace_id, why)
        for pair, why in chosen
        for arm in _ARMS
        if arm in pair.records
    ]
    return tuple(sorted(tasks, key=lambda task: rank("order", task.trace_id)))


def _pairs(records: Iterable[TrialRecord], metric: str) -> list[_Pair]:
    pairs: dict[tuple[str, int], _Pair] = {}
    for record in records:
        key = record.key
        if key.arm in _ARMS and metric in record.scores and record.trace_id and not record.stored_from:
            pairs.setdefault((key.item_id, key.trial), _Pair(key.item_id, key.trial)).records[key.arm] = record
    return [pair for pair in pairs.values() if "candidate" in pair.records]


def _deciding_items(verdict: Verdict, ranked: Iterable[str], slices: Mapping[str, str]) -> list[str]:
    """Items behind the reasons, each once, in the order of the reasons; `ranked` are all items, the worst first."""
    if verdict.kind not in {"FAIL", "INCONCLUSIVE"}:
        return []
    everything = list(ranked)
    found: list[str] = []
    for reason in verdict.against:
        if reason.code not in BY_SCORES or reason.metric == "error_rate":
            continue
        if reason.items:
            found += reason.items
            continue
        within = _slices_of(reason, verdict)
        found += [item_id for item_id in everything if not within or slices.get(item_id) in within]
    return list(dict.fromkeys(found))


def _slices_of(reason: Reason, verdict: Verdict) -> frozenset[str]:
    """Slices that the reason is about; none: all of them."""
    if reason.slice is not None:
        return frozenset({reason.slice})
    if reason.code != "undecided":
        return frozenset()
    slices = (verdict.estimates or {}).get("slices") or {}
    return frozenset(name for name, it in slices.items() if isinstance(it, Mapping) and it.get("state") == "open")


def _in_turns(piles: Sequence[Sequence[_Pair]], limit: int) -> Iterator[_Pair]:
    """The first of every pile, then the second of every pile, and so on, up to `limit`."""
    for turn in range(max(map(len, piles), default=0)):
        for pile in piles:
            if turn < len(pile):
                if limit == 0:
                    return
                limit -= 1
                yield pile[turn]
