"""Spans -> observations: what Langfuse reads out of a span's attributes."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

from local.langfuse import otel_fields
from local.langfuse.model_prices import model_of
from local.langfuse.otel_io import input_output
from local.langfuse.otel_types import LIVEKIT_SCOPE, observation_type
from local.langfuse.otel_usage import cost_of, usage_of
from local.langfuse.otlp import Span
from local.langfuse.wire import to_json

LEVELS = ("DEBUG", "DEFAULT", "WARNING", "ERROR")
_LARGEST_TIME_US = 253402300799 * 10**6  # the end of year 9999: later times cannot be written as dates
_LIVEKIT_DETAILS = frozenset(
    [
        "user_speaking", "eou_detection", "llm_request_run", "tts_node", "tts_request", "tts_request_run",
        "tts_stream_adapter", "agent_speaking", "drain_agent_activity", "on_exit", "on_enter", "llm_fallback_adapter",
        "tts_fallback_adapter", "start_agent_activity",
    ]
)  # fmt: skip


@dataclass(slots=True)
class Observation:
    """Times in microseconds since the epoch. Texts that were not sent are empty, as the real server has them."""

    trace_id: str
    id: str
    parent_id: str | None
    start_us: int
    end_us: int
    is_root: bool
    type: str
    name: str
    level: str
    status_message: str
    environment: str
    user_id: str
    session_id: str
    version: str
    release: str
    trace_name: str | None
    tags: list[str]
    input: str | None
    output: str | None
    model: str | None
    model_parameters: Any
    completion_start_us: int | None
    prompt_name: str | None
    prompt_version: int | None
    metadata: dict[str, str]
    usage: dict[str, int] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)
    experiment: dict[str, str] = field(default_factory=dict)


def observe(span: Span) -> Observation:
    """The observation of one span."""
    get = span.attributes.get
    is_root = span.parent_id is None or any(
        get(key) in (True, "true") for key in ("langfuse.internal.is_app_root", "langfuse.internal.as_root")
    )
    name = otel_fields.name_of(span)
    start_us, end_us = _times(span)
    said, answered = input_output(span)
    model = otel_fields.model_name(span)
    prompt_name, prompt_version = otel_fields.prompt(span.attributes)
    usage = usage_of(span)
    return Observation(
        trace_id=span.trace_id,
        id=span.span_id,
        parent_id=span.parent_id,
        start_us=start_us,
        end_us=end_us,
        is_root=is_root,
        type=observation_type(span),
        name=name,
        level=_level(span),
        status_message=_text(get("langfuse.observation.status_message"), span.status_message),
        environment=otel_fields.environment(span),
        user_id=otel_fields.user_id(span.attributes),
        session_id=otel_fields.session_id(span.attributes),
        version=otel_fields.version(span),
        release=otel_fields.release(span),
        trace_name=_text(get("langfuse.trace.name"), name if is_root else None),
        tags=otel_fields.tags(span.attributes),
        input=said,
        output=answered,
        model=model,
        model_parameters=otel_fields.model_parameters(span),
        completion_start_us=otel_fields.completion_start_us(span.attributes, start_us),
        prompt_name=prompt_name,
        prompt_version=prompt_version,
        metadata=otel_fields.metadata(span),
        usage=usage,
        cost=cost_of(span, usage, model_of(model)),
        experiment=_experiment(span),
    )


def _times(span: Span) -> tuple[int, int]:
    """Start and end in microseconds; a time that was not sent is the other one, and neither means now."""
    start_ns, end_ns = span.start_ns or span.end_ns, span.end_ns or span.start_ns
    if not start_ns:
        start_ns = end_ns = time.time_ns()
    return min(start_ns // 1000, _LARGEST_TIME_US), min(end_ns // 1000, _LARGEST_TIME_US)


def _level(span: Span) -> str:
    said = str(span.attributes.get("langfuse.observation.level") or "").upper()
    if said in LEVELS:
        return said
    if span.failed:
        return "ERROR"
    is_detail = span.scope.name == LIVEKIT_SCOPE and span.name in _LIVEKIT_DETAILS
    return "DEBUG" if is_detail else "DEFAULT"


def _text(value: Any, otherwise: str | None) -> Any:
    value = otherwise if value is None else value
    return value if value is None or isinstance(value, str) else to_json(value)


def _experiment(span: Span) -> dict[str, str]:
    """`id`, `name`, `dataset.id`, `item.id`, `item.root_observation_id` and so on, as far as they were sent."""
    prefix = "langfuse.experiment."
    return {
        key.removeprefix(prefix): value if isinstance(value, str) else to_json(value)
        for key, value in span.attributes.items()
        if key.startswith(prefix)
    }


def document(observation: Observation) -> str:
    """What the columns of the table do not hold, as JSON."""
    return json.dumps(
        {
            "statusMessage": observation.status_message,
            "release": observation.release,
            "traceName": observation.trace_name,
            "tags": observation.tags,
            "input": observation.input,
            "output": observation.output,
            "model": observation.model,
            "modelParameters": observation.model_parameters,
            "completionStartUs": observation.completion_start_us,
            "promptName": observation.prompt_name,
            "promptVersion": observation.prompt_version,
            "metadata": observation.metadata,
            "usage": observation.usage,
            "cost": observation.cost,
            "experiment": observation.experiment,
        }
    )
