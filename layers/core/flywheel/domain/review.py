"""What a person said of one answer, beside what the judge had said of it <-> a file of reviews."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from flywheel.domain.outcome import Arm, TrialKey
from flywheel.domain.strict import STRICT, first_problems
from flywheel.errors import InvalidRequestError

type Chosen = Literal["random", "decided"]


@dataclass(frozen=True, slots=True)
class Review:
    """One answer, judged by the judge of `judge_version` and by a person; both scores are in [0, 1].

    `judge_score` is the trial's primary score in the evidence. `chosen` says why a person was shown just this answer:
    `random` answers stand for all answers of their gate; those that `decided` a verdict are no sample of anything, and
    no estimate over all answers may use them. `reviewer` is whom Langfuse names, not a name or an address.
    `reviewed_at` is an ISO time with its zone.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    gate_id: str
    item_id: str
    trial: int
    arm: Arm
    trace_id: str
    judge_version: str
    judge_score: float
    human_score: float
    chosen: Chosen
    reviewer: str
    reviewed_at: str

    def __post_init__(self) -> None:
        for name, score in (("judge_score", self.judge_score), ("human_score", self.human_score)):
            if not 0.0 <= score <= 1.0:
                raise ValueError(f"{name} = {score} is outside [0, 1]")
        if not self.gate_id or not self.item_id or not self.judge_version:
            raise ValueError("a review names its gate, its item and the version of the judge")
        if self.trial < 1:
            raise ValueError(f"trial is {self.trial}; trials count from 1")
        if datetime.fromisoformat(self.reviewed_at).tzinfo is None:
            raise ValueError("reviewed_at is a time without its zone")

    @property
    def key(self) -> TrialKey:
        return TrialKey(self.item_id, self.trial, self.arm)


_REVIEWS: TypeAdapter[list[Review]] = TypeAdapter(list[Review])


def dump_reviews(reviews: Sequence[Review]) -> str:
    """The JSON text of a file of reviews; `load_reviews` reverses it."""
    return _REVIEWS.dump_json(list(reviews)).decode()


def load_reviews(text: str | bytes) -> list[Review]:
    """Read a file of reviews.

    Raises:
        InvalidRequestError: it is not a list of reviews: wrong JSON, unknown fields, scores outside [0, 1].
    """
    try:
        return _REVIEWS.validate_json(text)
    except ValidationError as error:
        raise InvalidRequestError(f"not a file of reviews: {first_problems(error)}") from error
