"""A decided gate and people's scores -> what it would have said with them in place of the judge's.

The same gate, the same pairs in the same order; only the scores of reviewed answers are other ones. What comes out says
how far the verdict hangs on mistakes of the judge. It is no new measurement: the answers that decided were looked at
because they decided, so it leans away from the verdict, and nothing is promoted by it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from flywheel.domain.early_stop import certain_failure
from flywheel.domain.gate import SequentialGate
from flywheel.domain.guards import check_guards, final_verdict
from flywheel.domain.outcome import TrialKey, TrialRecord
from flywheel.domain.plan import GatePlan
from flywheel.domain.review_choice import BY_SCORES
from flywheel.domain.verdict import Pair, Reason, Verdict
from flywheel.domain.waves import must_pass_pairs

# What no judgement of an answer changes: it speaks against a PASS as it did before.
_KEPT = frozenset({"superseded", "dataset_changed", "evidence_missing", "judge_unreliable"})


def can_reconsider(original: Verdict) -> bool:
    """Whether scores had a part in the verdict; where they had none, people's scores change nothing."""
    return original.kind == "PASS" or any(reason.code in BY_SCORES for reason in original.against)


def reconsider(
    plan: GatePlan,
    gate: SequentialGate,
    records: Sequence[TrialRecord],
    original: Verdict,
    *,
    human: Mapping[TrialKey, float],
    today: str,
) -> Verdict:
    """The verdict with people's scores.

    Args:
        plan: the gate's plan.
        gate: with everything recorded, by the judge.
        records: all trials.
        original: what the gate said.
        human: people's scores of some trials, in [0, 1].
        today: ISO date of the decision, for mutes.
    """
    metric = plan.policy.primary_metric
    judged = [
        replace(record, scores=record.scores | {metric: human[record.key]}) if record.key in human else record
        for record in records
    ]
    decision = _decided(plan, gate.rescored(_by_pair(human)), judged)
    guards = check_guards(plan.policy, plan.items, judged, plan.muted, today)
    kept = [reason for reason in original.against if reason.code in _KEPT]
    return final_verdict(decision, (*guards, *kept, *plan.notes))


def _by_pair(human: Mapping[TrialKey, float]) -> dict[Pair, tuple[float | None, float | None]]:
    pairs = {Pair(key.item_id, key.trial) for key in human}
    return {
        pair: (
            human.get(TrialKey(pair.item_id, pair.trial, "candidate")),
            human.get(TrialKey(pair.item_id, pair.trial, "incumbent")),
        )
        for pair in pairs
    }


def _decided(plan: GatePlan, gate: SequentialGate, records: Sequence[TrialRecord]) -> Verdict:
    """An open gate would have asked for more pairs: what they would have shown, nobody knows."""
    decision = gate.verdict()
    if decision.kind is not None:
        return decision
    planned = len(gate.items) * gate.trials + len(must_pass_pairs(plan.policy, plan.items))
    if (certain := certain_failure(plan.policy, plan.items, records, planned)) is not None:
        return Verdict("FAIL", (certain,), decision.estimates)
    message = "with people's scores nothing is settled yet: the gate would have asked for more pairs"
    return Verdict("INCONCLUSIVE", (Reason("undecided", message),), decision.estimates)
