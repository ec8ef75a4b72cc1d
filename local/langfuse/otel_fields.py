"""A span -> what its observation is called, belongs to, ran with and carries as metadata, by the server's rules."""

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from local.langfuse.clock import parse_time
from local.langfuse.otel_io import is_input_or_output
from local.langfuse.otlp import Attributes, Span
from local.langfuse.wire import parsed_if_json, to_json

_LANGFUSE_SDK = "langfuse-sdk"
_OBSERVATION, _TRACE = "langfuse.observation.metadata", "langfuse.trace.metadata"
_VERCEL = "ai.telemetry.metadata"
_MODELS = (
    "langfuse.observation.model.name", "gen_ai.response.model", "ai.model.id", "gen_ai.request.model",
    "llm.response.model", "llm.model_name", "model",
)  # fmt: skip
_USERS = (
    "langfuse.user.id", "user.id", f"{_OBSERVATION}.langfuse_user_id", f"{_TRACE}.langfuse_user_id",
    f"{_VERCEL}.userId",
)  # fmt: skip
_SESSIONS = (
    "langfuse.session.id", "session.id", "gen_ai.conversation.id", f"{_OBSERVATION}.langfuse_session_id",
    f"{_TRACE}.langfuse_session_id", f"{_VERCEL}.sessionId",
)  # fmt: skip
_TAGS = (
    "langfuse.trace.tags", "langfuse.tags", f"{_OBSERVATION}.langfuse_tags", f"{_TRACE}.langfuse_tags",
    f"{_VERCEL}.tags", "tag.tags",
)  # fmt: skip
_ENVIRONMENTS = ("langfuse.environment", "deployment.environment.name", "deployment.environment")
_OF_VERCEL_ITSELF = tuple(f"{_VERCEL}.{name}" for name in ("userId", "sessionId", "tags", "langfusePrompt"))
_VERCEL_PARAMETERS: dict[str, tuple[str, ...]] = {
    "maxSteps": ("ai.settings.maxSteps",),
    "toolChoice": ("ai.prompt.toolChoice",),
    "maxTokens": ("gen_ai.request.max_tokens",),
    "finishReason": ("gen_ai.response.finish_reasons", "gen_ai.finishReason"),
    "system": ("gen_ai.system", "ai.model.provider"),
    "maxRetries": ("ai.settings.maxRetries",),
    "mode": ("ai.settings.mode",),
    "temperature": ("gen_ai.request.temperature",),
}


def first(attributes: Attributes, keys: Iterable[str]) -> str | None:
    """The first of them that says something, as text."""
    value = next((attributes[key] for key in keys if attributes.get(key)), None)
    return value if value is None or isinstance(value, str) else to_json(value)


def name_of(span: Span) -> str:
    """Not always the span's own name: tools go by theirs, Logfire's spans by their message, Vercel's by operation."""
    attributes = span.attributes
    named = first(attributes, ("gen_ai.tool.name", "logfire.msg"))
    if named is not None:
        return named
    if "ai.toolCall.name" in attributes:
        return str(attributes["ai.toolCall.name"])
    if "ai.operationId" in attributes:
        function = attributes.get("ai.telemetry.functionId")
        return (f"{function}:" if function else "") + str(attributes["ai.operationId"])
    return span.name


def model_name(span: Span) -> str | None:
    return None if runs_others(span) else first(span.attributes, _MODELS)


def runs_others(span: Span) -> bool:
    """An agent's span of Vercel's SDK: its sums are those of the calls below it, which are counted themselves."""
    operation = span.attributes.get("gen_ai.operation.name")
    return span.scope.name in ("ai", "gen_ai") and operation in ("invoke_agent", "agent_step")


def user_id(attributes: Attributes) -> str:
    return first(attributes, _USERS) or ""


def session_id(attributes: Attributes) -> str:
    return first(attributes, _SESSIONS) or ""


def environment(span: Span) -> str:
    for key in _ENVIRONMENTS:
        found = first(span.attributes, (key,)) or first(span.scope.resource, (key,))
        if found:
            return found
    return "default"


def version(span: Span) -> str:
    return _given(span.attributes.get("langfuse.version"), span.scope.resource.get("service.version"))


def release(span: Span) -> str:
    return _given(span.attributes.get("langfuse.release"), span.scope.resource.get("langfuse.release"))


def _given(*values: Any) -> str:
    value = next((value for value in values if value is not None), "")
    return value if isinstance(value, str) else to_json(value)


