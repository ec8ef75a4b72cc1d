"""What the average does not show: records of the candidate -> reasons that may lower a PASS.

Which reason lowers to what:

| code | lowers a PASS to |
|---|---|
| `error_rate`, `latency_p95_ms`, `minimum`, `slice_minimum`, `must_pass`, `reliability`, `cost_per_item_usd` | FAIL |
| `judge_unavailable`, `evidence_missing`, `too_few_items` | INCONCLUSIVE |
| `must_pass_muted`, `cost_unknown` | nothing: for the record |

Any other code (`superseded`, `dataset_changed`, ...) lowers to INCONCLUSIVE: what is not known cannot pass.
"""

from collections.abc import Sequence
from math import fsum, inf

from flywheel.domain.early_stop import certain_failure
from flywheel.domain.golden_item import GoldenItem
from flywheel.domain.metrics import METRICS
from flywheel.domain.outcome import TrialRecord
from flywheel.domain.plan import MutedItem
from flywheel.domain.policy import TOLERANCE, GatePolicy
from flywheel.domain.quantile import P95, percentile
from flywheel.domain.records import agent_errored, candidate_records
from flywheel.domain.reliability import passes
from flywheel.domain.reliability_guard import reliability_reasons
from flywheel.domain.verdict import MOST_ITEMS, NOTES, Reason, Verdict, VerdictKind

# In the order in which reasons are named: the first one is what is really wrong. An agent that errs or is slow is
# that first of all, whatever its answers were worth.
_FAILING = (
    "error_rate",
    "latency_p95_ms",
    "minimum",
    "slice_minimum",
    "must_pass",
    "reliability",
    "cost_per_item_usd",
)


def check_guards(
    policy: GatePolicy,
    items: Sequence[GoldenItem],
    records: Sequence[TrialRecord],
    muted: Sequence[MutedItem],
    today: str,
) -> tuple[Reason, ...]:
    """Everything that the candidate's records say against it, in the order of importance; empty when all is well.

    Means of scores are over the trials to which the score applies, production items left out; error rates, latency
    and cost are over all trials. `today` is an ISO date: a muted item is spared up to and including its own date.

    Raises:
        InvalidRequestError: a record is of no known item, or a trial has two different results.
    """
    trials = candidate_records(items, records)
    judge = _judge_reasons(policy, trials)
    reasons = [*_error_reasons(policy, trials), *_latency_reasons(policy, trials)]
    if not judge:
        reasons += _mean_reasons(policy, items, trials)
    reasons += _must_pass_reasons(policy, items, trials, {m.item_id: m for m in muted if today <= m.until})
    if not judge:
        reasons += reliability_reasons(policy, items, [record for _, record in trials])
    reasons += [*_cost_reasons(policy, trials), *judge, *_count_reasons(policy, trials)]
    return tuple(reasons)


def final_verdict(decision: Verdict, guard_reasons: Sequence[Reason]) -> Verdict:
    """The decision after the guards, which may only lower a PASS.

    A FAIL stays one: its own reasons stay first, and what the guards found that fails too is added. Reasons with equal
    code, metric and slice are named once.

    Raises:
        ValueError: the decision is still open.
    """
    if decision.kind is None:
        raise ValueError("the gate is still open: there is no decision to lower")
    order = {code: rank for rank, code in enumerate(_FAILING)}
    failing = sorted((r for r in guard_reasons if r.code in order), key=lambda r: order[r.code])
    recorded = [r for r in guard_reasons if r.code in NOTES]
    unknown = [r for r in guard_reasons if r.code not in order and r.code not in NOTES]
    if decision.kind == "FAIL":
        return Verdict("FAIL", _once([*decision.reasons, *failing, *recorded]), decision.estimates)
    if decision.kind == "INCONCLUSIVE":
        return Verdict("INCONCLUSIVE", _once([*decision.reasons, *unknown, *failing, *recorded]), decision.estimates)
    kind: VerdictKind = "FAIL" if failing else "INCONCLUSIVE" if unknown else "PASS"
    return Verdict(kind, _once([*decision.reasons, *failing, *unknown, *recorded]), decision.estimates)


