"""Records of a gate and reviews by people -> what is known of the judge, and whether it may pass a candidate."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from flywheel.domain.agreement import compare
from flywheel.domain.human_difference import differences
from flywheel.domain.interval import Interval, wilson
from flywheel.domain.outcome import TrialRecord
from flywheel.domain.plan import GatePlan
from flywheel.domain.policy import GatePolicy
from flywheel.domain.review import Review
from flywheel.domain.verdict import Reason

# From fewer repeats nothing is concluded: of 10, a judge that agrees with itself 95 % of the time is seen under .8 in 1
# gate of 90.
ENOUGH_REPEATS = 10
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class _Reviewed:
    """One answer, by the mean of those who reviewed it."""

    trace_id: str
    judge_score: float
    human_score: float
    random: bool


def judge_estimates(plan: GatePlan, records: Sequence[TrialRecord], reviews: Iterable[Review]) -> dict[str, Any]:
    """What is known of the plan's judge, for the verdict's estimates; as numbers that JSON can hold.

    - `version`, `model`: which instrument.
    - `repeats`, `agreed`, `self_agreement`: judgements of this gate that were asked twice, how many gave the same
      letter, and their share at 95 % (None without repeats).
    - `reviews`, `random`: answers, of this gate or another, that this judge and people have scored, and how many of
      them were drawn at random; `agreement` and `kappa` on pass or fail at `must_pass_score`, at 95 % (None where they
      say nothing). All reviews count here; those of a decided verdict are the hard ones, and pull both down.
    - `checked`: there are `minimum_reviews` of them and kappa says something.
    - `judged_difference`, `human_difference`: candidate minus incumbent as the judge sees it, and as people would by a
      prediction-powered estimate at 95 %. That uses random reviews of this gate's own answers only: those that decided
      a verdict are no sample of it. `by` says whether both answers of a pair were reviewed, or each arm apart.
    """
    repeats = [fact.again == fact.choice for record in records for fact in record.facts if fact.again]
    reviewed = _by_answer(review for review in reviews if review.judge_version == plan.judge.version)
    least = plan.policy.must_pass_score
    counts = compare((one.judge_score >= least, one.human_score >= least) for one in reviewed)
    kappa = counts.kappa()
    return {
        "version": plan.judge.version,
        "model": plan.judge.model_id,
        "repeats": len(repeats),
        "agreed": sum(repeats),
        "self_agreement": _plain(wilson(sum(repeats), len(repeats)) if repeats else None),
        "reviews": len(reviewed),
        "random": sum(one.random for one in reviewed),
        "agreement": _plain(wilson(counts.agreed, counts.answers) if reviewed else None),
        "kappa": _plain(kappa),
        "checked": kappa is not None and len(reviewed) >= plan.policy.minimum_reviews,
        **differences(plan, records, {one.trace_id: one.human_score for one in reviewed if one.random}),
    }


def judge_reasons(policy: GatePolicy, estimates: Mapping[str, Any]) -> tuple[Reason, ...]:
    """Why this judge cannot by itself pass a candidate; empty when it can, and when too little is known of it.

    `estimates` are those of `judge_estimates`. Agreement is never below kappa: where kappa says nothing, because people
    let all answers pass or none, too little agreement is reason enough.
    """
    reasons = []
    measured = estimates["kappa"] or estimates["agreement"]
    required = policy.minimum_judge_agreement
    enough = estimates["reviews"] >= policy.minimum_reviews
    if required is not None and enough and measured["value"] < required - _TOLERANCE:
        what = "kappa of the judge with people" if estimates["kappa"] else "agreement of the judge with people"
        message = (
            f"{what} is {_shown(measured)} over {estimates['reviews']} answers; at least {required:.2f} is required"
        )
        reasons.append(Reason("judge_unreliable", message, "judge_agreement", None, measured["value"], required))
    repeated, required = estimates["self_agreement"], policy.minimum_judge_self_agreement
    if estimates["repeats"] >= ENOUGH_REPEATS and repeated["value"] < required - _TOLERANCE:
        message = (
            f"asked twice, the judge gave the same letter for {estimates['agreed']} of {estimates['repeats']} facts: "
            f"{_shown(repeated)}; at least {required:.2f} is required"
        )
        reasons.append(Reason("judge_unreliable", message, "judge_self_agreement", None, repeated["value"], required))
    return tuple(reasons)


def _by_answer(reviews: Iterable[Review]) -> list[_Reviewed]:
    """Each answer once: several reviewers of one answer are no several answers."""
    answers: dict[tuple[object, ...], list[Review]] = defaultdict(list)
    for review in reviews:
        answers[review.gate_id, review.key].append(review)
    return [
        _Reviewed(
            same[0].trace_id,
            same[0].judge_score,
            fmean(review.human_score for review in same),
            any(review.chosen == "random" for review in same),
        )
        for same in answers.values()
    ]


def _plain(interval: Interval | None) -> dict[str, float] | None:
    return None if interval is None else {"value": interval.value, "low": interval.low, "high": interval.high}


def _shown(measured: Mapping[str, float]) -> str:
    return f"{measured['value']:.2f} ({measured['low']:.2f} to {measured['high']:.2f})"
