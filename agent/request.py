"""Payload of an invocation -> a checked request, or the error that tells the caller what is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import InvalidPayloadError, InvalidRequestError, OverrideRefusedError, QuestionTooLongError
from agent.settings import Hyperparameters, Settings

MAX_QUESTION_CHARS = 8_000
"""Longer questions are refused: they cost more than any answer from the documentation is worth."""

_SHOWN_PROBLEMS = 10


class Payload(BaseModel):
    """The JSON body of `InvokeAgentRuntime`. Unknown fields are refused: a misspelt one would be measured as unset."""

    model_config = ConfigDict(extra="forbid", strict=True)

    question: str
    user_id: Annotated[str, Field(max_length=200)] | None = None
    tags: Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=50)] = []
    overrides: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class AgentRequest:
    """One question with the hyperparameters that hold for it."""

    question: str
    hyperparameters: Hyperparameters
    user_id: str | None = None
    tags: tuple[str, ...] = ()


def _explained(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False)
    lines = [
        f"{'.'.join(str(part)[:80] for part in problem['loc']) or 'payload'}: {problem['msg']}"
        for problem in problems[:_SHOWN_PROBLEMS]
    ]
    if len(problems) > _SHOWN_PROBLEMS:
        lines.append(f"and {len(problems) - _SHOWN_PROBLEMS} more")
    return "; ".join(lines)


def parse_request(payload: object, settings: Settings) -> AgentRequest:
    """Check the payload against the contract and against what this runtime allows.

    Raises:
        InvalidPayloadError: not a JSON object.
        QuestionTooLongError: over `MAX_QUESTION_CHARS`.
        InvalidRequestError: an empty question, a field that is missing, unknown or of a wrong type.
        OverrideRefusedError: overrides where none are allowed, or an override that is unknown or out of range.
    """
    if not isinstance(payload, Mapping):
        raise InvalidPayloadError('The payload must be a JSON object such as {"question": "What is a trace?"}.')
    try:
        checked = Payload.model_validate(payload)
    except ValidationError as error:
        raise InvalidRequestError(f"The payload does not fit: {_explained(error)}.") from None
    question = checked.question.strip()
    if len(question) > MAX_QUESTION_CHARS:
        raise QuestionTooLongError(
            f"The question has {len(question)} characters; {MAX_QUESTION_CHARS} are allowed. Shorten it."
        )
    if not question:
        raise InvalidRequestError("The question is empty. Send at least one character that is not white space.")
    return AgentRequest(
        question=question,
        hyperparameters=_hyperparameters(checked.overrides, settings),
        user_id=checked.user_id,
        tags=tuple(checked.tags),
    )


def _hyperparameters(overrides: dict[str, Any] | None, settings: Settings) -> Hyperparameters:
    if not overrides:
        return settings.hyperparameters
    if not settings.runtime.allow_overrides:
        raise OverrideRefusedError("This runtime does not take overrides (ALLOW_OVERRIDES is false). Send none.")
    try:
        return settings.hyperparameters.replaced(overrides)
    except ValidationError as error:
        known = ", ".join(Hyperparameters.model_fields)
        raise OverrideRefusedError(f"Overrides do not fit: {_explained(error)}. Known are: {known}.") from None