__all__ = ["candidate_records", "certain_failure", "check_guards", "final_verdict"]

type _Trials = Sequence[tuple[GoldenItem, TrialRecord]]


def _error_reasons(policy: GatePolicy, trials: _Trials) -> list[Reason]:
    errored = [record for _, record in trials if agent_errored(record)]
    rate = len(errored) / len(trials) if trials else 0.0
    if rate <= policy.maximum_error_rate + TOLERANCE:
        return []
    stages: dict[str, int] = {}
    for record in errored:
        if record.error is not None:
            name = f"{record.error.stage}: {record.error.kind}"
            stages[name] = stages.get(name, 0) + 1
    listed = ", ".join(f"{count} x {name}" for name, count in sorted(stages.items(), key=lambda s: (-s[1], s[0]))[:5])
    message = f"{rate:.1%} of the candidate's trials errored ({listed}); at most {policy.maximum_error_rate:.1%} may"
    items = _items(errored)
    return [Reason("error_rate", message, "error_rate", None, rate, policy.maximum_error_rate, items)]


def _judge_reasons(policy: GatePolicy, trials: _Trials) -> list[Reason]:
    reached = [record for _, record in trials if not agent_errored(record)]
    unscored = [record for record in reached if record.error is not None]
    rate = len(unscored) / len(reached) if reached else 0.0
    required = policy.maximum_judge_error_rate
    if rate <= required + TOLERANCE:
        return []
    message = f"the judge could not score {rate:.1%} of the answers; above {required:.1%} nothing is concluded"
    return [Reason("judge_unavailable", message, "judge_error_rate", None, rate, required, _items(unscored))]


def _latency_reasons(policy: GatePolicy, trials: _Trials) -> list[Reason]:
    budget = policy.latency_p95_ms
    answered = [record for _, record in trials if not agent_errored(record)]
    if budget is None or not answered:
        return []
    known = [record.latency_ms for record in answered if record.latency_ms is not None]
    observed = percentile(known, P95) if known else None
    if observed is not None and observed > budget:
        slow = sorted((r for r in answered if (r.latency_ms or 0) > budget), key=lambda r: -(r.latency_ms or 0))
        message = f"95th percentile of the agent's own duration is {observed:.0f} ms; at most {budget} ms is accepted"
        items = tuple(dict.fromkeys(r.key.item_id for r in slow))[:MOST_ITEMS]
        return [Reason("latency_p95_ms", message, "latency_ms", None, observed, budget, items)]
    # A trial that tells no duration may have been slow: it must not help the candidate.
    if percentile([inf if r.latency_ms is None else r.latency_ms for r in answered], P95) > budget:
        silent = [record for record in answered if record.latency_ms is None]
        message = f"{len(silent)} of {len(answered)} answers tell no duration: the latency budget cannot be checked"
        return [Reason("evidence_missing", message, "latency_ms", None, None, budget, _items(silent))]
    return []


def _mean_reasons(policy: GatePolicy, items: Sequence[GoldenItem], trials: _Trials) -> list[Reason]:
    """Minima of the other scores; the primary one is the gate's own business."""
    checks: list[tuple[str | None, str, float]] = [(None, metric, least) for metric, least in policy.minima.items()]
    checks += [(name, m, least) for name, minima in policy.slice_minima.items() for m, least in minima.items()]
    reasons = []
    for name, metric, required in checks:
        if metric == policy.primary_metric:
            continue
        counted = [i for i in items if not i.must_pass and name in (None, i.slice) and METRICS[metric].applies(i)]
        scores = [
            (r.key.item_id, r.scores[metric])
            for i, r in trials
            if not i.must_pass and name in (None, i.slice) and metric in r.scores
        ]
        where = f" in slice {name}" if name else ""
        if not scores:
            if counted and not METRICS[metric].conditional:
                message = f"no trial{where} has a score of {metric}, of which {required:.3f} is required"
                reasons.append(Reason("evidence_missing", message, metric, name, None, required))
            continue
        observed = fsum(score for _, score in scores) / len(scores)
        if observed < required - TOLERANCE:
            worst = sorted((score, item_id) for item_id, score in scores if score < required)
            message = f"mean {metric}{where} is {observed:.3f}; at least {required:.3f} is required"
            code = "slice_minimum" if name else "minimum"
            listed = tuple(dict.fromkeys(item_id for _, item_id in worst))[:MOST_ITEMS]
            reasons.append(Reason(code, message, metric, name, observed, required, listed))
    return reasons


