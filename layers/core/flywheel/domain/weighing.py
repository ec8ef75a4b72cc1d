"""Complete pairs, one after the other -> which claims about the candidate are certified, refuted or open."""

from collections.abc import Mapping

from flywheel.domain.claim_design import ClaimDesign, Design, minimum_claim
from flywheel.domain.claims import MeanClaim, WhoErrs
from flywheel.domain.history import History
from flywheel.domain.policy import TOLERANCE, GatePolicy
from flywheel.domain.slices import SMALL, SlicePlan, plan_slices
from flywheel.domain.tally import ArmTally, Scored, agent_erred, judge_erred
from flywheel.domain.verdict import Errored

# That the candidate errs, and not the environment, must be so likely before it is blamed; and so likely must it be that
# the incumbent errs as well before a run is void.
BLAMED = 10.0
VOID = 20.0


class Weighing:
    """The evidence of one gate; every pair is added once, in the order of issue.

    Args:
        items: item id -> slice.
        trials: trials of each item at most.
        design: `paired`: both arms answer; `cached`: the incumbent's scores are history; `one_sample`: no incumbent,
            the policy's minima stand in its place.
    """

    def __init__(
        self,
        policy: GatePolicy,
        items: Mapping[str, str],
        trials: int,
        design: Design,
        *,
        history: History | None = None,
        anchor: History | None = None,
    ) -> None:
        self.policy = policy
        self.items = items
        self.design = design
        self.history = history
        self.anchor_history = anchor
        self.pairs = 0
        self.candidate = ArmTally()
        self.incumbent = ArmTally()
        metric = policy.primary_metric
        self.minimum = policy.minima.get(metric)
        self.bar = policy.entry_minimum if self.minimum is None else self.minimum
        claims = ClaimDesign(policy, design, history)
        self.mean = claims.mean(tuple(items), self.bar)
        self.plan: SlicePlan = plan_slices(items, trials, claims.fewest_slice_pairs())
        members: dict[str, list[str]] = {}
        for item_id, name in items.items():
            members.setdefault(name, []).append(item_id)
        many = len(members)
        self.slices = {name: claims.slice(tuple(members[name]), many) for name in self.plan.items}
        together = [i for name, own in members.items() if self.plan.group[name] == SMALL for i in own]
        self.small = claims.small_slices(tuple(together)) if together else None
        self.slice_candidate = {name: ArmTally() for name in self.plan.items}
        self.slice_incumbent = {name: ArmTally() for name in self.plan.items}
        self.minima = self._minimum_claims()
        self.errors = claims.errors()
        self.incumbent_errors = claims.errors()
        self.who_errs = WhoErrs()
        self.judge = {arm: claims.judge_errors() for arm in ("candidate", "incumbent")}
        self.anchor = claims.anchor(tuple(items), anchor)

    def add(self, pair: Scored) -> None:
        """Weigh one more pair."""
        self.pairs += 1
        at = self.pairs
        candidate, incumbent = pair.candidate, pair.incumbent
        self.candidate.add(candidate)
        self.slice_candidate[pair.slice].add(candidate)
        if incumbent is not None:
            self.incumbent.add(incumbent)
            self.slice_incumbent[pair.slice].add(incumbent)
        errs = agent_erred(candidate)
        self.errors.add(errored=errs, at=at)
        if self.design == "paired":
            other = agent_erred(incumbent)
            self.incumbent_errors.add(errored=other, at=at)
            self.who_errs.add(candidate=errs, incumbent=other)
        self._add_judged(pair, at)
        if judge_erred(candidate) or judge_erred(incumbent):
            return
        score = 0.0 if isinstance(candidate, Errored) else candidate
        self._add_minima(pair.slice, score, at)
        self._add_differences(pair, score, at)

    def difference(self, pair: Scored, name: str | None = None) -> float | None:
        """What a pair says about the claim of a slice (None: of the mean); None when it says nothing.

        An errored candidate counts as 0. A pair whose incumbent errored counts only when the candidate did too, as no
        difference: a candidate must not gain by an incumbent's trouble.
        """
        candidate, incumbent = pair.candidate, pair.incumbent
        if judge_erred(candidate) or judge_erred(incumbent):
            return None
        score = 0.0 if isinstance(candidate, Errored) else candidate
        if self.design == "one_sample":
            return score - (self.bar if name is None else self._slice_bar(name))
        if self.design == "cached":
            past = self.history.means.get(pair.item_id) if self.history else None
            return None if past is None else score - past
        if isinstance(incumbent, Errored) or incumbent is None:
            return 0.0 if isinstance(candidate, Errored) else None
        return score - incumbent

    def anchor_difference(self, pair: Scored) -> float | None:
        past = self.anchor_history.means.get(pair.item_id) if self.anchor_history else None
        if past is None or judge_erred(pair.candidate):
            return None
        return (0.0 if isinstance(pair.candidate, Errored) else pair.candidate) - past

    def certified_in(self, name: str) -> MeanClaim | None:
        """The claim that certifies a slice; None when it is only refuted."""
        group = self.plan.group[name]
        if group is None:
            return None
        return self.small if group == SMALL else self.slices[name]

    def open_slices(self) -> list[str]:
        """Slices that are not certified, or are below their minimum."""
        found = []
        for name in self.plan.items:
            claim = self.certified_in(name)
            if (claim is not None and claim.state != "certified") or self.below_minimum(name):
                found.append(name)
        return found

    def required(self, name: str | None) -> float | None:
        """The absolute minimum of a slice's mean (None: over all); None when the policy asks for none."""
        return self.minimum if name is None else self._slice_minimum(name)

    def below_minimum(self, name: str | None) -> bool:
        """Whether a mean is below its absolute minimum, so far."""
        required = self.required(name)
        observed = (self.candidate if name is None else self.slice_candidate[name]).mean
        return required is not None and (observed is None or observed < required - TOLERANCE)

    def only_slices_open(self) -> bool:
        """Whether nothing but slices is open: further pairs of other slices would decide nothing."""
        return (
            self.mean.state == "certified"
            and self.errors.state == "certified"
            and (self.anchor is None or self.anchor.state == "certified")
            and not self.below_minimum(None)
            and self.judge_error_rate <= self.policy.maximum_judge_error_rate + TOLERANCE
        )

    @property
    def candidate_is_blamed(self) -> bool:
        """Errors are refuted, and they are the candidate's own."""
        if self.errors.state != "refuted":
            return False
        return self.design != "paired" or self.who_errs.evidence >= BLAMED

    @property
    def void(self) -> bool:
        """Both arms err: the environment failed, and nothing follows for the candidate."""
        return (
            self.design == "paired"
            and self.errors.state == "refuted"
            and self.incumbent_errors.refuting >= VOID
            and not self.candidate_is_blamed
        )

    @property
    def judge_is_down(self) -> bool:
        return any(claim.state == "refuted" for claim in self.judge.values())

    @property
    def judge_error_rate(self) -> float:
        return max(self.candidate.judge_error_rate, self.incumbent.judge_error_rate)

    def _add_judged(self, pair: Scored, at: int) -> None:
        if not agent_erred(pair.candidate):
            self.judge["candidate"].add(errored=judge_erred(pair.candidate), at=at)
        if pair.incumbent is not None and not agent_erred(pair.incumbent):
            self.judge["incumbent"].add(errored=judge_erred(pair.incumbent), at=at)

    def _add_minima(self, name: str, score: float, at: int) -> None:
        for key in (None, name):
            found = self.minima.get(key)
            if found is not None:
                required, claim = found
                claim.add(score - required, at)

    def _add_differences(self, pair: Scored, score: float, at: int) -> None:
        mean = self.difference(pair)
        if mean is not None:
            self.mean.add(mean, at)
            name = pair.slice
            own = mean if self.design != "one_sample" else score - self._slice_bar(name)
            self.slices[name].add(own, at)
            if self.small is not None and self.plan.group[name] == SMALL:
                self.small.add(own, at)
        if self.anchor is not None:
            past = self.anchor_difference(pair)
            if past is not None:
                self.anchor.add(past, at)

    def _slice_minimum(self, name: str) -> float | None:
        return self.policy.slice_minima.get(name, {}).get(self.policy.primary_metric)

    def _slice_bar(self, name: str) -> float:
        own = self._slice_minimum(name)
        return self.bar if own is None else own

    def _minimum_claims(self) -> dict[str | None, tuple[float, MeanClaim]]:
        """Absolute minima, to be refuted: of the mean and of slices, each with what it requires."""
        policy = self.policy
        required = {name: least for name in self.plan.items if (least := self._slice_minimum(name)) is not None}
        claims: dict[str | None, tuple[float, MeanClaim]] = {
            name: (least, minimum_claim(least, policy.slice_alpha / len(required))) for name, least in required.items()
        }
        if self.minimum is not None and self.design != "one_sample":
            claims[None] = (self.minimum, minimum_claim(self.minimum, policy.alpha))
        return claims
