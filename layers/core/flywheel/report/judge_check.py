"""Estimates of a verdict -> what is known of the judge as an instrument, or None where nothing was measured."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from flywheel.report.text import one_line

_NAME = 120
_READ = ConfigDict(extra="ignore", allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class Figure:
    """A share or a kappa with the ends of its 95 % interval."""

    __pydantic_config__: ClassVar[ConfigDict] = _READ

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class HumanDifference:
    """Candidate - incumbent as people would score it: a prediction-powered estimate with its 95 % interval.

    It rests on `reviewed` of `scored`, which are pairs of answers or answers, as `by` says.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _READ

    mean: float
    low: float
    high: float
    by: Literal["pairs", "answers"]
    reviewed: int
    scored: int


@dataclass(frozen=True, slots=True)
class JudgeCheck:
    """How far the judge agrees with itself and with people.

    `agreed` of `repeats` judgements that were asked twice gave the same letter. `reviews` counts answers that people
    have scored too, `random` those of them that were drawn at random. `checked`: there are enough of them, and kappa
    says something. A figure that is None was not measured, or says nothing.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _READ

    version: str
    model: str
    repeats: int
    agreed: int
    self_agreement: Figure | None
    reviews: int
    random: int
    agreement: Figure | None
    kappa: Figure | None
    checked: bool
    judged_difference: float | None = None
    human_difference: HumanDifference | None = None


_JUDGE: TypeAdapter[JudgeCheck] = TypeAdapter(JudgeCheck)


def read_judge(estimates: Mapping[str, Any] | None) -> JudgeCheck | None:
    """The part `judge` of a verdict's estimates; None when it is not there or cannot be read."""
    try:
        found = _JUDGE.validate_python((estimates or {}).get("judge"))
    except ValidationError:
        return None
    return replace(found, version=one_line(found.version, _NAME), model=one_line(found.model, _NAME))
