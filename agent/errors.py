"""What can go wrong in a request -> the status and the code that the caller gets."""

from typing import ClassVar


class AgentError(Exception):
    """Base of every failure that has a defined answer; `str(error)` is written for the caller and holds no secret."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"


class InvalidPayloadError(AgentError):
    """The body is not a JSON object."""

    status = 400
    code = "invalid_payload"


class QuestionTooLongError(AgentError):
    """The question, or the whole body, is over its limit."""

    status = 413
    code = "question_too_long"


class InvalidRequestError(AgentError):
    """The question is missing, empty or not text, or another field does not fit."""

    status = 422
    code = "invalid_request"


class OverrideRefusedError(AgentError):
    """An override is unknown, out of range, or this runtime does not allow overrides."""

    status = 422
    code = "override_refused"


class UnknownToolError(AgentError):
    """`tools` names one that the tool server does not have: asking again changes nothing, unlike an outage."""

    status = 422
    code = "unknown_tool"


class ModelFailedError(AgentError):
    """The model throttled, failed, or answered what cannot be used."""

    status = 502
    code = "model_failed"


class ToolsUnavailableError(AgentError):
    """The tool server cannot be reached, or offers nothing."""

    status = 503
    code = "tools_unavailable"


class PromptUnavailableError(AgentError):
    """The named prompt cannot be read from Langfuse, or cannot serve as a system prompt."""

    status = 503
    code = "prompt_unavailable"
