"""Scores that Langfuse's own evaluators give after the experiment: who still misses them, and what they say when all
are there.

A mean of what has arrived so far would be a mean of what was judged fast. So a configuration has a mean only when every
one of its answers has the score; until then it is said how many have.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import fsum
from typing import ClassVar, Self

from pydantic import ConfigDict, TypeAdapter, ValidationError

from flywheel.domain.strict import STRICT, first_problems
from flywheel.errors import InvalidRequestError

type Values = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class LateState:
    """Content of `late-scores.json`.

    Attributes:
        attempt: of the experiment, from 1; a resumed one waits again.
        names: of the scores.
        asked_since: when they were asked for first; `deadline`: when they are waited for no longer. ISO 8601, UTC.
        awaited: configuration -> trace ids of its answered trials, of those that went on to the end.
        others: the same of those that were stopped: nobody waits for them.
        values: name -> trace id -> value, as far as they have arrived.
        settled: nothing more is joined, whatever comes later.
        trouble: why the last look saw nothing, or not all; empty: it did.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    attempt: int
    names: tuple[str, ...]
    asked_since: str
    deadline: str
    awaited: dict[str, tuple[str, ...]]
    others: dict[str, tuple[str, ...]] = field(default_factory=dict)
    values: dict[str, dict[str, float]] = field(default_factory=dict)
    settled: bool = False
    trouble: str = ""

    def missing(self, traces: Mapping[str, tuple[str, ...]]) -> dict[str, None]:
        """Of these traces, those that lack one of the scores, in order."""
        had = [self.values.get(name, {}) for name in self.names]
        return {t: None for own in traces.values() for t in own if any(t not in values for values in had)}

    def over(self, now: datetime) -> bool:
        return now >= datetime.fromisoformat(self.deadline)

    def with_values(self, found: Values) -> Self:
        """Take over what arrived for known traces and names; the first value that was seen stays."""
        known = {t for own in (*self.awaited.values(), *self.others.values()) for t in own}
        values = {name: dict(self.values.get(name, {})) for name in self.names}
        for name, by_trace in found.items():
            for trace, value in by_trace.items():
                if name in values and trace in known:
                    values[name].setdefault(trace, value)
        return replace(self, values=values)


@dataclass(frozen=True, slots=True)
class LateFigure:
    """One score of one configuration. `mean` only when all of `expected` have arrived; None: not averaged."""

    configuration_id: str
    name: str
    arrived: int
    expected: int
    mean: float | None


def joined(state: LateState) -> tuple[LateFigure, ...]:
    """Every score of every configuration that has an answer."""
    figures = []
    for configuration, traces in (*state.awaited.items(), *state.others.items()):
        for name in state.names:
            had = state.values.get(name, {})
            values = [had[t] for t in traces if t in had]
            whole = len(values) == len(traces) > 0
            mean = fsum(values) / len(values) if whole else None
            figures.append(LateFigure(configuration, name, len(values), len(traces), mean))
    return tuple(figures)


_STATE: TypeAdapter[LateState] = TypeAdapter(LateState)


def dump_late(state: LateState) -> str:
    """The JSON text of `late-scores.json`; `load_late` reverses it."""
    return _STATE.dump_json(state).decode()


def load_late(text: str | bytes) -> LateState:
    """Read `late-scores.json`.

    Raises:
        InvalidRequestError: it is not that, or has fields that this version does not know.
    """
    try:
        return _STATE.validate_json(text)
    except ValidationError as error:
        raise InvalidRequestError(f"not late scores: {first_problems(error)}") from error
