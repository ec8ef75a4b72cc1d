"""What carrying out a shard needs from outside, beside `flywheel.ports`: the judge, and where scores and spans go."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any, Final, Literal, Protocol

from flywheel.domain.outcome import FactScore

type ScoreType = Literal["NUMERIC", "CATEGORICAL", "BOOLEAN", "TEXT"]
type ObservationType = Literal["span", "agent", "evaluator"]

ENVIRONMENT: Final = re.compile(r"(?!langfuse)[a-z0-9_-]{1,40}")
_LONGEST_TEXT = 500


@dataclass(frozen=True, slots=True)
class JudgementFailure:
    """Why there is no judgement. `kind` is countable: `timeout`, `unreachable`, `http_429`, `unusable_reply`, ..."""

    kind: str
    message: str


class Judge(Protocol):
    """Says how an answer covers one fact. Many calls at once are meant."""

    async def judge(self, question: str, fact: str, answer: str) -> FactScore | JudgementFailure:
        """Ask within the judge's own deadline; failures come back as values."""
        ...


@dataclass(frozen=True, slots=True)
class StoredJudgement:
    """What a judge once said: its letter, the score of that letter, and why. Never the question, fact or answer."""

    choice: str
    score: float
    rationale: str
    judged_at: datetime


class JudgementStore(Protocol):
    """Judgements by the hash of what they depend on. Both calls raise `FlywheelError` when the store does not work."""

    def find(self, keys: Sequence[str], not_before: datetime) -> dict[str, StoredJudgement]:
        """Give those of `keys` (at most 100) that are there and were judged at `not_before` or later."""
        ...

    def keep(self, key: str, judgement: StoredJudgement, not_before: datetime, expires: datetime) -> bool:
        """Put it there; False: one that is not older than `not_before` is there already, and stands."""
        ...


@dataclass(frozen=True, slots=True)
class Score:
    """One score of a trace, of one of its observations, or of a whole experiment.

    Langfuse checks some of this only after it has answered 200, and then drops the score without a word; so all of it
    is checked here. `score_id` makes sending it twice harmless.

    Raises:
        ValueError: what Langfuse would refuse or drop.
    """

    score_id: str
    name: str
    value: float | str
    data_type: ScoreType = "NUMERIC"
    trace_id: str | None = None
    observation_id: str | None = None
    experiment_id: str | None = None
    comment: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    environment: str = "default"

    def __post_init__(self) -> None:
        if not self.score_id or not self.name:
            raise ValueError("a score needs an id and a name")
        if (self.trace_id is None) == (self.experiment_id is None):
            raise ValueError(f"score {self.name} belongs to a trace or to an experiment, to exactly one of them")
        if self.observation_id is not None and self.trace_id is None:
            raise ValueError(f"score {self.name} names an observation without its trace")
        checked_environment(self.environment)
        if trouble := _value_trouble(self.data_type, self.value):
            raise ValueError(f"score {self.name}: {trouble}, got {str(self.value)[:60]!r}")


@dataclass(frozen=True, slots=True)
class Posted:
    """`accepted` by the server's answer; `refused` says why, one message for each score it did not take."""

    accepted: int
    refused: tuple[str, ...] = ()


class ScoreSink(Protocol):
    def post(self, scores: Sequence[Score], *, deadline_s: float) -> Posted:
        """Send all of them. Raise `TransientError` when that did not work in time; sending again is harmless."""
        ...


@dataclass(frozen=True, slots=True)
class Span:
    """One finished observation. Times are nanoseconds since 1970; ids are hex (32 digits a trace, 16 a span).

    `failed` says why the observation stands at level ERROR, None when it does not.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, str | tuple[str, ...]]
    observation_type: ObservationType = "span"
    failed: str | None = None


class SpanSink(Protocol):
    def export(self, spans: Sequence[Span], *, deadline_s: float) -> None:
        """Send all of them. Raise `TransientError` when that did not work in time; sending again is harmless."""
        ...


def checked_environment(environment: str) -> str:
    """Give the tag back; raise `ValueError` for one that Langfuse would quietly replace by another."""
    if not ENVIRONMENT.fullmatch(environment):
        raise ValueError(
            f"Langfuse environment {environment[:60]!r}: 1 to 40 of a-z, 0-9, - and _, and not starting with langfuse"
        )
    return environment


def _value_trouble(data_type: ScoreType, value: float | str) -> str | None:
    match data_type:
        case "NUMERIC" if isinstance(value, str) or not isfinite(value):
            return "a numeric score is a finite number"
        case "BOOLEAN" if isinstance(value, str) or value not in (0, 1):
            return "a boolean score is 0 or 1"
        case "CATEGORICAL" if not isinstance(value, str) or not value:
            return "a categorical score is a text"
        case "TEXT" if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT:
            return f"a text score has 1 to {_LONGEST_TEXT} characters"
        case _:
            return None
