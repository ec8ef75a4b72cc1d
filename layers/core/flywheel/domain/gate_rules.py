"""The evidence so far -> PASS, FAIL, INCONCLUSIVE or None (open), with every reason as data.

- PASS: the mean, every slice that is large enough, the error rate and the anchor are certified, each at alpha (an
  intersection-union test: all must hold, so asking several costs no alpha), and the absolute minima are met.
- FAIL: any of the mean, a slice (all slices together at slice_alpha), the error rate, a minimum or the anchor is
  refuted. A refutation weighs more than certificates: what speaks against the candidate is not ignored.
- INCONCLUSIVE: both arms err (the run is void), the judge fails, or no trial is left and something is still open.
"""

from collections.abc import Iterable, Sequence
from math import fsum

from flywheel.domain.claims import MeanClaim
from flywheel.domain.policy import TOLERANCE
from flywheel.domain.tally import Scored, agent_erred, judge_erred
from flywheel.domain.verdict import MOST_ITEMS, Reason, VerdictKind
from flywheel.domain.weighing import Weighing

type Decision = tuple[VerdictKind | None, tuple[Reason, ...]]


def decide(weighing: Weighing, pairs: Sequence[Scored], *, exhausted: bool) -> Decision:
    """`pairs` is the complete prefix that was weighed; `exhausted`: no further pair could decide anything."""
    if weighing.void:
        return "INCONCLUSIVE", (_void(weighing, pairs),)
    failing = _failing(weighing, pairs)
    if weighing.judge_is_down:
        errors = tuple(reason for reason in failing if reason.code == "error_rate")
        return ("FAIL" if errors else "INCONCLUSIVE"), (*errors, _judge(weighing, pairs))
    if failing:
        return "FAIL", tuple(failing)
    if weighing.only_slices_open() and not weighing.open_slices():
        return "PASS", ()
    if not exhausted:
        return None, ()
    judged = weighing.judge_error_rate <= weighing.policy.maximum_judge_error_rate + TOLERANCE
    trouble = () if judged else (_judge(weighing, pairs),)
    return "INCONCLUSIVE", (*trouble, *_unscored(weighing, pairs), *_undecided(weighing, pairs))


def _void(weighing: Weighing, pairs: Sequence[Scored]) -> Reason:
    ours, theirs = weighing.errors.rate or 0.0, weighing.incumbent_errors.rate or 0.0
    message = f"both arms err (candidate {ours:.1%}, incumbent {theirs:.1%} of {weighing.pairs} trials): this run shows"
    message += " nothing about the candidate"
    items = _some(p.item_id for p in pairs if agent_erred(p.candidate) or agent_erred(p.incumbent))
    return Reason("void", message, "error_rate", None, ours, weighing.policy.maximum_error_rate, items)


def _judge(weighing: Weighing, pairs: Sequence[Scored]) -> Reason:
    observed, required = weighing.judge_error_rate, weighing.policy.maximum_judge_error_rate
    message = f"the judge could not score {observed:.1%} of the answers; above {required:.1%} nothing is concluded"
    items = _some(p.item_id for p in pairs if judge_erred(p.candidate) or judge_erred(p.incumbent))
    return Reason("judge_unavailable", message, "judge_error_rate", None, observed, required, items)


def _failing(weighing: Weighing, pairs: Sequence[Scored]) -> list[Reason]:
    """Every refutation, the most telling first: an agent that errs is that first of all."""
    reasons = [_errors(weighing, pairs)] if weighing.candidate_is_blamed else []
    reasons += _minima(weighing, pairs)
    if weighing.mean.state == "refuted" and weighing.design != "one_sample":
        reasons.append(_regression(weighing, pairs, None))
    refuted = [name for name, claim in weighing.slices.items() if claim.state == "refuted"]
    reasons += [_regression(weighing, pairs, name) for name in refuted]
    if weighing.anchor is not None and weighing.anchor.state == "refuted":
        reasons.append(_anchor(weighing, weighing.anchor, pairs))
    return reasons


