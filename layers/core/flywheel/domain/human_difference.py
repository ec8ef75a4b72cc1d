"""Records of a gate, human scores of some answers -> candidate minus incumbent, as judged and as people see it."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, Literal

from flywheel.domain.interval import Interval
from flywheel.domain.outcome import TrialRecord
from flywheel.domain.plan import GatePlan
from flywheel.domain.prediction_powered import FEWEST_REVIEWS, Scored, human_mean, human_mean_difference
from flywheel.domain.verdict import Pair
from flywheel.domain.waves import gate_items

type _Answers = Mapping[Pair, TrialRecord]


def differences(plan: GatePlan, records: Sequence[TrialRecord], human: Mapping[str, float]) -> dict[str, Any]:
    """Give `judged_difference` and `human_difference` of the primary metric over the items that the gate averages.

    `human` has the scores of randomly drawn answers by trace id. Where people saw both answers of enough pairs it is
    the pairs that are compared, which is more exact; else each arm is estimated for itself. Both are None without an
    incumbent's answers, the human one also with fewer reviews than say anything.
    """
    ours, theirs = (_scored(plan, records, arm) for arm in ("candidate", "incumbent"))
    if not ours or not theirs:
        return {"judged_difference": None, "human_difference": None}
    metric = plan.policy.primary_metric

    def judged(pair: Pair) -> float:
        return ours[pair].scores[metric] - theirs[pair].scores[metric]

    def seen(pair: Pair) -> bool:
        return ours[pair].trace_id in human and theirs[pair].trace_id in human

    both = [pair for pair in ours if pair in theirs]
    pairs = Scored(
        [judged(pair) for pair in both if not seen(pair)],
        [(judged(p), human[ours[p].trace_id] - human[theirs[p].trace_id]) for p in both if seen(p)],
    )
    arms = [_arm(answers, metric, human) for answers in (ours, theirs)]
    # By the counts alone: a choice that looks at the results would bend them.
    enough = max(FEWEST_REVIEWS, max(len(arm.seen) for arm in arms) / 2)
    mean = human_mean(pairs) if len(pairs.seen) >= enough else None
    if mean is not None:
        return {
            "judged_difference": fmean(map(judged, both)),
            "human_difference": _plain(mean.interval(), "pairs", len(pairs.seen), len(both)),
        }
    difference = human_mean_difference(*arms)
    reviewed, scored = sum(len(arm.seen) for arm in arms), len(ours) + len(theirs)
    return {
        "judged_difference": _judged_mean(arms[0]) - _judged_mean(arms[1]),
        "human_difference": None if difference is None else _plain(difference, "answers", reviewed, scored),
    }


def _scored(plan: GatePlan, records: Sequence[TrialRecord], arm: str) -> _Answers:
    averaged, metric = gate_items(plan.policy, plan.items), plan.policy.primary_metric
    return {
        Pair(record.key.item_id, record.key.trial): record
        for record in records
        if record.key.arm == arm and record.key.item_id in averaged and metric in record.scores
    }


def _arm(answers: _Answers, metric: str, human: Mapping[str, float]) -> Scored:
    scores = [(record.scores[metric], record.trace_id) for record in answers.values()]
    return Scored(
        [judged for judged, trace_id in scores if trace_id not in human],
        [(judged, human[trace_id]) for judged, trace_id in scores if trace_id in human],
    )


def _judged_mean(arm: Scored) -> float:
    return fmean([*arm.unseen, *(judged for judged, _ in arm.seen)])


def _plain(interval: Interval, by: Literal["pairs", "answers"], reviewed: int, scored: int) -> dict[str, Any]:
    return {
        "mean": interval.value,
        "low": interval.low,
        "high": interval.high,
        "by": by,
        "reviewed": reviewed,
        "scored": scored,
    }
