"""The written policy of the gate: what a candidate must reach, what a gate may cost.

The file form is JSON with the fields of `GatePolicy` as keys; a key that is left out has its default.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib import resources
from typing import Any, ClassVar, Literal, get_args

from pydantic import ConfigDict

from flywheel.domain.golden import SLICES
from flywheel.domain.json_words import kind, shown
from flywheel.domain.metrics import METRICS
from flywheel.domain.strict import STRICT
from flywheel.errors import InvalidRequestError

type TrajectoryMode = Literal["exact", "in_order", "any_order"]


def _minima() -> dict[str, float]:
    return {"correctness": 0.75}


def _slice_minima() -> dict[str, dict[str, float]]:
    return {
        "happy_path": {"correctness": 0.7},
        "edge_case": {"correctness": 0.6},
        "adversarial": {"correctness": 0.7},
    }


def _choice_scores() -> dict[str, float]:
    return {"A": 0.5, "B": 1.0, "C": 1.0, "D": 0.0, "E": 1.0}


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """Every field has its default; `parse_policy` reads the file form and reports all its errors at once.

    Attributes:
        primary_metric: the score in [0, 1] that the sequential decision looks at.
        max_trials: trials of each item and arm at most.
        minimum_items: fewer items than this in the dataset: the gate is refused at planning.
        minima: metric -> least mean over all items; a mean over the trials to which the metric applies.
        slice_minima: slice -> metric -> least mean in that slice.
        margin: largest accepted loss of the primary metric's mean against the incumbent, in points of [0, 1].
        slice_margin: the same in one slice.
        maximum_error_rate: largest accepted share of errored trials of the candidate.
        maximum_judge_error_rate: above this share of trials that the judge could not score, nothing is concluded.
        latency_p95_ms: largest accepted 95th percentile of the agent's own duration; None does not check it.
        cost_per_item_usd: largest accepted mean cost of one trial; None does not check it.
        must_pass_k: a production item passes when at least k of its `must_pass_n` trials reach `must_pass_score`.
        trajectory_mode: how the tools that were called are compared with the expected ones.
        choice_scores: score of each answer of the factuality judge, see docs/architecture.md.
        stop_when_certain: stop early when the trials still open could not turn a failure round any more.
        gates_per_day: gates planned in one UTC day at most.
        usd_per_gate: estimated cost of one gate at most.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    version: int = 1
    primary_metric: str = "correctness"
    max_trials: int = 1
    minimum_items: int = 40
    minima: Mapping[str, float] = field(default_factory=_minima)
    slice_minima: Mapping[str, Mapping[str, float]] = field(default_factory=_slice_minima)
    margin: float = 0.09
    slice_margin: float = 0.5
    maximum_error_rate: float = 0.05
    maximum_judge_error_rate: float = 0.02
    latency_p95_ms: int | None = 30_000
    cost_per_item_usd: float | None = 0.25
    must_pass_k: int = 1
    must_pass_n: int = 1
    must_pass_score: float = 0.75
    trajectory_mode: TrajectoryMode = "in_order"
    choice_scores: Mapping[str, float] = field(default_factory=_choice_scores)
    stop_when_certain: bool = True
    gates_per_day: int = 50
    usd_per_gate: float = 25.0


def load_default_policy() -> GatePolicy:
    """The policy of the package's `policy.json`: every default written out."""
    return parse_policy(json.loads(resources.files("flywheel").joinpath("policy.json").read_text("utf-8")))


def policy_to_dict(policy: GatePolicy) -> dict[str, Any]:
    """The file form, all fields written out; `parse_policy` reverses it."""
    plain: dict[str, Any] = {spec.name: getattr(policy, spec.name) for spec in fields(policy)}
    plain["minima"] = dict(policy.minima)
    plain["slice_minima"] = {name: dict(minima) for name, minima in policy.slice_minima.items()}
    plain["choice_scores"] = dict(policy.choice_scores)
    return plain


def parse_policy(data: Mapping[str, Any]) -> GatePolicy:
    """Check the file form and build the policy; `{}` is the default policy.

    Raises:
        InvalidRequestError: names everything that is wrong: unknown keys, metrics and slices, wrong types, values out
            of range.
    """
    if not isinstance(data, Mapping):
        raise InvalidRequestError(f"a policy is a JSON object, not {kind(data)}")
    problems = _problems(data)
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


