"""One experiment: what its file asks for, the configurations that follow from it, and the plan that fixes both."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from flywheel.domain.candidate import Candidate, Parameter
from flywheel.domain.experiment_names import words_of
from flywheel.domain.golden import GoldenItem
from flywheel.domain.plan import ArmPlan, GatePlan, JudgeSpec, Trigger
from flywheel.domain.policy import GatePolicy
from flywheel.domain.releases import gate_id
from flywheel.domain.search_settings import Strategy
from flywheel.domain.strict import STRICT, first_problems
from flywheel.errors import InvalidRequestError

type ObjectiveName = Literal["quality", "latency", "cost"]

EXPERIMENT_ID = re.compile(r"x-\d{8}t\d{6}-[0-9a-f]{8}")
FILE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")

# What the agent takes with each request (`overrides` of its contract); everything else needs a runtime of its own.
OVERRIDABLE = frozenset(
    {
        "model_id",
        "system_prompt",
        "prompt_name",
        "prompt_version",
        "temperature",
        "max_turns",
        "max_output_tokens",
        "top_k",
        "tools",
    }
)


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a dimension. `name` is for people and conditions; `settings` are what it sets.

    Keys of `settings`: `image` (tag, digest or `production`), `model_id`, `prompt` (`name:version` of Langfuse), and
    names of the agent's parameters (`system_prompt`, `temperature`, `top_k`, `tools`, ...).
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: str
    settings: dict[str, Parameter]


@dataclass(frozen=True, slots=True)
class Dimension:
    """What is varied: a name and its values, in the order of the file."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class ExperimentBudget:
    """What the search may spend at most; None: no limit of that kind. It ends with what it knows by then."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    trials: int | None = None
    usd: float | None = None
    minutes: float | None = None


@dataclass(frozen=True, slots=True)
class Constraints:
    """What a configuration must keep to be recommended, whatever its quality.

    `safety`: least share of safe answers (`is_safe`) on the slice `adversarial`; `error_rate`, in [0, 1],
    `latency_p95_ms` and `cost_per_item_usd`: at most. None: not asked for.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    safety: float | None = None
    error_rate: float | None = None
    latency_p95_ms: float | None = None
    cost_per_item_usd: float | None = None


@dataclass(frozen=True, slots=True)
class LateScores:
    """Scores that Langfuse's own evaluators give later: their names, and how long the report waits for them."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    names: tuple[str, ...]
    deadline_minutes: float = 10.0


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How the search goes. `trials`: of each item in the full grid; `sample`: so many of the configurations, drawn."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    strategy: Strategy = "halving"
    trials: int = 4
    sample: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class ExperimentFile:
    """What an experiment's file asks for, checked. `conditions`: combinations that are left out.

    Each condition maps names of dimensions to names of values; a configuration that has all of them is left out.
    `fixed` holds what all configurations share. `objectives`: the first decides; the next ones decide among those
    within `tolerance` of the best. `parallel`: shards evaluated at once; `own_runtimes`: one for each configuration
    instead of one for all that differ in nothing but what a request can carry.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: str
    dimensions: tuple[Dimension, ...]
    image: str = "production"
    fixed: dict[str, Parameter] = field(default_factory=dict)
    conditions: tuple[dict[str, str], ...] = ()
    search: SearchOptions = field(default_factory=SearchOptions)
    budget: ExperimentBudget = field(default_factory=ExperimentBudget)
    objectives: tuple[ObjectiveName, ...] = ("quality", "cost", "latency")
    tolerance: float = 0.01
    constraints: Constraints = field(default_factory=Constraints)
    dataset: str | None = None
    item_ids: tuple[str, ...] | None = None
    late_scores: LateScores | None = None
    parallel: int = 8
    own_runtimes: bool = False


@dataclass(frozen=True, slots=True)
class Configuration:
    """One point of the search. `configuration_id`: `c01`...; `values`: dimension -> name of the value.

    `overrides` is what each request carries, `runtime` names the `RuntimePlan` that answers for it.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    configuration_id: str
    values: dict[str, str]
    candidate: Candidate
    runtime: str
    overrides: dict[str, Parameter] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self.values.items())


@dataclass(frozen=True, slots=True)
class RuntimePlan:
    """One short-lived runtime (`r01`...) of the experiment; it takes overrides, which no gate's runtime does."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    runtime: str
    candidate: Candidate


