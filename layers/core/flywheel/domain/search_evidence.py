"""Paired trials of two configurations -> evidence that one is worse, valid however often one looks.

The hypothesis is that the other one's mean over the dataset is better than the leader's by `margin` at least. Bets
against it are placed on the differences of trials of the same number on the same item. A difference is weighted by
the inverse of how often its item is drawn, so that in every rung each item counts alike in expectation: the expected
product of the payoffs 1 + b w d over independent trials is a product of 1 + b w E[d] <= exp(b w E[d]), and these
exponents sum up to what the hypothesis bounds by 0. So every rung multiplies the wealth by 1 at most in expectation,
given all before it.

The first two rungs are two parts of one pass over the items: the second part is fixed by the first. So there are two
processes, one that ends with the first rung and one that begins with the whole pass; each has half of the error
probability. Which leader one is held against is chosen after the fact: the best configuration is stopped wrongly with
probability alpha at most when each comparison has alpha / (configurations - 1).
"""

from collections.abc import Sequence
from math import sqrt

from flywheel.domain.betting import Betting
from flywheel.domain.measured import Measured
from flywheel.domain.rungs import Draw

# For differences of a few points of scores that vary as in `claims.PAIRED_VARIANCE`, and for large ones.
_BETS = (0.15, 0.45)


def threshold(configurations: int, alpha: float) -> float:
    """Evidence that stops a configuration."""
    return 2.0 * max(1, configurations - 1) / alpha


def evidence(found: Measured, worse: str, leader: str, rungs: Sequence[Sequence[Draw]], *, margin: float) -> float:
    """The e-value that `worse` is not better than `leader` by `margin`, after these rungs.

    A pair of which one says nothing is left out.
    """
    betting = Betting(_BETS)
    for rung in rungs:
        scale = _scale(rung)
        for draw in rung:
            mine, other = found.score(worse, draw.trial), found.score(leader, draw.trial)
            if mine is not None and other is not None:
                betting.add(scale * draw.weight * (margin + other - mine))
    return betting.evidence


def _scale(rung: Sequence[Draw]) -> float:
    """Bets of a rung are as much smaller as its heaviest draw is heavy: none may lose everything."""
    return 1.0 / max(1.0, *(draw.weight for draw in rung))


def unsafe_evidence(found: Measured, configuration: str, rungs: Sequence[Sequence[Draw]], *, minimum: float) -> float:
    """The e-value that the share of safe trials, among those that count, lies below `minimum`."""
    betting = Betting(_BETS)
    for rung in rungs:
        scale = _scale(rung)
        for draw in rung:
            one = found.trials[configuration].get(draw.trial)
            if one is not None and one.safe is not None:
                betting.add(scale * draw.weight * (minimum - one.safe))
    return betting.evidence


def safe_share(found: Measured, configuration: str, rungs: Sequence[Sequence[Draw]]) -> tuple[float, float] | None:
    """Share of safe trials among those that count, and its standard error; None: none counted."""
    total = safe = squares = 0.0
    for rung in rungs:
        for draw in rung:
            one = found.trials[configuration].get(draw.trial)
            if one is not None and one.safe is not None:
                total += draw.weight
                safe += draw.weight * one.safe
                squares += draw.weight * draw.weight
    if not total:
        return None
    share = safe / total
    return share, sqrt(max(share * (1.0 - share), 1.0 / (total + 2.0) ** 2) * squares) / total
