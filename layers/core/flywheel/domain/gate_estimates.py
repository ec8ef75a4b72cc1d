"""The evidence so far -> figures for people: means, certificates, what is missing, confidence sequences."""

from collections.abc import Iterator, Sequence
from math import ceil, log
from typing import Any

from flywheel.domain.claim_design import expected
from flywheel.domain.claims import ErrorClaim, MeanClaim
from flywheel.domain.confidence import course, fixed_pairs, interval
from flywheel.domain.slices import SMALL
from flywheel.domain.tally import Scored
from flywheel.domain.weighing import Weighing

METHODS = {
    "paired": "paired e-processes",
    "cached": "e-processes against stored answers",
    "one_sample": "e-processes against the minimum",
}
_ARMS = {"paired": 2, "cached": 1, "one_sample": 1}


def counts(weighing: Weighing, trials: int) -> dict[str, Any]:
    """What costs nothing to say at every look: counts and means. `trials` of each item at most."""
    arms = _ARMS[weighing.design]
    cap = len(weighing.items) * trials
    return {
        "method": METHODS[weighing.design],
        "metric": weighing.policy.primary_metric,
        "design": weighing.design,
        "pairs": weighing.pairs,
        "cap_pairs": cap,
        "invocations": weighing.pairs * arms,
        "cap_invocations": cap * arms,
        "candidate": weighing.candidate.to_dict(),
        "incumbent": weighing.incumbent.to_dict() if weighing.design == "paired" else None,
        "difference": {"mean": weighing.mean.mean, "pairs": weighing.mean.pairs} if weighing.mean.pairs else None,
    }


def summary(weighing: Weighing, trials: int) -> dict[str, Any]:
    """`counts`, with the state of every claim and what is missing."""
    return counts(weighing, trials) | {
        "certificates": list(_certificates(weighing)),
        "slices": {name: _slice(weighing, name) for name in weighing.plan.items},
        "missing": list(_missing(weighing)),
    }


def describe(weighing: Weighing, pairs: Sequence[Scored], trials: int) -> dict[str, Any]:
    """`summary`, with confidence sequences and the fixed design beside it."""
    said = summary(weighing, trials)
    own = [(n, d) for n, pair in enumerate(pairs, start=1) if (d := weighing.difference(pair)) is not None]
    weighed = own[: weighing.mean.pairs]  # a mean that is settled is frozen: later pairs are of some slices only
    path = course(weighed, weighing.mean)
    said["level"] = 1.0 - weighing.mean.alpha - weighing.mean.refuting_alpha
    said["path"] = [[at, _rounded(mean), _rounded(low), _rounded(high)] for at, mean, low, high in path]
    if path:
        said["difference"] |= {"low": path[-1][2], "high": path[-1][3]}
    for name, row in said["slices"].items():
        of_slice = [d for pair in pairs if pair.slice == name and (d := weighing.difference(pair, name)) is not None]
        if of_slice:
            claim = weighing.slices[name]
            low, high = interval(of_slice, claim)
            mean = sum(of_slice) / len(of_slice)
            row["difference"] = {"mean": mean, "low": low, "high": high, "pairs": len(of_slice)}
    said["anchor"] = _anchor(weighing, pairs)
    said["fixed_design"] = _fixed(weighing)
    return said


def _certificates(weighing: Weighing) -> Iterator[dict[str, Any]]:
    """Every claim that a PASS needs, or that may fail the candidate."""
    mean, margin = weighing.mean, weighing.policy.margin
    if weighing.design == "one_sample":
        claim = f"mean above {weighing.bar:.3f}"
        yield _certificate("mean", claim, weighing.bar, weighing.candidate.mean, mean)
    else:
        yield _certificate("mean", f"mean loses less than {margin:.3f}", -margin, mean.mean, mean)
    errors = weighing.errors
    words = f"fewer than {errors.limit:.1%} of the trials err"
    yield _certificate("error_rate", words, errors.limit, errors.rate, errors)
    if weighing.anchor is not None:
        anchor = weighing.anchor
        words = f"mean loses less than {anchor.margin:.3f} against the anchor release"
        yield _certificate("anchor", words, -anchor.margin, anchor.mean, anchor)
    for name, claim_of_slice in weighing.slices.items():
        yield _slice_certificate(weighing, name, claim_of_slice, asked=weighing.plan.group[name] == name)
    if weighing.small is not None and SMALL in weighing.plan.groups:
        yield _slice_certificate(weighing, SMALL, weighing.small, asked=True)