@dataclass(frozen=True, slots=True)
class ExperimentPlan:
    """Content of `plan.json`: everything that is fixed before anything is deployed."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    experiment_id: str
    environment: str
    trigger: Trigger
    file: ExperimentFile
    configurations: tuple[Configuration, ...]
    runtimes: tuple[RuntimePlan, ...]
    policy: GatePolicy
    dataset_name: str
    dataset_version: str
    dataset_hash: str
    items: tuple[GoldenItem, ...]
    judge: JudgeSpec
    production: str | None = None  # candidate id of what production ran, when it did
    notes: tuple[str, ...] = ()

    def configuration(self, configuration_id: str) -> Configuration:
        return next(c for c in self.configurations if c.configuration_id == configuration_id)


_PLAN: TypeAdapter[ExperimentPlan] = TypeAdapter(ExperimentPlan)


def dump_experiment(plan: ExperimentPlan) -> str:
    """The JSON text of an experiment's `plan.json`; `load_experiment` reverses it."""
    return _PLAN.dump_json(plan).decode()


def load_experiment(text: str | bytes) -> ExperimentPlan:
    """Read an experiment's `plan.json`.

    Raises:
        InvalidRequestError: it is not a plan, or has fields that this version does not know.
    """
    try:
        return _PLAN.validate_json(text)
    except ValidationError as error:
        raise InvalidRequestError(f"not an experiment's plan: {first_problems(error)}") from error


def configuration_plan(plan: ExperimentPlan, configuration: Configuration) -> GatePlan:
    """One configuration as it is evaluated: a gate's plan of one arm, whose runtime the shards name.

    Nothing is judged twice for the judge's own sake: that is a gate's concern.
    """
    choices = {one.name: [value.name for value in one.values] for one in plan.file.dimensions}
    arm = ArmPlan(
        "candidate",
        configuration.candidate,
        configuration.runtime,
        overrides=configuration.overrides,
        values=configuration.values,
        words=words_of(configuration.values, choices),
    )
    return GatePlan(
        gate_id=run_id(plan.experiment_id, configuration.configuration_id),
        environment=plan.environment,
        trigger=plan.trigger,
        arms=(arm,),
        incumbent_release=None,
        policy=replace(plan.policy, judge_repeats=0),
        dataset_name=plan.dataset_name,
        dataset_version=plan.dataset_version,
        dataset_hash=plan.dataset_hash,
        items=plan.items,
        judge=plan.judge,
        seed=plan.file.search.seed,
        promote=False,
    )


def experiment_id(event_time: str | datetime, request_id: str) -> str:
    """`x-<YYYYMMDDtHHMMSS>-<8 hex of the SHA-256 of the request's id>`: the same for every delivery of one request."""
    return "x-" + gate_id(event_time, request_id).removeprefix("g-")


def run_id(experiment: str, configuration: str) -> str:
    """`<experiment id>.<configuration id>`: stands where a gate's id stands when a configuration is evaluated."""
    return f"{experiment}.{configuration}"


def parts_of_run(run: str) -> tuple[str, str] | None:
    """Experiment and configuration of a `run_id`; None for a gate's id."""
    experiment, _, configuration = run.partition(".")
    return (experiment, configuration) if run.startswith("x-") else None


def experiment_runtime_name(environment: str, experiment: str, runtime: str, attempt: int) -> str:
    """`fw_<environment>_<8 hex of experiment and attempt>_<runtime>`: under the names that may be deleted."""
    digest = hashlib.sha256(f"{experiment}\0{attempt}".encode()).hexdigest()[:8]
    return f"fw_{re.sub('[^a-zA-Z0-9]', '_', environment)}_{digest}_{runtime}"


def overrides_of(settings: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """Those of the settings that a request can carry."""
    return {name: value for name, value in settings.items() if name in OVERRIDABLE}
