"""What the turns of synthetic users gave: one row a turn, and the file of one worker's rows."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from flywheel.domain.strict import STRICT, first_problems
from flywheel.errors import InvalidRequestError

type TurnOutcome = Literal["answered", "refused", "errored"]
# Why a worker sent no more. `finished`: all of its arrivals had their turn.
type StoppedBy = Literal["finished", "cost", "cancelled", "out_of_time", "killed"]


@dataclass(frozen=True, slots=True)
class TurnResult:
    """One question that was sent. Never its text, nor the answer's.

    `at_s`: when it was due, since the start of the run. `latency_ms`: from then until its end, so that a wait before
    it was sent counts (no coordinated omission); `service_ms`: from sending. `error`: kind, when errored.
    `cost_usd` None: the model has no price, or there is no usage. `trace_id` is kept where people will want to look.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    arrival: int
    turn: int
    persona: str
    scenario: str
    at_s: float
    latency_ms: int
    service_ms: int
    outcome: TurnOutcome
    must_refuse: bool = False
    error: str = ""
    cost_usd: float | None = None
    trace_id: str = ""


@dataclass(frozen=True, slots=True)
class PartResult:
    """What one worker did. `arrivals` were due, of which `turned_away` found all places taken, and `unsent` were due
    after it had stopped, or are not known to have been sent because it was killed.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    run_id: str
    part: int
    arrivals: int
    conversations: int
    turned_away: int
    unsent: int
    cut_short: int
    sessions_left: int
    stopped_by: StoppedBy
    turns: tuple[TurnResult, ...]


_PART: TypeAdapter[PartResult] = TypeAdapter(PartResult)


def dump_part(part: PartResult) -> bytes:
    """The file of a part; `load_part` reverses it."""
    return _PART.dump_json(part)


def load_part(text: str | bytes) -> PartResult:
    """Raise `InvalidRequestError` when it is no file of a part."""
    try:
        return _PART.validate_json(text)
    except ValidationError as error:
        raise InvalidRequestError(f"not the results of a part: {first_problems(error)}") from error
