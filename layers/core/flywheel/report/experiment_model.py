"""The report of one experiment as data: everything `report.html` shows and `report.json` carries; read back for people.

Times are ISO 8601 in UTC, durations end in `_s` or `_ms`, money in `_usd`, scores and shares lie in [0, 1]. A figure
that is None was not measured; it is never a zero in disguise. Texts from outside are shortened.
"""

import json
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from flywheel.domain.experiment_effects import Effect, SeparatingItem
from flywheel.domain.experiment_measures import SliceFigure
from flywheel.domain.experiment_objectives import Breach
from flywheel.domain.item_intervals import Figure
from flywheel.domain.late_scores import LateFigure
from flywheel.domain.strict import first_problems
from flywheel.errors import InvalidRequestError
from flywheel.ports import ExperimentOutcome

SCHEMA_VERSION = 1

# `failed`: its runtime could not be had; `unmeasured`: it was never asked, or nothing of it was scored.
type ConfigurationState = Literal["recommended", "remaining", "stopped", "failed", "unmeasured"]


@dataclass(frozen=True, slots=True)
class ConfigurationRow:
    """One configuration, in the order of the recommendation. The figures are those of `ConfigurationFigures`."""

    configuration_id: str
    label: str
    values: dict[str, str]
    state: ConfigurationState
    candidate_id: str
    image_digest: str
    model_id: str
    prompt: str | None
    parameters: dict[str, Any]
    on_front: bool
    trials: int
    errored: int
    judge_errored: int
    items: int
    shared_items: int
    estimated: bool
    quality: Figure | None
    difference: Figure | None
    latency_p50_ms: Figure | None
    latency_p95_ms: Figure | None
    cost_per_item_usd: Figure | None
    cost_usd: float | None
    error_rate: float | None
    safety: Figure | None
    safety_items: int
    breaches: tuple[Breach, ...]
    slices: tuple[SliceFigure, ...]


@dataclass(frozen=True, slots=True)
class StoppedRow:
    """A configuration that was not asked any more: after (or in) which rung, why, and with which figures."""

    configuration_id: str
    rung: int
    code: str
    message: str
    figures: dict[str, float]


@dataclass(frozen=True, slots=True)
class RungRow:
    """One round of the search. `assigned`: trials by configuration; `finished`: why the search ended with it."""

    rung: int
    asked_at: str
    assigned: dict[str, int]
    remaining: tuple[str, ...]
    finished: str | None


@dataclass(frozen=True, slots=True)
class DimensionRow:
    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SpentRow:
    """`grid_invocations`: what the full grid would have taken. `judgements`: answers held against one fact."""

    invocations: int
    grid_invocations: int
    judgements: int
    cost_usd: float | None
    unpriced: int
    minutes: float


@dataclass(frozen=True, slots=True)
class LateRow:
    """Scores of Langfuse's own evaluators. `trouble`: why some could not be read; empty: nothing was in the way."""

    names: tuple[str, ...]
    asked_since: str
    deadline: str
    trouble: str
    figures: tuple[LateFigure, ...]


@dataclass(frozen=True, slots=True)
class ExperimentReport:
    """`sentence`: the recommendation with its reason, or why there is none; `notes` qualify it.

    `compared`: the best two in quality; `separating`: items on which they differ. `missing_results`: shards that gave
    no result. `stand_ins`: each part that stood in for a real service.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore", allow_inf_nan=False)

    schema_version: int
    experiment_id: str
    name: str
    environment: str
    trigger: str
    attempt: int
    outcome: ExperimentOutcome
    reasons: tuple[str, ...]
    recommended: str | None
    sentence: str
    notes: tuple[str, ...]
    next_step: str
    started_at: str
    ended_at: str
    dataset_name: str
    dataset_version: str
    dataset_hash: str
    dataset_items: int
    judge_model_id: str
    judge_version: str
    primary_metric: str
    strategy: str
    trials: int
    seed: int
    objectives: tuple[str, ...]
    tolerance: float
    constraints: dict[str, float]
    dimensions: tuple[DimensionRow, ...]
    configurations: tuple[ConfigurationRow, ...]
    effects: tuple[Effect, ...]
    rungs: tuple[RungRow, ...]
    stopped: tuple[StoppedRow, ...]
    compared: tuple[str, str] | None
    separating: tuple[SeparatingItem, ...]
    spent: SpentRow
    late: LateRow | None = None
    missing_results: int = 0
    plan_notes: tuple[str, ...] = ()
    stand_ins: tuple[str, ...] = field(default_factory=tuple)

    def configuration(self, configuration_id: str) -> ConfigurationRow:
        return next(row for row in self.configurations if row.configuration_id == configuration_id)


_REPORT: TypeAdapter[ExperimentReport] = TypeAdapter(ExperimentReport)


def read_experiment_report(text: str | bytes) -> ExperimentReport:
    """Read an experiment's `report.json`; fields that a later version of the same schema adds are passed over.

    Raises:
        InvalidRequestError: it is not a report of an experiment, or of a schema that this version does not know.
    """
    try:
        version = json.loads(text)["schema_version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidRequestError(f"not a report of an experiment: {type(error).__name__}") from error
    if version != SCHEMA_VERSION:
        raise InvalidRequestError(
            f"a report of schema {str(version)[:20]!r}; this version reads {SCHEMA_VERSION}: use the one that wrote it"
        )
    try:
        return _REPORT.validate_json(text)
    except ValidationError as error:
        raise InvalidRequestError(f"not a report of an experiment: {first_problems(error)}") from error