def _errors(weighing: Weighing, pairs: Sequence[Scored]) -> Reason:
    claim, policy = weighing.errors, weighing.policy
    message = f"{claim.errors} of the candidate's {claim.trials} trials errored: proven to be more than "
    message += f"{policy.refuted_error_rate:.1%}, and less than {policy.maximum_error_rate:.1%} is required"
    items = _some(p.item_id for p in pairs if agent_erred(p.candidate))
    return Reason("error_rate", message, "error_rate", None, claim.rate, policy.maximum_error_rate, items)


def _minima(weighing: Weighing, pairs: Sequence[Scored]) -> list[Reason]:
    """Minima that are refuted; without an incumbent the mean's own claim is the one about its minimum."""
    refuted = {name: required for name, (required, claim) in weighing.minima.items() if claim.state == "refuted"}
    if weighing.design == "one_sample" and weighing.mean.state == "refuted":
        refuted[None] = weighing.bar
    return [
        _below(weighing, pairs, name, refuted[name], words="proven to be below")
        for name in sorted(refuted, key=lambda name: (name is not None, name or ""))
    ]


def _below(
    weighing: Weighing,
    pairs: Sequence[Scored],
    name: str | None,
    required: float,
    *,
    words: str,
    code: str | None = None,
) -> Reason:
    metric = weighing.policy.primary_metric
    own = [pair for pair in pairs if name in (None, pair.slice)]
    tally = weighing.candidate if name is None else weighing.slice_candidate[name]
    where = f" in slice {name}" if name else ""
    observed = 0.0 if tally.mean is None else tally.mean
    message = f"mean {metric}{where} is {observed:.3f} over {tally.scored} trials: {words} the {required:.3f} that is "
    message += "required"
    scores = [(p.item_id, p.candidate) for p in own if isinstance(p.candidate, float)]
    found = code or ("slice_minimum" if name else "minimum")
    return Reason(found, message, metric, name, tally.mean, required, _worst(scores, below=required))


def _regression(weighing: Weighing, pairs: Sequence[Scored], name: str | None) -> Reason:
    claim = weighing.mean if name is None else weighing.slices[name]
    metric, observed = weighing.policy.primary_metric, claim.mean or 0.0
    where = f" in slice {name}" if name else ""
    other = "incumbent's stored answers" if weighing.design == "cached" else "incumbent"
    message = f"mean {metric}{where} is {-observed:.3f} below the {other} over {claim.pairs} pairs: proven to be worse"
    code = "slice_regression" if name else "regression"
    return Reason(code, message, metric, name, observed, -claim.margin, _losses(weighing, pairs, name))


def _anchor(weighing: Weighing, claim: MeanClaim, pairs: Sequence[Scored]) -> Reason:
    metric, observed = weighing.policy.primary_metric, claim.mean or 0.0
    message = f"mean {metric} is {-observed:.3f} below the anchor release over {claim.pairs} trials: proven to be worse"
    losses = [(p.item_id, d) for p in pairs if (d := weighing.anchor_difference(p)) is not None]
    return Reason("anchor_regression", message, metric, None, observed, -claim.margin, _worst(losses, below=0.0))


def _unscored(weighing: Weighing, pairs: Sequence[Scored]) -> list[Reason]:
    """A slice without any score cannot be passed: its trials all errored."""
    metric = weighing.policy.primary_metric
    return [
        Reason(
            "evidence_missing",
            f"no trial of slice {name} could be scored",
            metric,
            name,
            items=_some(p.item_id for p in pairs if p.slice == name),
        )
        for name, tally in weighing.slice_candidate.items()
        if tally.scored == 0
    ]


