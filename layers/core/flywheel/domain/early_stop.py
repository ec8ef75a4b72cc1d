"""Records so far -> the reason why the candidate cannot pass any more, if that is certain.

Nothing is estimated here: a reason is given only when no outcome of the trials that are still open could change it.
"""

from collections.abc import Sequence
from math import fsum

from flywheel.domain.golden_item import GoldenItem
from flywheel.domain.metrics import METRICS
from flywheel.domain.outcome import TrialRecord
from flywheel.domain.point_estimate import TOLERANCE
from flywheel.domain.policy import GatePolicy
from flywheel.domain.quantile import P95, is_certainly_above, percentile
from flywheel.domain.records import agent_errored, candidate_records, unique_records
from flywheel.domain.verdict import MOST_ITEMS, Reason


def certain_failure(
    policy: GatePolicy, items: Sequence[GoldenItem], records: Sequence[TrialRecord], planned_trials: int
) -> Reason | None:
    """Why the candidate cannot PASS however its open trials end; None while it still can.

    `planned_trials` counts all trials of the candidate, production items included. Three things are certain by
    counting: more errors than the whole plan may have, more slow answers than its 95th percentile may have, and a mean
    that stays below its minimum even if every open trial scores 1. Always None when the policy does not want to stop.

    While the incumbent errs as often, or the judge fails too often, nothing is certain about the candidate: those end
    INCONCLUSIVE, and the gate goes on to find that out.

    Raises:
        InvalidRequestError: a record is of no known item, or a trial has two different results.
        ValueError: there are more records than planned trials.
    """
    if not policy.stop_when_certain:
        return None
    trials = candidate_records(items, records)
    open_trials = planned_trials - len(trials)
    if open_trials < 0:
        raise ValueError(f"{len(trials)} trials were recorded, but only {planned_trials} were planned")
    return (
        _errors(policy, [r for _, r in trials], records, planned_trials)
        or _latency(policy, [r for _, r in trials], open_trials)
        or _mean(policy, trials, open_trials)
    )


def _errors(
    policy: GatePolicy, trials: Sequence[TrialRecord], records: Sequence[TrialRecord], planned_trials: int
) -> Reason | None:
    errored = [record for record in trials if agent_errored(record)]
    if len(errored) <= policy.maximum_error_rate * planned_trials + TOLERANCE:
        return None
    incumbent = [r for r in unique_records(records).values() if r.key.arm == "incumbent"]
    if sum(map(agent_errored, incumbent)) > policy.maximum_error_rate * len(incumbent) + TOLERANCE:
        return None
    message = (
        f"{len(errored)} of the candidate's trials errored, more than {policy.maximum_error_rate:.1%} of all "
        f"{planned_trials}; stopped after {len(trials)}"
    )
    rate = len(errored) / len(trials)
    found = tuple(sorted({record.key.item_id for record in errored}))[:MOST_ITEMS]
    return Reason("error_rate", message, "error_rate", None, rate, policy.maximum_error_rate, found)


def _latency(policy: GatePolicy, trials: Sequence[TrialRecord], open_trials: int) -> Reason | None:
    budget = policy.latency_p95_ms
    answered = [record for record in trials if not agent_errored(record)]
    # An answer that tells no duration counts as fast here: whether it may is the guards' question.
    durations = [record.latency_ms or 0 for record in answered]
    if budget is None or not is_certainly_above(budget, durations, open_trials, P95):
        return None
    slow = sorted((r for r in answered if (r.latency_ms or 0) > budget), key=lambda r: -(r.latency_ms or 0))
    message = (
        f"{len(slow)} answers took longer than {budget} ms, so that the 95th percentile is above it whatever the "
        f"{open_trials} open trials take"
    )
    found = tuple(dict.fromkeys(record.key.item_id for record in slow))[:MOST_ITEMS]
    return Reason("latency_p95_ms", message, "latency_ms", None, percentile(durations, P95), budget, found)


def _mean(policy: GatePolicy, trials: Sequence[tuple[GoldenItem, TrialRecord]], open_trials: int) -> Reason | None:
    metric = policy.primary_metric
    required = policy.minima.get(metric)
    counted = [record for item, record in trials if not item.must_pass and METRICS[metric].applies(item)]
    reached = [record for record in counted if not agent_errored(record)]
    unscored = sum(record.error is not None for record in reached)
    if required is None or unscored > policy.maximum_judge_error_rate * len(reached) + TOLERANCE:
        return None
    scores = [(record.scores[metric], record.key.item_id) for record in reached if metric in record.scores]
    total = fsum(score for score, _ in scores)
    if not scores or (total + open_trials) / (len(scores) + open_trials) >= required - TOLERANCE:
        return None
    message = (
        f"mean {metric} is {total / len(scores):.3f} over {len(scores)} trials; {required:.3f} cannot be reached even "
        f"if all {open_trials} open trials score 1"
    )
    worst = tuple(dict.fromkeys(item_id for score, item_id in sorted(scores) if score < required))[:MOST_ITEMS]
    return Reason("minimum", message, metric, None, total / len(scores), required, worst)
