"""The plan of one gate: everything it will do, fixed before it does anything."""

from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from flywheel.domain.candidate import Candidate, Parameter
from flywheel.domain.golden import GoldenItem
from flywheel.domain.outcome import Arm, TrialKey
from flywheel.domain.policy import GatePolicy
from flywheel.domain.strict import STRICT, first_problems
from flywheel.domain.verdict import Reason
from flywheel.errors import InvalidRequestError

# The detail-types of events that start the gate's machine; the template has a rule for each.
STARTS_A_GATE = ("ECR Image Action", "GateRequested", "ExperimentTriggered", "GoldenDatasetGrown")


@dataclass(frozen=True, slots=True)
class ArmPlan:
    """One configuration under test and the short-lived runtime that answers for it.

    `overrides` is what each request carries on top of what the runtime is made of, `values` what people call that
    (dimension -> name of the value), `words` what tells it from the experiment's others: never a gate's.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    arm: Arm
    candidate: Candidate
    runtime_name: str
    overrides: dict[str, Parameter] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    words: str = ""


@dataclass(frozen=True, slots=True)
class StoredArm:
    """An arm that is not invoked: its stored answers are judged again beside the candidate's.

    `trials` has for each item the number of its stored answers, `sources` the gates that invoked them, `file` the name
    of the copy among the gate's own evidence.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    arm: Arm
    candidate: Candidate
    release_no: int
    trials: dict[str, int]
    sources: tuple[str, ...]
    file: str

    def answers(self) -> list[TrialKey]:
        """Every stored answer, item by item; in each item they are counted from 1."""
        return [TrialKey(item, n, self.arm) for item, count in self.trials.items() for n in range(1, count + 1)]


@dataclass(frozen=True, slots=True)
class Trigger:
    """What started the gate. `tag` is for people only.

    `source`: `ecr`, `cli`, `nightly`, `prompt-version`, `remote-experiment`, `dataset-grown`, `experiment`.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    source: str
    event_id: str
    requested_at: str
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class JudgeSpec:
    """The judge as an instrument: `version` is the hash of model, prompt, choices and scores."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    model_id: str
    version: str


@dataclass(frozen=True, slots=True)
class MutedItem:
    """A `must_pass` item that may fail until `until` (ISO date); recorded in the evidence."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    item_id: str
    until: str
    reason: str


@dataclass(frozen=True, slots=True)
class GatePlan:
    """Content of `plan.json`. `incumbent_release`: the release to compare-and-set on; None: first gate ever.

    `concurrency`: most invocations at once, over both arms: what latencies are measured at. `tool_hash`: SHA-256 of the
    address of the agent's tools. `release_no`: the release on record that has the candidate's configuration, None when
    none has. `stored`: arms that are not invoked. `notes`: what the verdict will say for the record. `agent_hash`:
    SHA-256 of the setting `agent` as it was at planning, empty when it is not known.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    gate_id: str
    environment: str
    trigger: Trigger
    arms: tuple[ArmPlan, ...]
    incumbent_release: int | None
    policy: GatePolicy
    dataset_name: str
    dataset_version: str
    dataset_hash: str
    items: tuple[GoldenItem, ...]
    judge: JudgeSpec
    seed: int
    muted: tuple[MutedItem, ...] = ()
    promote: bool = True
    annotate: bool = False
    revision: str | None = None
    concurrency: int | None = None
    tool_hash: str = ""
    release_no: int | None = None
    stored: tuple[StoredArm, ...] = ()
    notes: tuple[Reason, ...] = ()
    agent_hash: str = ""

    def arm(self, arm: Arm) -> ArmPlan | None:
        return next((a for a in self.arms if a.arm == arm), None)

    def stored_arm(self, arm: Arm) -> StoredArm | None:
        return next((a for a in self.stored if a.arm == arm), None)

    @property
    def judges_production(self) -> bool:
        """The candidate is what runs in production: there is an incumbent and nothing to compare it with."""
        compared = self.arm("incumbent") or self.stored_arm("incumbent")
        return self.incumbent_release is not None and compared is None

    def item(self, item_id: str) -> GoldenItem:
        return next(i for i in self.items if i.item_id == item_id)


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard file: the lines that one `evaluate_shard` carries out. Both arms of a pair are in one shard.

    `gate_id` is the gate, or one configuration of an experiment (`run_id`). `runtime_ids` names the runtime of each
    arm; None: the gate's record has them.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    gate_id: str
    key: str
    lines: tuple[TrialKey, ...]
    runtime_ids: dict[Arm, str] | None = None


_PLAN: TypeAdapter[GatePlan] = TypeAdapter(GatePlan)
_SHARD: TypeAdapter[Shard] = TypeAdapter(Shard)


def dump_plan(plan: GatePlan) -> str:
    """The JSON text of `plan.json`; `load_plan` reverses it."""
    return _PLAN.dump_json(plan).decode()


def load_plan(text: str | bytes) -> GatePlan:
    """Read `plan.json`.

    Raises:
        InvalidRequestError: it is not a plan, or has fields that this version does not know.
    """
    try:
        return _PLAN.validate_json(text)
    except ValidationError as error:
        raise InvalidRequestError(f"not a gate's plan: {first_problems(error)}") from error


def dump_shard(shard: Shard) -> str:
    """The JSON text of a shard file; `load_shard` reverses it."""
    return _SHARD.dump_json(shard).decode()


def load_shard(text: str | bytes) -> Shard:
    """Read a shard file.

    Raises:
        InvalidRequestError: it is not a shard, or has fields that this version does not know.
    """
    try:
        return _SHARD.validate_json(text)
    except ValidationError as error:
        raise InvalidRequestError(f"not a shard: {first_problems(error)}") from error
