"""The written policy of the gate: what a candidate must reach, what a gate may cost.

The file form is JSON with the fields of `GatePolicy` as keys; a key that is left out has its default.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib import resources
from math import ceil
from typing import Any, ClassVar

from pydantic import ConfigDict

from flywheel.domain.json_words import kind
from flywheel.domain.policy_checks import IncumbentMode, OnInconclusive, TrajectoryMode, problems_of
from flywheel.domain.strict import STRICT
from flywheel.errors import InvalidRequestError

# A mean of .75 may be computed as .7499999999: a requirement that is met exactly is met.
TOLERANCE = 1e-9

# A cap by dataset size: about so many pairs in all, each item this often at least and at most.
_PAIRS_AT_THE_CAP = 720
_FEWEST_TRIALS = 2
_MOST_TRIALS = 12


def _choice_scores() -> dict[str, float]:
    return {"A": 0.5, "B": 1.0, "C": 1.0, "D": 0.0, "E": 1.0}


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """Every field has its default; `parse_policy` reads the file form and reports all its errors at once.

    The packaged `policy.json`, over which an environment's own policy is laid, adds absolute minima to these defaults:
    what an agent must reach in points is the business of its owners.

    Attributes:
        primary_metric: the score in [0, 1] that the sequential decision looks at.
        max_trials: trials of each item and arm at most; None: by dataset size, see `trials_cap`.
        minimum_items: fewer items than this in the dataset: the gate is refused at planning.
        minima: metric -> least mean over all items; a mean over the trials to which the metric applies.
        slice_minima: slice -> metric -> least mean in that slice.
        entry_minimum: least mean of the primary metric when there is no incumbent to compare with and `minima` does
            not name it.
        margin: largest accepted loss of the primary metric's mean against the incumbent, in points of [0, 1].
        slice_margin: the same in one slice.
        anchor_margin: the same against the anchor release; None does not hold candidates against an anchor.
        alpha: error probability of each certificate and of the refutation of the mean.
        slice_alpha: error probability of all slice refutations together.
        maximum_error_rate: a candidate passes only when its share of errored trials is certified to be below this.
        refuted_error_rate: a candidate whose share of errored trials is proven above this fails.
        error_alpha: error probability of that refutation.
        maximum_judge_error_rate: above this share of trials that the judge could not score, nothing is concluded.
        incumbent: `rerun` answers every pair again beside the candidate; `cached` takes stored answers, judged again.
        cached_trials: stored trials that an item needs at least to be compared with a cached incumbent.
        reliability_k: pass^k with this k is gated, and a PASS waits for k trials of each item; None does not gate it.
        minimum_reliability: least mean pass^k over the items, in [0, 1].
        minimum_judge_agreement: least kappa of the judge with people where reviews are at hand; None does not ask.
        minimum_judge_self_agreement: least share of repeated judgements that choose the same letter.
        judge_repeats: judgements of a gate that are asked a second time, to measure that.
        minimum_reviews: fewer reviews than this say nothing about the judge.
        judgement_cache_h: judgements up to this age, in hours, are taken from the cache; 0 asks always.
        latency_p95_ms: largest accepted 95th percentile of the agent's own duration; None does not check it.
        cost_per_item_usd: largest accepted mean cost of one trial; None does not check it.
        must_pass_k: a production item passes when at least k of its `must_pass_n` trials reach `must_pass_score`.
        trajectory_mode: how the tools that were called are compared with the expected ones.
        choice_scores: score of each answer of the factuality judge, see docs/architecture.md.
        stop_when_certain: stop early when the trials still open could not turn a failure round any more.
        on_inconclusive: what an undecided gate does: `reject`, `hold` for a person, or ask for `more_trials`.
        hold_h: hours that a held gate waits for a person before it is rejected.
        more_trials: trials of each item beyond the cap when an undecided gate asks for more.
        drift_rate: a gate of the incumbent that fails more than this share of the items that it was asked is drift.
        drift_minimum_items: fewer items than this say nothing about drift.
        gates_per_day: gates planned in one UTC day at most.
        usd_per_gate: estimated cost of one gate at most.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    version: int = 1
    primary_metric: str = "correctness"
    max_trials: int | None = None
    minimum_items: int = 40
    minima: Mapping[str, float] = field(default_factory=dict)
    slice_minima: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    entry_minimum: float = 0.75
    margin: float = 0.09
    slice_margin: float = 0.5
    anchor_margin: float | None = 0.075
    alpha: float = 0.05
    slice_alpha: float = 0.02
    maximum_error_rate: float = 0.05
    refuted_error_rate: float = 0.01
    error_alpha: float = 0.01
    maximum_judge_error_rate: float = 0.02
    incumbent: IncumbentMode = "rerun"
    cached_trials: int = 3
    reliability_k: int | None = None
    minimum_reliability: float = 0.7
    minimum_judge_agreement: float | None = 0.6
    minimum_judge_self_agreement: float = 0.8
    judge_repeats: int = 20
    minimum_reviews: int = 30
    judgement_cache_h: float = 24.0
    latency_p95_ms: int | None = 30_000
    cost_per_item_usd: float | None = 0.25
    must_pass_k: int = 1
    must_pass_n: int = 1
    must_pass_score: float = 0.75
    trajectory_mode: TrajectoryMode = "in_order"
    choice_scores: Mapping[str, float] = field(default_factory=_choice_scores)
    stop_when_certain: bool = True
    on_inconclusive: OnInconclusive = "reject"
    hold_h: float = 24.0
    more_trials: int = 3
    drift_rate: float = 0.5
    drift_minimum_items: int = 5
    gates_per_day: int = 50
    usd_per_gate: float = 25.0

    def trials_cap(self, items: int) -> int:
        """Trials of each of `items` items at most.

        Without `max_trials`: about 720 pairs in all, at least 2 and at most 12 trials an item, but as many as a gated
        pass^k needs. What an undecided
        gate may ask for beyond its cap is added when the policy wants that.
        """
        cap = self.max_trials
        if cap is None:
            cap = min(_MOST_TRIALS, max(_FEWEST_TRIALS, ceil(_PAIRS_AT_THE_CAP / max(1, items))))
            cap = max(cap, self.reliability_k or 0)
        return cap + (self.more_trials if self.on_inconclusive == "more_trials" else 0)