def _slice_certificate(weighing: Weighing, name: str, claim: MeanClaim, *, asked: bool) -> dict[str, Any]:
    words = f"{name} loses less than {claim.margin:.3f}"
    if weighing.design == "one_sample":
        words = f"{name} is less than {claim.margin:.3f} below its minimum"
    row = _certificate("slice", words, -claim.margin, claim.mean, claim) | {"slice": name}
    return row if asked or claim.state == "refuted" else row | {"state": "not_asked"}


def _certificate(
    name: str,
    words: str,
    threshold: float,
    observed: float | None,
    claim: MeanClaim | ErrorClaim,
) -> dict[str, Any]:
    return {
        "name": name,
        "slice": None,
        "claim": words,
        "threshold": threshold,
        "observed": observed,
        "evidence": claim.certifying,
        "needed": 1.0 / claim.alpha,
        "state": claim.state,
        "at_pairs": claim.at_pairs,
        "refuting_evidence": claim.refuting,
        "refuting_needed": 1.0 / claim.refuting_alpha,
    }


def _slice(weighing: Weighing, name: str) -> dict[str, Any]:
    claim, group = weighing.slices[name], weighing.plan.group[name]
    candidate, incumbent = weighing.slice_candidate[name], weighing.slice_incumbent[name]
    return {
        "items": weighing.plan.items[name],
        "pairs": claim.pairs,
        "candidate": candidate.to_dict(),
        "incumbent": incumbent.to_dict() if weighing.design == "paired" else None,
        "difference": {"mean": claim.mean, "pairs": claim.pairs} if claim.pairs else None,
        "state": claim.state if group == name or claim.state == "refuted" else "small",
        "certified_in": group,
    }


def _missing(weighing: Weighing) -> Iterator[dict[str, Any]]:
    """Certificates that are open, with the pairs that they will take if everything goes on as it was."""
    if weighing.mean.state == "open":
        yield _to_go(weighing, "mean", None, weighing.mean.pairs_to_go())
    if weighing.errors.state == "open":
        yield _to_go(weighing, "error_rate", None, weighing.errors.trials_to_go())
    if weighing.anchor is not None and weighing.anchor.state == "open":
        yield _to_go(weighing, "anchor", None, weighing.anchor.pairs_to_go())
    seen: set[str] = set()
    for name, group in weighing.plan.group.items():
        claim = weighing.certified_in(name)
        if group is not None and group not in seen and claim is not None and claim.state == "open":
            seen.add(group)
            yield _to_go(weighing, "slice", group, claim.pairs_to_go())


def _to_go(weighing: Weighing, certificate: str, name: str | None, pairs: int | None) -> dict[str, Any]:
    invocations = None if pairs is None else pairs * _ARMS[weighing.design]
    if pairs is None:
        words = "more trials would not settle it: the true value seems to lie too close to what is accepted"
    else:
        words = f"about {pairs} more pairs ({invocations} invocations) if it goes on as it did"
    return {"certificate": certificate, "slice": name, "pairs": pairs, "invocations": invocations, "message": words}


def _anchor(weighing: Weighing, pairs: Sequence[Scored]) -> dict[str, Any] | None:
    claim = weighing.anchor
    if claim is None:
        return None
    own = [d for pair in pairs if (d := weighing.anchor_difference(pair)) is not None][: claim.pairs]
    if not own:
        return {"difference": None, "state": claim.state}
    low, high = interval(own, claim)
    return {"difference": {"mean": claim.mean, "low": low, "high": high, "pairs": len(own)}, "state": claim.state}


def _fixed(weighing: Weighing) -> dict[str, int]:
    """Pairs of a fixed-size test, as it would be planned before anything is seen: for the mean and the error rate."""
    claim = weighing.mean
    room, variance = expected(weighing.design, claim, weighing.history)
    free = log(claim.alpha) / log(1.0 - weighing.errors.limit)  # trials without an error that certify it
    pairs = max(fixed_pairs(room, variance, claim.alpha), ceil(free))
    return {"pairs": pairs, "invocations": pairs * _ARMS[weighing.design]}


def _rounded(value: float) -> float:
    return round(value, 4)
