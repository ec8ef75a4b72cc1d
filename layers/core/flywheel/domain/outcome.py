"""What one invocation of a candidate on one golden item gave: answered, refused, or errored with its stage."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from flywheel.domain.strict import STRICT, first_problems
from flywheel.errors import InvalidRequestError

type Outcome = Literal["answered", "refused", "errored"]
# "anchor" answers from what is stored only; the other two may be invoked.
type Arm = Literal["candidate", "incumbent", "anchor"]
type Stage = Literal["deploy", "invoke", "judge"]


@dataclass(frozen=True, slots=True)
class TrialError:
    """Why a trial errored. `kind` is countable (`ThrottlingException`, `timeout`); `message` is for people."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    stage: Stage
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One step of a trajectory. `input` is the JSON text of the arguments."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    tool: str
    input: str = "{}"
    error: bool = False


@dataclass(frozen=True, slots=True)
class FactScore:
    """How the answer covers one expected fact. `choice` is the judge's letter (A-E); `score` is in [0, 1].

    `again` is the letter of a second judgement of the same answer, which measures the judge and changes no score; empty
    where none was asked for.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    fact: str
    choice: str
    score: float
    rationale: str = ""
    again: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of all model calls of one trial."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    input_tokens: int = 0
    output_tokens: int = 0
    model_calls: int = 0


@dataclass(frozen=True, slots=True)
class TrialKey:
    """Which invocation: the unit of a shard line. `trial` counts from 1 in each item."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    item_id: str
    trial: int
    arm: Arm


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """The whole evidence of one trial; one line of a results file.

    `scores` maps a metric's name to [0, 1] and holds only metrics that apply to the item; it is empty when the trial
    errored. `latency_ms` is the agent's own duration (None when it gave none), `cost_usd` follows the price table.
    `stored_from` is the gate that invoked the agent when this one did not: a stored answer, judged again; duration,
    usage and cost are then left out, for nothing was spent on them here, and `trace_id` is that of the invocation.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    key: TrialKey
    outcome: Outcome
    scores: dict[str, float] = field(default_factory=dict)
    facts: tuple[FactScore, ...] = ()
    error: TrialError | None = None
    answer: str = ""
    stop_reason: str = ""
    trajectory: tuple[ToolCall, ...] = ()
    usage: Usage = field(default_factory=Usage)
    latency_ms: int | None = None
    cost_usd: float | None = None
    trace_id: str = ""
    stored_from: str = ""

    def __post_init__(self) -> None:
        if (self.outcome == "errored") != (self.error is not None):
            raise ValueError("a trial has an error exactly when its outcome is errored")
        if self.outcome == "errored" and self.scores:
            raise ValueError("an errored trial has no scores")
        for name, score in self.scores.items():
            if not 0.0 <= score <= 1.0:
                raise ValueError(f"score {name} = {score} is outside [0, 1]")


_RECORDS: TypeAdapter[list[TrialRecord]] = TypeAdapter(list[TrialRecord])


def dump_records(records: Sequence[TrialRecord]) -> str:
    """The JSON text of a results file; `load_records` reverses it."""
    return _RECORDS.dump_json(list(records)).decode()


def load_records(text: str | bytes) -> list[TrialRecord]:
    """Read a results file.

    Raises:
        InvalidRequestError: it is not a list of trial records: wrong JSON, unknown fields, scores outside [0, 1].
    """
    try:
        return _RECORDS.validate_json(text)
    except ValidationError as error:
        raise InvalidRequestError(f"not a results file: {first_problems(error)}") from error
