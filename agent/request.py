"""Payload of an invocation -> a checked request, or the error that tells the caller what is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import InvalidPayloadError, InvalidRequestError, OverrideRefusedError, QuestionTooLongError
from agent.settings import Hyperparameters, Settings

MAX_QUESTION_CHARS = 8_000
"""Longer questions are refused: they cost more than any answer from the documentation is worth."""

MAX_TURNS = 50
"""Turns of a conversation before the question; older ones are for the caller to leave out."""

MAX_HISTORY_CHARS = 60_000

_SHOWN_PROBLEMS = 10


class EarlierTurn(BaseModel):
    """What one side said before the question."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    role: Literal["user", "assistant"]
    content: Annotated[str, Field(min_length=1)]


class Payload(BaseModel):
    """The JSON body of `InvokeAgentRuntime`. Unknown fields are refused: a misspelt one would be measured as unset."""

    model_config = ConfigDict(extra="forbid", strict=True)

    question: str
    chat_history: Annotated[list[EarlierTurn], Field(max_length=MAX_TURNS)] = []
    user_id: Annotated[str, Field(max_length=200)] | None = None
    tags: Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=50)] = []
    overrides: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class AgentRequest:
    """One question with the hyperparameters that hold for it. `history`: the conversation before it, oldest first."""

    question: str
    hyperparameters: Hyperparameters
    user_id: str | None = None
    tags: tuple[str, ...] = ()
    history: tuple[EarlierTurn, ...] = ()

    def asked(self) -> dict[str, Any]:
        """What the person said, in the form of the payload, for the trace."""
        said: dict[str, Any] = {"question": self.question}
        if self.history:
            said["chat_history"] = [turn.model_dump() for turn in self.history]
        return said


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
        QuestionTooLongError: over `MAX_QUESTION_CHARS`, or a history of over `MAX_HISTORY_CHARS`.
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
    history_chars = sum(len(turn.content) for turn in checked.chat_history)
    if history_chars > MAX_HISTORY_CHARS:
        raise QuestionTooLongError(
            f"The chat_history has {history_chars} characters; {MAX_HISTORY_CHARS} are allowed. Leave out old turns."
        )
    if not question:
        raise InvalidRequestError("The question is empty. Send at least one character that is not white space.")
    return AgentRequest(
        question=question,
        hyperparameters=_hyperparameters(checked.overrides, settings),
        user_id=checked.user_id,
        tags=tuple(checked.tags),
        history=tuple(checked.chat_history),
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
