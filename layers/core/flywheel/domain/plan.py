"""The plan of one gate: everything it will do, fixed before it does anything."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from flywheel.domain.candidate import Candidate
from flywheel.domain.golden import GoldenItem
from flywheel.domain.outcome import Arm, TrialKey
from flywheel.domain.policy import GatePolicy
from flywheel.domain.strict import STRICT, first_problems
from flywheel.errors import InvalidRequestError


@dataclass(frozen=True, slots=True)
class ArmPlan:
    """One configuration under test and the short-lived runtime that answers for it."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    arm: Arm
    candidate: Candidate
    runtime_name: str


@dataclass(frozen=True, slots=True)
class Trigger:
    """What started the gate. `source`: `ecr`, `cli`, `nightly`, `prompt-version`; `tag` is for people only."""

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

    `concurrency`: most invocations at once, over both arms: what latencies are measured at.
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

    def arm(self, arm: Arm) -> ArmPlan | None:
        return next((a for a in self.arms if a.arm == arm), None)

    def item(self, item_id: str) -> GoldenItem:
        return next(i for i in self.items if i.item_id == item_id)


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard file: the lines that one `evaluate_shard` carries out. Both arms of a pair are in one shard."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    gate_id: str
    key: str
    lines: tuple[TrialKey, ...]


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