def _undecided(weighing: Weighing, pairs: Sequence[Scored]) -> list[Reason]:
    """What no trial is left for, one reason each."""
    metric, policy = weighing.policy.primary_metric, weighing.policy
    reasons = []
    if weighing.mean.state == "open":
        reasons.append(_open(weighing, weighing.mean, pairs, None))
    if weighing.errors.state == "open":
        claim = weighing.errors
        message = (
            f"an error rate below {claim.limit:.1%} is not certified: {claim.errors} of {claim.trials} trials errored"
        )
        message += f" (evidence {claim.certifying:.2g} of {1 / claim.alpha:g})"
        items = _some(p.item_id for p in pairs if agent_erred(p.candidate))
        reasons.append(Reason("undecided", message, "error_rate", None, claim.rate, claim.limit, items))
    elif weighing.errors.state == "refuted":
        message = (
            f"{weighing.errors.errors} of {weighing.errors.trials} trials errored, and whether the candidate or the"
        )
        message += " environment is to blame is not clear"
        items = _some(p.item_id for p in pairs if agent_erred(p.candidate))
        reasons.append(
            Reason("undecided", message, "error_rate", None, weighing.errors.rate, policy.maximum_error_rate, items)
        )
    if weighing.anchor is not None and weighing.anchor.state == "open":
        anchor = weighing.anchor
        message = f"a loss of less than {anchor.margin:.3f} against the anchor release is not certified: observed "
        message += f"{_signed(anchor.mean)} (evidence {anchor.certifying:.2g} of {1 / anchor.alpha:g})"
        losses = [(p.item_id, d) for p in pairs if (d := weighing.anchor_difference(p)) is not None]
        items = _worst(losses, below=0.0)
        reasons.append(Reason("undecided", message, metric, None, anchor.mean, -anchor.margin, items))
    for group in weighing.plan.groups:
        members = [name for name, own in weighing.plan.group.items() if own == group]
        claim_of_group = weighing.certified_in(members[0])
        if claim_of_group is not None and claim_of_group.state == "open":
            reasons.append(_open(weighing, claim_of_group, pairs, group, members))
    for name in (None, *weighing.plan.items):
        required = weighing.required(name)
        if required is not None and weighing.below_minimum(name):
            words = "not proven either way, but below"
            reasons.append(_below(weighing, pairs, name, required, words=words, code="undecided"))
    return reasons


def _open(
    weighing: Weighing, claim: MeanClaim, pairs: Sequence[Scored], name: str | None, members: Sequence[str] = ()
) -> Reason:
    metric = weighing.policy.primary_metric
    where = f" in slice {name}" if name else ""
    if weighing.design == "one_sample" and name is None:
        message, required = f"mean {metric} above {weighing.bar:.3f} is not certified", 0.0
    else:
        message, required = f"a loss of less than {claim.margin:.3f}{where} is not certified", -claim.margin
    message += f": observed {_signed(claim.mean)} over {claim.pairs} pairs "
    message += f"(evidence {claim.certifying:.2g} of {1 / claim.alpha:g})"
    own = [pair for pair in pairs if name is None or pair.slice in members]
    return Reason("undecided", message, metric, name, claim.mean, required, _losses(weighing, own, None))


def _losses(weighing: Weighing, pairs: Sequence[Scored], name: str | None) -> tuple[str, ...]:
    own = [pair for pair in pairs if name in (None, pair.slice)]
    return _worst([(p.item_id, d) for p in own if (d := weighing.difference(p)) is not None], below=0.0)


def _worst(values: Sequence[tuple[str, float]], *, below: float) -> tuple[str, ...]:
    """Items whose own mean is below, the lowest first; the item's id breaks ties."""
    own: dict[str, list[float]] = {}
    for item_id, value in values:
        own.setdefault(item_id, []).append(value)
    means = sorted((fsum(v) / len(v), item_id) for item_id, v in own.items())
    return tuple(item_id for mean, item_id in means if mean < below - TOLERANCE)[:MOST_ITEMS]


def _some(item_ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(item_ids)))[:MOST_ITEMS]


def _signed(value: float | None) -> str:
    return "nothing" if value is None else f"{value:+.3f}"