@dataclass(frozen=True, slots=True)
class _Range:
    """Numbers that a field takes. `whole`: integers only; `optional`: null is allowed as well."""

    low: float
    high: float
    whole: bool = False
    optional: bool = False


_RANGES: Mapping[str, _Range] = {
    "version": _Range(1, 1, whole=True),
    "max_trials": _Range(1, 100, whole=True),
    "minimum_items": _Range(1, 100_000, whole=True),
    "margin": _Range(0, 1),
    "slice_margin": _Range(0, 1),
    "maximum_error_rate": _Range(0, 0.5),
    "maximum_judge_error_rate": _Range(0, 0.5),
    "latency_p95_ms": _Range(1, 28_800_000, whole=True, optional=True),
    "cost_per_item_usd": _Range(0, 1_000, optional=True),
    "must_pass_k": _Range(1, 100, whole=True),
    "must_pass_n": _Range(1, 100, whole=True),
    "must_pass_score": _Range(0, 1),
    "gates_per_day": _Range(1, 100_000, whole=True),
    "usd_per_gate": _Range(0, 1_000_000),
}
_CHOICES = ("A", "B", "C", "D", "E")
# Production items count one by one: an average over them is never formed.
_AVERAGED_SLICES = tuple(name for name in SLICES if name != "production")


def _problems(data: Mapping[str, Any]) -> list[str]:
    known = {spec.name for spec in fields(GatePolicy)}
    problems = [f"unknown key {key!r}" for key in data if key not in known]
    for key, value in data.items():
        if key in _RANGES:
            problems += _number_problems(key, value, _RANGES[key])
        elif key == "primary_metric":
            problems += _name_problems(key, value, tuple(METRICS))
        elif key == "trajectory_mode":
            problems += _name_problems(key, value, get_args(TrajectoryMode.__value__))
        elif key == "stop_when_certain":
            problems += [] if isinstance(value, bool) else [f"{key} is {kind(value)}; expected true or false"]
        elif key == "minima":
            problems += _minima_problems(key, value)
        elif key == "slice_minima":
            problems += _slice_problems(key, value)
        elif key == "choice_scores":
            problems += _choice_problems(key, value)
    if not problems:
        default = GatePolicy()
        k, n = data.get("must_pass_k", default.must_pass_k), data.get("must_pass_n", default.must_pass_n)
        problems += [f"must_pass_k is {k}, more than must_pass_n, which is {n}"] if k > n else []
    return problems


def _number_problems(key: str, value: Any, allowed: _Range) -> list[str]:
    if value is None and allowed.optional:
        return []
    if isinstance(value, bool) or not isinstance(value, int if allowed.whole else int | float):
        return [f"{key} is {kind(value)}; expected {'a whole number' if allowed.whole else 'a number'}"]
    if not allowed.low <= value <= allowed.high:
        return [f"{key} is {shown(value)}; expected {allowed.low:g} to {allowed.high:g}"]
    return []


def _name_problems(key: str, value: Any, names: tuple[str, ...]) -> list[str]:
    if isinstance(value, str) and value in names:
        return []
    return [f"{key} is {shown(value)}; expected one of {', '.join(names)}"]


def _minima_problems(key: str, value: Any) -> list[str]:
    if not isinstance(value, Mapping):
        return [f"{key} is {kind(value)}; expected an object of metric and number"]
    problems = []
    for metric, least in value.items():
        if metric not in METRICS:
            problems.append(f"{key} names the unknown metric {shown(metric)}; known are {', '.join(METRICS)}")
        else:
            problems += _number_problems(f"{key}.{metric}", least, _Range(0, 1))
    return problems


def _slice_problems(key: str, value: Any) -> list[str]:
    if not isinstance(value, Mapping):
        return [f"{key} is {kind(value)}; expected an object of slice and minima"]
    problems = []
    for name, minima in value.items():
        if name not in _AVERAGED_SLICES:
            problems.append(f"{key} names the unknown slice {shown(name)}; known are {', '.join(_AVERAGED_SLICES)}")
        else:
            problems += _minima_problems(f"{key}.{name}", minima)
    return problems


def _choice_problems(key: str, value: Any) -> list[str]:
    if not isinstance(value, Mapping) or set(value) != set(_CHOICES):
        return [f"{key} must give a score to each of the choices {', '.join(_CHOICES)} and to no other"]
    return [p for choice in _CHOICES for p in _number_problems(f"{key}.{choice}", value[choice], _Range(0, 1))]