def load_default_policy() -> GatePolicy:
    """The policy of the package's `policy.json`: every field written out, with minima."""
    return parse_policy(json.loads(resources.files("flywheel").joinpath("policy.json").read_text("utf-8")))


def policy_to_dict(policy: GatePolicy) -> dict[str, Any]:
    """The file form, all fields written out; `parse_policy` reverses it."""
    plain: dict[str, Any] = {spec.name: getattr(policy, spec.name) for spec in fields(policy)}
    plain["minima"] = dict(policy.minima)
    plain["slice_minima"] = {name: dict(minima) for name, minima in policy.slice_minima.items()}
    plain["choice_scores"] = dict(policy.choice_scores)
    return plain


def for_baseline(policy: GatePolicy, trials: int) -> GatePolicy:
    """The policy of a gate that is to leave `trials` stored trials of every item behind: a PASS waits for them.

    It gates no pass^k that the policy does not gate anyway, and it asks an incumbent afresh.
    """
    gated = policy.reliability_k is not None
    return replace(
        policy,
        incumbent="rerun",
        reliability_k=max(trials, policy.reliability_k or 0),
        minimum_reliability=policy.minimum_reliability if gated else 0.0,
        max_trials=None if policy.max_trials is None else max(trials, policy.max_trials),
    )


def parse_policy(data: Mapping[str, Any]) -> GatePolicy:
    """Check the file form and build the policy; `{}` is the default policy.

    Raises:
        InvalidRequestError: names everything that is wrong: unknown keys, metrics and slices, wrong types, values out
            of range.
    """
    if not isinstance(data, Mapping):
        raise InvalidRequestError(f"a policy is a JSON object, not {kind(data)}")
    known = frozenset(spec.name for spec in fields(GatePolicy))
    problems = problems_of(data, known) or _contradictions(GatePolicy(**data))
    if problems:
        raise InvalidRequestError("the policy is invalid: " + "; ".join(problems))
    return GatePolicy(**data)


def apply_overrides(default: GatePolicy, partial: Mapping[str, Any]) -> GatePolicy:
    """`default` with the keys of `partial` in place of its own.

    The maps `minima`, `slice_minima` and `choice_scores` are merged key by key, and null removes a key there; any
    other value replaces the default's (null too: `latency_p95_ms: null` does not check latency).

    Raises:
        InvalidRequestError: the result would not be a valid policy; everything that is wrong is named.
    """
    if not isinstance(partial, Mapping):
        raise InvalidRequestError(f"policy overrides are a JSON object, not {kind(partial)}")
    merged = policy_to_dict(default)
    for key, value in partial.items():
        merged[key] = _merged(merged[key], value) if isinstance(merged.get(key), dict) else value
    return parse_policy(merged)


def _merged(default: dict[str, Any], partial: Any) -> Any:
    if not isinstance(partial, Mapping):
        return partial
    result = dict(default)
    for key, value in partial.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(result.get(key), dict) or isinstance(value, Mapping):
            result[key] = _merged(result.get(key) or {}, value)
        else:
            result[key] = value
    return result


def _contradictions(policy: GatePolicy) -> list[str]:
    """Values that are each allowed and make no sense together."""
    problems = []
    if policy.must_pass_k > policy.must_pass_n:
        problems.append(f"must_pass_k is {policy.must_pass_k}, more than must_pass_n, which is {policy.must_pass_n}")
    if policy.refuted_error_rate >= policy.maximum_error_rate:
        problems.append(
            f"refuted_error_rate is {policy.refuted_error_rate:g}; it must be below maximum_error_rate, which is "
            f"{policy.maximum_error_rate:g}: in between a candidate neither passes nor fails"
        )
    if policy.reliability_k is not None and policy.max_trials is not None and policy.reliability_k > policy.max_trials:
        problems.append(f"reliability_k is {policy.reliability_k}, more than max_trials, which is {policy.max_trials}")
    return problems
