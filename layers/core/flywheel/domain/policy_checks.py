"""The file form of a policy -> what is wrong with each of its values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from flywheel.domain.golden import SLICES
from flywheel.domain.json_words import kind, shown
from flywheel.domain.metrics import METRICS

type TrajectoryMode = Literal["exact", "in_order", "any_order"]
type IncumbentMode = Literal["rerun", "cached"]
type OnInconclusive = Literal["reject", "hold", "more_trials"]


@dataclass(frozen=True, slots=True)
class _Range:
    """Numbers that a field takes. `whole`: integers only; `optional`: null is allowed as well."""

    low: float
    high: float
    whole: bool = False
    optional: bool = False


_RANGES: Mapping[str, _Range] = {
    "version": _Range(1, 1, whole=True),
    "max_trials": _Range(1, 100, whole=True, optional=True),
    "minimum_items": _Range(1, 100_000, whole=True),
    "entry_minimum": _Range(0, 1),
    "margin": _Range(0.001, 1),
    "slice_margin": _Range(0.001, 1),
    "anchor_margin": _Range(0.001, 1, optional=True),
    "alpha": _Range(0.0001, 0.5),
    "slice_alpha": _Range(0.0001, 0.5),
    "maximum_error_rate": _Range(0.001, 0.5),
    "refuted_error_rate": _Range(0.001, 0.5),
    "error_alpha": _Range(0.0001, 0.5),
    "maximum_judge_error_rate": _Range(0, 0.5),
    "cached_trials": _Range(1, 100, whole=True),
    "reliability_k": _Range(1, 100, whole=True, optional=True),
    "minimum_reliability": _Range(0, 1),
    "minimum_judge_agreement": _Range(-1, 1, optional=True),
    "minimum_judge_self_agreement": _Range(0, 1),
    "judge_repeats": _Range(0, 10_000, whole=True),
    "minimum_reviews": _Range(1, 100_000, whole=True),
    "judgement_cache_h": _Range(0, 8_760),
    "latency_p95_ms": _Range(1, 28_800_000, whole=True, optional=True),
    "cost_per_item_usd": _Range(0, 1_000, optional=True),
    "must_pass_k": _Range(1, 100, whole=True),
    "must_pass_n": _Range(1, 100, whole=True),
    "must_pass_score": _Range(0, 1),
    "hold_h": _Range(0.01, 720),
    "more_trials": _Range(1, 100, whole=True),
    "drift_rate": _Range(0, 1),
    "drift_minimum_items": _Range(1, 100_000, whole=True),
    "gates_per_day": _Range(1, 100_000, whole=True),
    "usd_per_gate": _Range(0, 1_000_000),
}
_NAMES: Mapping[str, tuple[str, ...]] = {
    "primary_metric": tuple(METRICS),
    "trajectory_mode": get_args(TrajectoryMode.__value__),
    "incumbent": get_args(IncumbentMode.__value__),
    "on_inconclusive": get_args(OnInconclusive.__value__),
}
_CHOICES = ("A", "B", "C", "D", "E")
# Production items count one by one: an average over them is never formed.
_AVERAGED_SLICES = tuple(name for name in SLICES if name != "production")


def problems_of(data: Mapping[str, Any], known: frozenset[str]) -> list[str]:
    """Everything that is wrong in the file form, in words; `known` are its keys."""
    problems = [f"unknown key {key!r}" for key in data if key not in known]
    for key, value in data.items():
        if key in _RANGES:
            problems += _number_problems(key, value, _RANGES[key])
        elif key in _NAMES:
            problems += _name_problems(key, value, _NAMES[key])
        elif key == "stop_when_certain":
            problems += [] if isinstance(value, bool) else [f"{key} is {kind(value)}; expected true or false"]
        elif key == "minima":
            problems += _minima_problems(key, value)
        elif key == "slice_minima":
            problems += _slice_problems(key, value)
        elif key == "choice_scores":
            problems += _choice_problems(key, value)
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
