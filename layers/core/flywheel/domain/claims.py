"""What a candidate must show, each as two bets: one that certifies the claim, one that refutes it."""

from math import ceil, log
from typing import Literal

from flywheel.domain.betting import Betting

type ClaimState = Literal["open", "certified", "refuted"]

# Expected variance of a paired difference of scores (twice the variance of a trial around its item's mean); it decides
# how fast evidence grows, never whether the error probabilities hold.
PAIRED_VARIANCE = 0.13
# Bets that a mean lies below a bound: proven sooner for a large loss, later for a small one.
MEAN_REFUTATION = (0.3, 0.6)
SLICE_REFUTATION = (0.5, 0.9)
MINIMUM_REFUTATION = (0.4, 0.8)
_ERROR_REFUTATION = (0.01, 0.03, 0.1)  # over the refuted rate
_MOST = 1e300  # as in `betting`
_ERROR_FREE = 0.06  # a candidate without trouble errs at this share of the limit


class MeanClaim:
    """The mean of bounded differences lies above -margin.

    Certified when the evidence against "at or below -margin" reaches 1/alpha; refuted when the evidence against "at or
    above 0" reaches 1/refuting_alpha. Between -margin and 0 either may come first: no power is spent there.

    Args:
        margin: largest accepted loss, in points of the score.
        pad: what is not known of the other side, in points: certificate and refutation both allow for it.
        certifying_bets, refuting_bets: sizes, see `betting`; none: the claim cannot be certified, or refuted.
        settles: a certificate ends the claim; otherwise it can still be refuted.
    """

    __slots__ = (
        "_certificate",
        "_refutation",
        "alpha",
        "at_pairs",
        "certifying",
        "margin",
        "pad",
        "pairs",
        "refuting",
        "refuting_alpha",
        "settles",
        "squares",
        "state",
        "total",
    )

    def __init__(
        self,
        *,
        margin: float,
        alpha: float,
        refuting_alpha: float,
        certifying_bets: tuple[float, ...],
        refuting_bets: tuple[float, ...],
        pad: float = 0.0,
        settles: bool = True,
    ) -> None:
        self.margin = margin
        self.pad = pad
        self.alpha = alpha
        self.refuting_alpha = refuting_alpha
        self.settles = settles
        self._certificate = Betting(certifying_bets) if certifying_bets else None
        self._refutation = Betting(refuting_bets) if refuting_bets else None
        self.certifying = 1.0
        self.refuting = 1.0
        self.state: ClaimState = "open"
        self.at_pairs: int | None = None
        self.pairs = 0
        self.total = 0.0
        self.squares = 0.0

    def add(self, difference: float, at: int) -> None:
        """Take the difference of the pair that is number `at` of the gate; a claim that is settled is frozen."""
        if self.state == "refuted" or (self.settles and self.state == "certified"):
            return
        self.pairs += 1
        self.total += difference
        self.squares += difference * difference
        if self._refutation is not None:
            self.refuting = self._refutation.add(-(difference + self.pad))
            if self.refuting >= 1.0 / self.refuting_alpha:
                self.state, self.at_pairs = "refuted", at
                return
        if self._certificate is not None:
            self.certifying = self._certificate.add(difference + self.margin - self.pad)
            if self.certifying < 1.0 / self.alpha:
                self.state, self.at_pairs = "open", None
            elif self.state == "open":
                self.state, self.at_pairs = "certified", at

    @property
    def mean(self) -> float | None:
        return self.total / self.pairs if self.pairs else None

    @property
    def certifying_bets(self) -> tuple[float, ...]:
        return self._certificate.bets if self._certificate else ()

    @property
    def refuting_bets(self) -> tuple[float, ...]:
        return self._refutation.bets if self._refutation else ()

    def fewest_to_go(self) -> int:
        """Further pairs that the certificate takes if no difference is seen in any of them."""
        if self._certificate is None or self.state != "open" or self.margin <= self.pad:
            return 1
        return self._certificate.fewest(self.margin - self.pad, 1.0 / self.alpha)

    def pairs_to_go(self) -> int | None:
        """Further pairs that the certificate will take if differences go on as they were; 0 when it stands.

        None: they would not certify it, because the true difference seems to lie too close to the margin.
        """
        if self.state == "certified":
            return 0
        if self._certificate is None or self.state == "refuted":
            return None
        mean = self.mean or 0.0
        variance = self.squares / self.pairs - mean * mean if self.pairs else 0.0
        drift = mean + self.margin - self.pad
        growth = max((_growth(bet, drift, variance) for bet in self.certifying_bets), default=0.0)
        if growth <= 0:
            return None
        return max(1, ceil(log(1.0 / (self.alpha * self.certifying)) / growth))


def _growth(bet: float, drift: float, variance: float) -> float:
    """Expected growth of the logarithm of a bet's wealth, to second order."""
    grown = 1.0 + bet * drift
    return log(grown) - 0.5 * bet * bet * variance / (grown * grown) if grown > 0 else -1.0


class ErrorClaim:
    """The share of errored trials lies below a limit.

    Certified by a likelihood ratio of a candidate that hardly errs against one at the limit; refuted by bets that the
    rate lies above `refuted_rate`. Both stay open for the other: errors may begin late.
    """

    __slots__ = (
        "_at_limit",
        "_hardly",
        "_refutation",
        "alpha",
        "at_pairs",
        "certifying",
        "errors",
        "limit",
        "refuted_rate",
        "refuting",
        "refuting_alpha",
        "state",
        "trials",
    )

    def __init__(self, *, limit: float, alpha: float, refuted_rate: float, refuting_alpha: float) -> None:
        self.limit = limit
        self.alpha = alpha
        self.refuted_rate = refuted_rate
        self.refuting_alpha = refuting_alpha
        rate = _ERROR_FREE * limit
        self._hardly = (1.0 - rate) / (1.0 - limit)
        self._at_limit = rate / limit
        self._refutation = Betting(tuple(size / refuted_rate for size in _ERROR_REFUTATION))
        self.certifying = 1.0
        self.refuting = 1.0
        self.state: ClaimState = "open"
        self.at_pairs: int | None = None
        self.errors = 0
        self.trials = 0

    def add(self, *, errored: bool, at: int) -> None:
        self.trials += 1
        self.errors += errored
        self.refuting = self._refutation.add((1.0 if errored else 0.0) - self.refuted_rate)
        if self.state == "refuted":
            return
        self.certifying = min(_MOST, self.certifying * (self._at_limit if errored else self._hardly))
        if self.refuting >= 1.0 / self.refuting_alpha:
            self.state, self.at_pairs = "refuted", at
        elif self.certifying < 1.0 / self.alpha:
            self.state, self.at_pairs = "open", None
        elif self.state == "open":
            self.state, self.at_pairs = "certified", at

    @property
    def rate(self) -> float | None:
        return self.errors / self.trials if self.trials else None

    def trials_to_go(self) -> int:
        """Further trials that the certificate takes when none of them errs."""
        if self.state == "certified":
            return 0
        return max(1, ceil(log(1.0 / (self.alpha * self.certifying)) / log(self._hardly)))


class WhoErrs:
    """Evidence that errors fall on the candidate rather than on either arm alike.

    A shaken environment makes both arms err. Only pairs count in which exactly one of them did, against an even chance.
    """

    __slots__ = ("_betting",)

    def __init__(self) -> None:
        self._betting = Betting((0.5, 0.9))

    def add(self, *, candidate: bool, incumbent: bool) -> None:
        if candidate != incumbent:
            self._betting.add(1.0 if candidate else -1.0)

    @property
    def evidence(self) -> float:
        return self._betting.evidence
