"""Stored answers judged again -> the gate with its history and anchor, or why nothing may be concluded."""

from flywheel.domain.gate import SequentialGate
from flywheel.domain.outcome import Arm
from flywheel.domain.plan import GatePlan, StoredArm
from flywheel.domain.records import Records
from flywheel.domain.verdict import MOST_ITEMS, Reason
from flywheel.domain.waves import gate_items


def gate_with_stored(plan: GatePlan, issued: int, records: Records) -> SequentialGate | Reason:
    """The plan's gate as it stands when its first `issued` pairs are on their way and the stored answers are scored.

    The gate of the look before knew no history; it issued the same pairs, for while the mean is open their order
    depends on seed and items alone.
    """
    known: dict[Arm, dict[str, list[float]]] = {}
    for stored in plan.stored:
        scores = scores_again(stored, records, plan.policy.primary_metric, plan.policy.cached_trials)
        if isinstance(scores, Reason):
            return scores
        known[stored.arm] = scores
    gate = SequentialGate(
        plan.policy,
        gate_items(plan.policy, plan.items),
        plan.seed,
        history=known.get("incumbent"),
        anchor=known.get("anchor"),
    )
    gate.next_pairs(issued)
    return gate


def scores_again(stored: StoredArm, records: Records, metric: str, least: int) -> dict[str, list[float]] | Reason:
    """Item id -> scores that its stored answers got from today's judge; or why nothing may be concluded from them.

    An answer that could not be judged is left out. An item that then has fewer than `least` makes the whole arm
    unusable: a history that shrinks where the judge stumbles would be a choice of results.
    """
    scores: dict[str, list[float]] = {item_id: [] for item_id in stored.trials}
    unjudged = set()
    for key in stored.answers():
        record = records.get(key)
        score = None if record is None else record.scores.get(metric)
        if score is not None:
            scores[key.item_id].append(score)
        elif record is not None and record.error is not None:
            unjudged.add(key.item_id)
    short = [item_id for item_id, own in scores.items() if len(own) < least]
    if not short:
        return scores
    judge = bool(unjudged & set(short))
    message = (
        f"{len(short)} of {len(scores)} items have fewer than {least} stored answers of the {stored.arm} (release "
        f"{stored.release_no}) " + ("that the judge could score" if judge else f"with a score of {metric}")
    )
    code = "judge_unavailable" if judge else "evidence_missing"
    return Reason(code, message, metric, items=tuple(short[:MOST_ITEMS]))
