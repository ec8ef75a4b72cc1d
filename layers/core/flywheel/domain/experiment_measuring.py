"""Records of an experiment's trials -> what the search is told, and what they cost; pure."""

from collections.abc import Iterable, Mapping, Sequence
from math import fsum

from flywheel.domain.experiment import ExperimentPlan
from flywheel.domain.experiment_safety import is_safe
from flywheel.domain.golden import GoldenItem
from flywheel.domain.outcome import TrialRecord
from flywheel.domain.policy import GatePolicy
from flywheel.domain.prices import TYPICAL_JUDGEMENT, TYPICAL_TRIAL, PriceTable, cost_usd
from flywheel.domain.records import unique_records
from flywheel.domain.search import Assignment, Measurement


def measurements(plan: ExperimentPlan, records: Mapping[str, Sequence[TrialRecord]]) -> list[Measurement]:
    """`records` by configuration. What the agent failed at is 0; what the judge failed at says nothing.

    Raises:
        InvalidRequestError: a trial has two different results.
    """
    items = {item.item_id: item for item in plan.items}
    return [
        _measured(plan.policy, configuration, items[record.key.item_id], record)
        for configuration, own in records.items()
        for record in unique_records(own).values()
        if record.key.item_id in items
    ]


def _measured(policy: GatePolicy, configuration: str, item: GoldenItem, record: TrialRecord) -> Measurement:
    score: float | None
    if record.error is None:
        score = record.scores.get(policy.primary_metric)
    else:
        score = None if record.error.stage == "judge" else 0.0
    safe = is_safe(record, item.slice, policy.must_pass_score)
    return Measurement(configuration, record.key.item_id, record.key.trial, score, safe)


def spent_usd(plan: ExperimentPlan, records: Iterable[TrialRecord], prices: PriceTable) -> float:
    """What the trials cost by their tokens, and about what their judgements did; unpriced models are left out."""
    judgement = cost_usd(prices, plan.judge.model_id, TYPICAL_JUDGEMENT) or 0.0
    return fsum((record.cost_usd or 0.0) + judgement * len(record.facts) for record in records)


def estimated_usd(plan: ExperimentPlan, assignments: Iterable[Assignment], prices: PriceTable) -> float:
    """What trials will cost, by generous figures of the demonstration agent."""
    judgement = cost_usd(prices, plan.judge.model_id, TYPICAL_JUDGEMENT) or 0.0
    facts = {item.item_id: len(item.response_facts) for item in plan.items}
    trial = {
        one.configuration_id: cost_usd(prices, one.candidate.model_id, TYPICAL_TRIAL) or 0.0
        for one in plan.configurations
    }
    return fsum(trial[one.configuration] + judgement * facts[one.item_id] for one in assignments)