def tags(attributes: Attributes) -> list[str]:
    value = next((attributes[key] for key in _TAGS if attributes.get(key)), None)
    if isinstance(value, str) and value.strip().startswith("["):
        read = parsed_if_json(value)
        value = read if isinstance(read, list) else value
    if isinstance(value, list):
        return [tag if isinstance(tag, str) else to_json(tag) for tag in value]
    if not isinstance(value, str):
        return []
    return [tag.strip() for tag in value.split(",")] if "," in value else [value]


def prompt(attributes: Attributes) -> tuple[str | None, int | None]:
    """Name and version of the prompt in Langfuse that was used."""
    vercel = parsed_if_json(attributes.get(f"{_VERCEL}.langfusePrompt"))
    vercel = vercel if isinstance(vercel, dict) else {}

    def of(part: str) -> Any:
        keys = (f"langfuse.observation.prompt.{part}", f"langfuse.prompt.{part}")
        return next((attributes[key] for key in keys if attributes.get(key) is not None), vercel.get(part))

    name = of("name")
    return (None if name is None else str(name)), _whole(of("version"))


def _whole(value: Any) -> int | None:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) < 2**31 else None


def completion_start_us(attributes: Attributes, start_us: int) -> int | None:
    value = parsed_if_json(attributes.get("langfuse.observation.completion_start_time"))
    try:
        return parse_time(value if isinstance(value, str) else "", loose=True)
    except ValueError:
        pass
    waited = attributes.get("ai.response.msToFirstChunk") or attributes.get("ai.stream.msToFirstChunk")
    try:
        return None if not waited else start_us + math.ceil(float(waited)) * 1000
    except (TypeError, ValueError, OverflowError):
        return None


def model_parameters(span: Span) -> Any:
    """An object of texts and numbers; anything deeper is JSON in a text."""
    attributes = span.attributes
    for source in ("langfuse.observation.model.parameters",) if span.scope.name == "ai" else _PARAMETER_SOURCES:
        read = _json_or_none(attributes.get(source))
        if read is not None:
            return _flat_parameters(read)
    if span.scope.name == "ai":
        found = ((name, first(attributes, keys)) for name, keys in _VERCEL_PARAMETERS.items())
        return dict(found)
    prefix = "gen_ai.request."
    asked = {key.removeprefix(prefix): value for key, value in attributes.items() if key.startswith(prefix)}
    asked.pop("model", None)
    return _flat_parameters(asked)


_PARAMETER_SOURCES = ("langfuse.observation.model.parameters", "llm.invocation_parameters", "model_config")


def _json_or_none(value: Any) -> Any:
    try:
        return json.loads(value) if value else None
    except (TypeError, ValueError, RecursionError):
        return None


def _flat_parameters(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: one if _is_text_or_number(one) else to_json(one) for key, one in value.items()}


def _is_text_or_number(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def metadata(span: Span) -> dict[str, str]:
    """One level, values as text: what was sent as metadata, then attributes, scope and resource with their paths.

    Spans of Langfuse's own SDK keep no attributes: what they mean is in fields already.
    """
    sent = _sent(span.attributes, _OBSERVATION) | _sent(span.attributes, _TRACE)
    found: dict[str, Any] = dict(_leaves(sent))
    if not span.scope.name.startswith(_LANGFUSE_SDK):
        own = (_OBSERVATION, _TRACE)
        found |= {
            f"attributes.{key}": value
            for key, value in span.attributes.items()
            if not is_input_or_output(key) and not key.startswith(own)
        }
    found |= {f"scope.attributes.{key}": value for key, value in span.scope.attributes.items()}
    found |= {"scope.version": span.scope.version, "scope.name": span.scope.name}
    found |= {f"resourceAttributes.{key}": value for key, value in span.scope.resource.items()}
    return {key: value if isinstance(value, str) else to_json(value) for key, value in found.items()}


def _sent(attributes: Attributes, prefix: str) -> dict[str, Any]:
    whole = attributes.get(prefix) or attributes.get("langfuse.metadata")
    read = _json_or_none(whole) if isinstance(whole, str) else whole
    found: dict[str, Any] = dict(read) if isinstance(read, dict) else {}
    for key, value in attributes.items():
        holder = next((one for one in (prefix, "langfuse.metadata", _VERCEL) if key.startswith(f"{one}.")), None)
        if holder is not None and key not in _OF_VERCEL_ITSELF:
            found[key.removeprefix(f"{holder}.")] = value
    if attributes.get("ai.prompt.tools"):
        found["tools"] = attributes["ai.prompt.tools"]
    return found


def _leaves(value: dict[str, Any], path: Sequence[str] = ()) -> Iterable[tuple[str, Any]]:
    for key, entry in value.items():
        if isinstance(entry, dict) and len(path) < _DEEPEST:
            yield from _leaves(entry, (*path, key))
        else:
            yield ".".join((*path, key)), entry


_DEEPEST = 20
