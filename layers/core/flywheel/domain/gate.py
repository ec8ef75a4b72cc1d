"""The gate's decision: pairs asked for, scores recorded -> PASS, FAIL or INCONCLUSIVE with its reasons as data."""

from dataclasses import dataclass
from typing import Any, Literal

type VerdictKind = Literal["PASS", "FAIL", "INCONCLUSIVE"]


@dataclass(frozen=True, slots=True)
class Errored:
    """Stands where a score would be when that arm's trial errored."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One trial of one item, answered by every arm. `trial` counts from 1."""

    item_id: str
    trial: int


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a verdict is what it is.

    `code` is countable: `minimum`, `slice_minimum`, `regression`, `error_rate`, `latency_p95_ms`, `cost_usd`,
    `must_pass`, `too_few_items`, `evidence_missing`, `judge_unavailable`, `void`, `superseded`, `incumbent_changed`,
    `dataset_changed`, `never_ready`, `deployment_failed`, ... `observed` and `required` are in the metric's own unit.
    """

    code: str
    message: str
    metric: str | None = None
    slice: str | None = None
    observed: float | None = None
    required: float | None = None
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """`kind` is None while the gate is open. `estimates` maps a name to numbers, for the report."""

    kind: VerdictKind | None
    reasons: tuple[Reason, ...] = ()
    estimates: dict[str, Any] | None = None
