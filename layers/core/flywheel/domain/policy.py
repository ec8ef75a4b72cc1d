"""The written policy of the gate: what a candidate must reach, what a gate may cost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

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