def _must_pass_reasons(
    policy: GatePolicy, items: Sequence[GoldenItem], trials: _Trials, muted: dict[str, MutedItem]
) -> list[Reason]:
    reasons = []
    for item in items:
        if not item.must_pass:
            continue
        own = [r for i, r in trials if i.item_id == item.item_id and r.key.trial <= policy.must_pass_n]
        results = [passes(record, policy.must_pass_score) for record in own]
        passed, failed = results.count(True), results.count(False)
        if passed >= policy.must_pass_k:
            continue
        goal = f"{policy.must_pass_k} of {policy.must_pass_n}"
        mute = muted.get(item.item_id)
        if mute is not None:
            message = f"item {item.item_id} did not pass {goal} trials; muted until {mute.until}: {mute.reason}"
            code = "must_pass_muted"
        elif policy.must_pass_n - failed < policy.must_pass_k:
            message = f"item {item.item_id} comes from production and must pass {goal} trials; it passed {passed}"
            code = "must_pass"
        else:
            message = f"item {item.item_id} must pass {goal} trials; only {passed + failed} could be judged"
            code = "evidence_missing"
        required = float(policy.must_pass_k)
        reasons.append(Reason(code, message, "correctness", item.slice, float(passed), required, (item.item_id,)))
    return reasons


def _cost_reasons(policy: GatePolicy, trials: _Trials) -> list[Reason]:
    budget = policy.cost_per_item_usd
    if budget is None or not trials:
        return []
    costs = [(record.cost_usd, record.key.item_id) for _, record in trials if record.cost_usd is not None]
    if not costs:
        message = "no trial has a cost: its model is not in the price table, so the cost budget was not checked"
        return [Reason("cost_unknown", message, "cost_usd", None, None, budget)]
    observed = fsum(cost for cost, _ in costs) / len(costs)
    if observed <= budget + TOLERANCE:
        return []
    message = f"a trial costs {observed:.4f} USD on average; at most {budget:.4f} USD is accepted"
    dear = tuple(dict.fromkeys(item_id for _, item_id in sorted(costs, reverse=True)))[:MOST_ITEMS]
    return [Reason("cost_per_item_usd", message, "cost_usd", None, observed, budget, dear)]


def _count_reasons(policy: GatePolicy, trials: _Trials) -> list[Reason]:
    """Too few of the items that were tried are scored. A gate that ends early has not tried them all."""
    tried = len({record.key.item_id for _, record in trials})
    scored = len({record.key.item_id for _, record in trials if record.error is None})
    required = min(policy.minimum_items, tried) or policy.minimum_items
    if scored >= required:
        return []
    message = f"{scored} of {tried} items were scored; at least {required} are required"
    return [Reason("too_few_items", message, "items", None, float(scored), float(required))]


def _items(records: Sequence[TrialRecord]) -> tuple[str, ...]:
    return tuple(sorted({record.key.item_id for record in records}))[:MOST_ITEMS]


def _once(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    """Drop what the guards found again; a production item is told apart from the others by its id."""
    unique: dict[tuple[object, ...], Reason] = {}
    for reason in reasons:
        own = reason.items if reason.metric == "correctness" and reason.slice == "production" else ()
        unique.setdefault((reason.code, reason.metric, reason.slice, own), reason)
    return tuple(unique.values())
