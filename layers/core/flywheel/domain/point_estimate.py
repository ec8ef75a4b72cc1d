"""The decision by point estimates: scored pairs -> verdict. It compares means, and claims nothing about chance."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any

from flywheel.domain.policy import GatePolicy
from flywheel.domain.verdict import MOST_ITEMS, Errored, Reason, Verdict

# A mean of .75 may be computed as .7499999999: a requirement that is met exactly is met.
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Scored:
    """One complete pair. `incumbent` is None where there is none to compare with."""

    item_id: str
    slice: str
    candidate: float | Errored
    incumbent: float | Errored | None


def decide(policy: GatePolicy, pairs: Sequence[Scored]) -> Verdict:
    """Decide from all pairs of the gate.

    In this order: an agent that errs too often FAILs, whatever its other answers were worth (both arms: the run is
    void, INCONCLUSIVE); a judge that failed too often leaves nothing to conclude; then the absolute minima, over all
    and by slice; then the loss against the incumbent, over all and by slice. A pair with an error in one arm is left
    out of the difference and counted in the error rate.
    """
    described = estimates(policy, pairs)
    errors = _error_reasons(policy, pairs)
    if errors and errors[0].code == "void":
        return Verdict("INCONCLUSIVE", errors, described)
    judge = _judge_reason(policy, pairs)
    if judge is not None:
        return Verdict("FAIL" if errors else "INCONCLUSIVE", (*errors, judge), described)
    missing = _missing_reasons(policy, pairs)
    failing = (*errors, *_minimum_reasons(policy, pairs), *_regression_reasons(policy, pairs))
    if failing:
        return Verdict("FAIL", (*failing, *missing), described)
    return Verdict("INCONCLUSIVE" if missing else "PASS", missing, described)


def estimates(policy: GatePolicy, pairs: Sequence[Scored]) -> dict[str, Any]:
    """Counts and means of the pairs, over all and by slice; None where there is nothing to take a mean of."""
    return {
        "method": "point estimate",
        "metric": policy.primary_metric,
        "pairs": len(pairs),
        **_described(pairs),
        "slices": {name: {"pairs": len(part), **_described(part)} for name, part in _by_slice(pairs).items()},
    }


def agent_errors(scores: Iterable[float | Errored | None]) -> int:
    """Trials that the agent or its runtime failed; a judge's failure is not among them."""
    return sum(isinstance(s, Errored) and s.stage != "judge" for s in scores)


def _judge_errors(scores: Iterable[float | Errored | None]) -> int:
    return sum(isinstance(s, Errored) and s.stage == "judge" for s in scores)


def _described(pairs: Sequence[Scored]) -> dict[str, Any]:
    differences = _differences(pairs)
    has_incumbent = any(pair.incumbent is not None for pair in pairs)
    return {
        "candidate": _arm([pair.candidate for pair in pairs]),
        "incumbent": _arm([pair.incumbent for pair in pairs]) if has_incumbent else None,
        "difference": {"mean": _mean([d for _, d in differences]), "pairs": len(differences)}
        if has_incumbent
        else None,
    }


def _arm(scores: Sequence[float | Errored | None]) -> dict[str, Any]:
    numbers = [s for s in scores if isinstance(s, float)]
    return {
        "mean": _mean(numbers),
        "scored": len(numbers),
        "errored": agent_errors(scores),
        "judge_errored": _judge_errors(scores),
    }


def _error_reasons(policy: GatePolicy, pairs: Sequence[Scored]) -> tuple[Reason, ...]:
    rate = _share(agent_errors(p.candidate for p in pairs), len(pairs))
    if rate <= policy.maximum_error_rate + TOLERANCE:
        return ()
    other = _share(agent_errors(p.incumbent for p in pairs), len(pairs))
    items = _some(p.item_id for p in pairs if agent_errors([p.candidate]))
    if other > policy.maximum_error_rate + TOLERANCE:
        message = f"both arms err too often (candidate {rate:.1%}, incumbent {other:.1%}): this run shows nothing"
        return (Reason("void", message, "error_rate", None, rate, policy.maximum_error_rate, items),)
    message = f"{rate:.1%} of the candidate's trials errored; at most {policy.maximum_error_rate:.1%} may"
    return (Reason("error_rate", message, "error_rate", None, rate, policy.maximum_error_rate, items),)


