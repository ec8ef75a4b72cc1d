"""Records so far -> the reason why the candidate cannot pass any more, if that is certain.

Nothing is estimated here: the reason is given only when no outcome of the trials that are still open could change it.
Scores and errors are weighed by the gate itself; latency is a guard, which would otherwise speak at the end only.
"""

from collections.abc import Sequence

from flywheel.domain.golden_item import GoldenItem
from flywheel.domain.outcome import TrialRecord
from flywheel.domain.policy import GatePolicy
from flywheel.domain.quantile import P95, is_certainly_above, percentile
from flywheel.domain.records import agent_errored, candidate_records
from flywheel.domain.verdict import MOST_ITEMS, Reason


def certain_failure(
    policy: GatePolicy, items: Sequence[GoldenItem], records: Sequence[TrialRecord], planned_trials: int
) -> Reason | None:
    """Why the candidate cannot PASS however its open trials end; None while it still can.

    `planned_trials` counts all trials that the candidate may have at the cap, production items included. More slow
    answers than the 95th percentile of all of them may have are certain by counting. Always None when the policy does
    not want to stop.

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
    return _latency(policy, [record for _, record in trials], open_trials)


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
