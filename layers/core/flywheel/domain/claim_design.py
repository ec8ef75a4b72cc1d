"""Policy and history -> the claims of a gate, with the bets that fit them."""

from dataclasses import dataclass
from typing import Literal

from flywheel.domain.betting import Betting, sizes
from flywheel.domain.claims import (
    MEAN_REFUTATION,
    MINIMUM_REFUTATION,
    PAIRED_VARIANCE,
    SLICE_REFUTATION,
    ErrorClaim,
    MeanClaim,
)
from flywheel.domain.history import History
from flywheel.domain.policy import GatePolicy

type Design = Literal["paired", "cached", "one_sample"]

# Without an incumbent a mean is held against its minimum. A good agent is expected to exceed it by about so much.
_ABOVE_MINIMUM = 0.1
_SCORE_VARIANCE = 0.13
# A history may be so uncertain that nothing is left of the margin: bets need some size all the same.
_LEAST_ROOM = 0.01
_LEAST_VARIANCE = 0.02
# The judge may be allowed no error at all; a bet needs a rate.
_LEAST_RATE = 0.001


@dataclass(frozen=True, slots=True)
class ClaimDesign:
    """Makes the claims of one gate; `history` is the cached incumbent's."""

    policy: GatePolicy
    design: Design
    history: History | None

    def mean(self, items: tuple[str, ...], bar: float) -> MeanClaim:
        """The claim about the mean: against the incumbent, or without one above `bar`."""
        policy = self.policy
        if self.design == "one_sample":
            return MeanClaim(
                margin=0.0,
                alpha=policy.alpha,
                refuting_alpha=policy.alpha,
                certifying_bets=sizes(_ABOVE_MINIMUM, _SCORE_VARIANCE, largest_loss=bar),
                refuting_bets=_bounded(MINIMUM_REFUTATION, 1.0 - bar),
            )
        return self._loss(policy.margin, items, self.history)

    def anchor(self, items: tuple[str, ...], known: History | None) -> MeanClaim | None:
        """The claim against the anchor release; None when there is none to hold the candidate against."""
        margin = self.policy.anchor_margin
        if margin is None or known is None or not any(item in known.scores for item in items):
            return None
        return self._loss(margin, items, known)

    def slice(self, items: tuple[str, ...], many: int) -> MeanClaim:
        """The claim about one of `many` slices, which share what a refutation may be wrong with.

        Without an incumbent a slice is refuted against its own minimum, where it has one.
        """
        pad = self.history.pad(items) if self.history else 0.0
        refuting = () if self.design == "one_sample" else _bounded(SLICE_REFUTATION, 1.0 + pad)
        return self._slice(pad, self.policy.slice_alpha / many, refuting)

    def small_slices(self, items: tuple[str, ...]) -> MeanClaim:
        """The claim about all small slices together: to be certified only, for each of them is refuted by itself."""
        return self._slice(self.history.pad(items) if self.history else 0.0, self.policy.slice_alpha, ())

    def fewest_slice_pairs(self) -> int:
        """Pairs that certify a slice when no difference is seen."""
        margin = self.policy.slice_margin
        bets = sizes(margin, PAIRED_VARIANCE, largest_loss=1.0 - margin)
        return Betting(bets).fewest(margin, 1.0 / self.policy.alpha)

    def errors(self) -> ErrorClaim:
        policy = self.policy
        return ErrorClaim(
            limit=policy.maximum_error_rate,
            alpha=policy.alpha,
            refuted_rate=policy.refuted_error_rate,
            refuting_alpha=policy.error_alpha,
        )

    def judge_errors(self) -> ErrorClaim:
        """Whether the judge is down: refuted when it fails more often than the policy allows."""
        limit = max(self.policy.maximum_judge_error_rate, _LEAST_RATE)
        return ErrorClaim(
            limit=limit, alpha=self.policy.alpha, refuted_rate=limit, refuting_alpha=self.policy.error_alpha
        )

    @property
    def _refuting_alpha(self) -> float:
        """What the slices leave of alpha: a candidate that is no worse anywhere is refuted with alpha at most."""
        return max(self.policy.alpha - self.policy.slice_alpha, self.policy.alpha / 2)

    def _loss(self, margin: float, items: tuple[str, ...], history: History | None) -> MeanClaim:
        """Loss of the mean against an arm that answers or has a history."""
        pad = history.pad(items) if history else 0.0
        room = margin - pad
        variance = _variance(history)
        return MeanClaim(
            margin=margin,
            alpha=self.policy.alpha,
            refuting_alpha=self._refuting_alpha,
            certifying_bets=sizes(max(room, _LEAST_ROOM), variance, largest_loss=1.0 - room),
            refuting_bets=_bounded(MEAN_REFUTATION, 1.0 + pad),
            pad=pad,
        )

    def _slice(self, pad: float, refuting_alpha: float, refuting_bets: tuple[float, ...]) -> MeanClaim:
        room = self.policy.slice_margin - pad
        return MeanClaim(
            margin=self.policy.slice_margin,
            alpha=self.policy.alpha,
            refuting_alpha=refuting_alpha,
            certifying_bets=sizes(max(room, _LEAST_ROOM), PAIRED_VARIANCE, largest_loss=1.0 - room),
            refuting_bets=refuting_bets,
            pad=pad,
            settles=False,
        )


def minimum_claim(required: float, alpha: float) -> MeanClaim:
    """An absolute minimum: its differences are score - `required`, and it can be refuted only."""
    bets = _bounded(MINIMUM_REFUTATION, 1.0 - required)
    return MeanClaim(margin=0.0, alpha=alpha, refuting_alpha=alpha, certifying_bets=(), refuting_bets=bets)


def expected(design: Design, mean: MeanClaim, history: History | None) -> tuple[float, float]:
    """What is expected of the mean's differences before any is seen: the distance to prove, and their variance."""
    if design == "one_sample":
        return _ABOVE_MINIMUM, _SCORE_VARIANCE
    return max(mean.margin - mean.pad, _LEAST_ROOM), _variance(history)


def _variance(history: History | None) -> float:
    """Of one trial against one, or against the mean of stored ones."""
    if history is None:
        return PAIRED_VARIANCE
    return max(_LEAST_VARIANCE, history.spread * (1.0 + 1.0 / max(1.0, history.trials)))


def _bounded(bets: tuple[float, ...], largest_loss: float) -> tuple[float, ...]:
    """Bets that leave some wealth whatever comes."""
    return bets if largest_loss <= 0 else tuple(min(bet, 0.95 / largest_loss) for bet in bets)
