"""A span -> its input and output, by the first of the conventions, in the server's order, that says something."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from local.langfuse.otlp import Attributes, Span, SpanEvent
from local.langfuse.wire import parsed_if_json, to_json

type InputOutput = tuple[Any, Any]

_MESSAGE_EVENTS = {f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool")}
_CHOICE = "gen_ai.choice"
# Input's attribute, output's attribute: either one alone decides.
_LANGFUSE = ("langfuse.observation.input", "langfuse.observation.output")
_PAIRS_FIRST = (("prompt", "all_messages_events"),)  # Logfire
_PAIRS = (
    ("mlflow.spanInputs", "mlflow.spanOutputs"),
    ("traceloop.entity.input", "traceloop.entity.output"),
    ("input.value", "output.value"),  # OpenInference, SmolAgents
    ("input", "output"),  # Pydantic, Pipecat
)
_PAIRS_LAST = (("gen_ai.tool.call.arguments", "gen_ai.tool.call.result"),)
_PREFIXES = (("gen_ai.prompt", "gen_ai.completion"), ("llm.input_messages", "llm.output_messages"))
_VERCEL_INPUT = ("ai.prompt.messages", "ai.prompt", "ai.toolCall.args")
_VERCEL_OUTPUT = (
    "ai.result.text", "ai.toolCall.result", "ai.response.object", "ai.result.object", "ai.response.toolCalls",
    "ai.result.toolCalls",
)  # fmt: skip
# Left out of `metadata.attributes`, whichever convention has spoken.
_SIMPLE = frozenset(
    [
        *_LANGFUSE, "langfuse.trace.input", "langfuse.trace.output", *_VERCEL_INPUT, "ai.response.text",
        *_VERCEL_OUTPUT, "gcp.vertex.agent.llm_request", "gcp.vertex.agent.llm_response",
        "gcp.vertex.agent.tool_call_args", "gcp.vertex.agent.tool_response", "prompt", "all_messages_events", "events",
        "lk.input_text", "lk.user_transcript", "lk.chat_ctx", "lk.user_input", "lk.function_tool.output",
        "lk.response.text", *(key for pair in _PAIRS for key in pair), "final_result", "pydantic_ai.all_messages",
        "gen_ai.input.messages", "gen_ai.output.messages", *(key for pair in _PAIRS_LAST for key in pair),
    ]
)  # fmt: skip


def is_input_or_output(key: str) -> bool:
    return key in _SIMPLE or key.startswith(tuple(prefix for pair in _PREFIXES for prefix in pair))


def input_output(span: Span) -> tuple[str | None, str | None]:
    """As texts: a text as it was sent, anything else as JSON."""
    said, answered = _read(span.attributes, span.events, span.scope.name)
    return _text(said), _text(answered)


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else to_json(value)


def _read(attributes: Attributes, events: list[SpanEvent], scope: str) -> InputOutput:
    said, answered = (attributes.get(key) for key in _LANGFUSE)
    if said is not None or answered is not None:
        return said, answered
    if scope == "ai":
        return _vercel(attributes)
    found = _events(events) or _semantic_kernel(events, scope)
    if found is not None:
        return found
    for convention in _CONVENTIONS:
        said, answered = convention(attributes, scope)
        if said or answered:
            return said, answered
    return None, None


def _first(attributes: Attributes, keys: tuple[str, ...]) -> Any:
    return next((attributes[key] for key in keys if key in attributes), None)


def _vercel(attributes: Attributes) -> InputOutput:
    said = _first(attributes, _VERCEL_INPUT)
    text = attributes.get("ai.response.text")
    if "ai.response.text" in attributes and "ai.response.toolCalls" in attributes:
        message = {"role": "assistant", "content": text, "tool_calls": attributes["ai.response.toolCalls"]}
        return said, to_json(message)
    return said, text or _first(attributes, _VERCEL_OUTPUT)


def _events(events: list[SpanEvent]) -> InputOutput | None:
    """Messages as span events, which older libraries write (Strands among them)."""
    asked = [{"role": _MESSAGE_EVENTS[one.name]} | one.attributes for one in events if one.name in _MESSAGE_EVENTS]
    choices = [one.attributes for one in events if one.name == _CHOICE]
    if not asked and not choices:
        return None
    return asked or None, choices[0] if len(choices) == 1 else choices or None


def _semantic_kernel(events: list[SpanEvent], scope: str) -> InputOutput | None:
    ends = [
        next((one.attributes for one in events if one.name == f"gen_ai.content.{name}"), None)
        for name in ("prompt", "completion")
    ]
    if ends == [None, None]:
        return None
    said, answered = (end or {} for end in ends)
    return _read(said, [], scope)[0] or said, _read(answered, [], scope)[1] or answered


def _pairs(*pairs: tuple[str, str]) -> Callable[[Attributes, str], InputOutput]:
    def convention(attributes: Attributes, _scope: str) -> InputOutput:
        for asked, answered in pairs:
            if attributes.get(asked) or attributes.get(answered):
                return attributes.get(asked), attributes.get(answered)
        return None, None

    return convention


def _vertex(attributes: Attributes, _scope: str) -> InputOutput:
    def unless_empty(request: str, of_tool: str) -> Any:
        value = attributes.get(f"gcp.vertex.agent.{request}")
        return value if value and value != "{}" else attributes.get(f"gcp.vertex.agent.{of_tool}")

    return unless_empty("llm_request", "tool_call_args"), unless_empty("llm_response", "tool_response")


def _livekit(attributes: Attributes, _scope: str) -> InputOutput:
    said = _first(attributes, ("lk.input_text", "lk.user_transcript", "lk.chat_ctx"))
    return said, attributes.get("lk.function_tool.output") or attributes.get("lk.response.text")


def _logfire_events(attributes: Attributes, _scope: str) -> InputOutput:
    listed = parsed_if_json(attributes.get("events"))
    events = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    choice = next((one for one in events if one.get("event.name") == _CHOICE), None)
    return [one for one in events if one.get("event.name") != _CHOICE] or None, choice


def _pydantic(attributes: Attributes, scope: str) -> InputOutput:
    if scope == "pydantic-ai":
        said, answered = attributes.get("pydantic_ai.all_messages"), attributes.get("final_result")
        if said or answered:
            return _with_instructions(said, attributes), answered
    return attributes.get("tool_arguments"), attributes.get("tool_response")


def _prefixed(attributes: Attributes, _scope: str) -> InputOutput:
    """`gen_ai.prompt.0.content` and the like: keys that spell out a path."""
    for asked, answered in _PREFIXES:
        ends = [{key: value for key, value in attributes.items() if key.startswith(end)} for end in (asked, answered)]
        if any(ends):
            return _nested(ends[0], asked), _nested(ends[1], answered)
    return None, None


def _nested(flat: Attributes, prefix: str) -> Any:
    if flat.get(prefix):
        return flat[prefix]
    paths = {tuple(key.replace(f"{prefix}.", "", 1).split(".")): value for key, value in flat.items()}
    whole: dict[str, Any] = {}
    for path, value in paths.items():
        holder = whole
        for part in path[:-1]:
            inner = holder.setdefault(part, {})
            holder = inner if isinstance(inner, dict) else {}
        holder[path[-1]] = value
    return _as_lists(whole)


def _as_lists(value: Any) -> Any:
    """Objects whose keys are all numbers become lists."""
    if not isinstance(value, dict):
        return value
    inner = {key: _as_lists(entry) for key, entry in value.items()}
    if inner and all(key.isdecimal() and len(key) < 6 for key in inner):  # noqa: PLR2004 - no list longer than 99,999
        return [inner[key] for key in sorted(inner, key=int)]
    return inner


def _messages(attributes: Attributes, _scope: str) -> InputOutput:
    said = attributes.get("gen_ai.input.messages")
    return _with_instructions(said, attributes), attributes.get("gen_ai.output.messages")


def _with_instructions(said: Any, attributes: Attributes) -> Any:
    """`gen_ai.system_instructions` in front, unless the messages have a system message of their own."""
    messages = parsed_if_json(said)
    system = _system_messages(attributes.get("gen_ai.system_instructions"))
    if not system or not isinstance(messages, list):
        return said
    if any(isinstance(one, dict) and one.get("role") == "system" for one in messages):
        return said
    return json.dumps([*system, *messages], ensure_ascii=False, separators=(",", ":"))


def _system_messages(value: Any) -> list[dict[str, Any]]:
    read = parsed_if_json(value)
    if isinstance(read, list) and read and all(isinstance(one, dict) and "parts" in one for one in read):
        return [{"role": "system"} | one for one in read]
    texts = [_said(one) for one in (read if isinstance(read, list) else [read])]
    text = "\n".join(one for one in texts if one)
    return [{"role": "system", "content": text}] if text else []


def _said(part: Any) -> str:
    if isinstance(part, dict):
        inner = part.get("content", part.get("text"))
        if isinstance(inner, str):
            return inner
        parts = part.get("parts")
        return "\n".join(filter(None, map(_said, parts))) if isinstance(parts, list) else ""
    return part if isinstance(part, str) else ""


_CONVENTIONS: tuple[Callable[[Attributes, str], InputOutput], ...] = (
    _vertex,
    _pairs(*_PAIRS_FIRST),
    _livekit,
    _logfire_events,
    _pairs(*_PAIRS),
    _pydantic,
    _prefixed,
    _messages,
    _pairs(*_PAIRS_LAST),
)