def _judge_reason(policy: GatePolicy, pairs: Sequence[Scored]) -> Reason | None:
    def rate(scores: Sequence[float | Errored | None]) -> float:
        reached = sum(s is not None for s in scores) - agent_errors(scores)
        return _share(_judge_errors(scores), reached)

    observed = max(rate([p.candidate for p in pairs]), rate([p.incumbent for p in pairs]))
    if observed <= policy.maximum_judge_error_rate + TOLERANCE:
        return None
    items = _some(p.item_id for p in pairs if _judge_errors([p.candidate, p.incumbent]))
    message = f"the judge could not score {observed:.1%} of the answers; above {policy.maximum_judge_error_rate:.1%} "
    message += "nothing is concluded"
    return Reason(
        "judge_unavailable", message, "judge_error_rate", None, observed, policy.maximum_judge_error_rate, items
    )


def _missing_reasons(policy: GatePolicy, pairs: Sequence[Scored]) -> tuple[Reason, ...]:
    """A slice without any score cannot be passed: its trials all errored."""
    metric = policy.primary_metric
    return tuple(
        Reason("evidence_missing", f"no trial of slice {name} could be scored", metric, name, items=_items(part))
        for name, part in _by_slice(pairs).items()
        if not any(isinstance(p.candidate, float) for p in part)
    )


def _minimum_reasons(policy: GatePolicy, pairs: Sequence[Scored]) -> list[Reason]:
    metric = policy.primary_metric
    checks: list[tuple[str | None, Sequence[Scored], float]] = []
    if metric in policy.minima:
        checks.append((None, pairs, policy.minima[metric]))
    checks += [
        (name, part, policy.slice_minima[name][metric])
        for name, part in _by_slice(pairs).items()
        if metric in policy.slice_minima.get(name, {})
    ]
    reasons = []
    for name, part, required in checks:
        observed = _mean([p.candidate for p in part if isinstance(p.candidate, float)])
        if observed is not None and observed < required - TOLERANCE:
            where = f" in slice {name}" if name else ""
            message = f"mean {metric}{where} is {observed:.3f}; at least {required:.3f} is required"
            worst = _worst([(p.item_id, p.candidate) for p in part if isinstance(p.candidate, float)], below=required)
            code = "slice_minimum" if name else "minimum"
            reasons.append(Reason(code, message, metric, name, observed, required, worst))
    return reasons


def _regression_reasons(policy: GatePolicy, pairs: Sequence[Scored]) -> list[Reason]:
    metric = policy.primary_metric
    checks: list[tuple[str | None, Sequence[Scored], float]] = [(None, pairs, policy.margin)]
    checks += [(name, part, policy.slice_margin) for name, part in _by_slice(pairs).items()]
    reasons = []
    for name, part, margin in checks:
        differences = _differences(part)
        observed = _mean([d for _, d in differences])
        if observed is not None and observed < -margin - TOLERANCE:
            where = f" in slice {name}" if name else ""
            message = f"mean {metric}{where} is {-observed:.3f} below the incumbent's; at most {margin:.3f} is accepted"
            code = "slice_regression" if name else "regression"
            reasons.append(Reason(code, message, metric, name, observed, -margin, _worst(differences, below=0.0)))
    return reasons


def _differences(pairs: Sequence[Scored]) -> list[tuple[str, float]]:
    return [
        (p.item_id, p.candidate - p.incumbent)
        for p in pairs
        if isinstance(p.candidate, float) and isinstance(p.incumbent, float)
    ]


def _by_slice(pairs: Sequence[Scored]) -> dict[str, list[Scored]]:
    parts: dict[str, list[Scored]] = {}
    for pair in pairs:
        parts.setdefault(pair.slice, []).append(pair)
    return dict(sorted(parts.items()))


def _worst(values: Sequence[tuple[str, float]], *, below: float) -> tuple[str, ...]:
    """Items whose own mean is below, the lowest first; the item's id breaks ties."""
    own: dict[str, list[float]] = {}
    for item_id, value in values:
        own.setdefault(item_id, []).append(value)
    means = sorted((fsum(v) / len(v), item_id) for item_id, v in own.items())
    return tuple(item_id for mean, item_id in means if mean < below - TOLERANCE)[:MOST_ITEMS]


def _mean(values: Sequence[float]) -> float | None:
    return fsum(values) / len(values) if values else None


def _share(count: int, total: int) -> float:
    return count / total if total else 0.0


def _some(item_ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(item_ids)))[:MOST_ITEMS]


def _items(pairs: Sequence[Scored]) -> tuple[str, ...]:
    return _some(p.item_id for p in pairs)
