"""Spans -> observations: what Langfuse reads out of a span's attributes."""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from local.langfuse.clock import parse_time
from local.langfuse.otlp import Span, SpanEvent
from local.langfuse.validation import is_finite
from local.langfuse.wire import parsed_if_json, plain_number, to_json

TYPES = (
    "SPAN", "GENERATION", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING", "GUARDRAIL",
)  # fmt: skip
LEVELS = ("DEBUG", "DEFAULT", "WARNING", "ERROR")
_OPERATIONS = {
    "chat": "GENERATION",
    "completion": "GENERATION",
    "text_completion": "GENERATION",
    "generate_content": "GENERATION",
    "embeddings": "EMBEDDING",
    "execute_tool": "TOOL",
    "invoke_agent": "AGENT",
    "create_agent": "AGENT",
}
_STANDARD_TIER = "Standard"
# Dollars a token, with the id of the price that the real server names. Unknown models cost what the sender says.
_PRICES = {"gpt-4o-mini": ("clyrjp56f0000t0mzapoocd7u_tier_default", Decimal("1.5e-7"), Decimal("6e-7"))}
_METADATA = ("langfuse.observation.metadata.", "langfuse.trace.metadata.")
_LARGEST_TIME_US = 253402300799 * 10**6  # the end of year 9999: later times cannot be written as dates


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
    trace_name: str
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
    price_id: str | None = None
    experiment: dict[str, str] = field(default_factory=dict)

    @property
    def price_name(self) -> str | None:
        return _STANDARD_TIER if self.price_id else None


def observe(span: Span) -> Observation:
    """The observation of one span."""
    get = span.attributes.get

    def text(*keys: str) -> str | None:
        for key in keys:
            value = get(key)
            if value is not None:
                return value if isinstance(value, str) else to_json(value)
        return None

    model = text("langfuse.observation.model.name", "gen_ai.response.model", "gen_ai.request.model", "llm.model_name")
    is_root = span.parent_id is None or any(
        get(key) in (True, "true") for key in ("langfuse.internal.is_app_root", "langfuse.internal.as_root")
    )
    level = str(get("langfuse.observation.level") or ("ERROR" if span.failed else "DEFAULT")).upper()
    start_us = min(span.start_ns // 1000, _LARGEST_TIME_US)
    observation = Observation(
        trace_id=span.trace_id,
        id=span.span_id,
        parent_id=span.parent_id,
        start_us=start_us,
        end_us=min(span.end_ns // 1000, _LARGEST_TIME_US) or start_us,
        is_root=is_root,
        type=_type(span, model),
        name=span.name,
        level=level if level in LEVELS else "DEFAULT",
        status_message=text("langfuse.observation.status_message") or span.status_message,
        environment=text("langfuse.environment", "deployment.environment")
        or str(span.scope.resource.get("deployment.environment") or "default"),
        user_id=text("user.id", "langfuse.user.id") or "",
        session_id=text("session.id", "langfuse.session.id") or "",
        version=text("langfuse.version", "langfuse.observation.version") or "",
        release=text("langfuse.release") or "",
        trace_name=text("langfuse.trace.name") or (span.name if is_root else ""),
        tags=_tags(get("langfuse.trace.tags")),
        input=text("langfuse.observation.input", "langfuse.trace.input", "gen_ai.prompt", "gen_ai.input.messages",
                   "input.value") or _spoken(span.events, ".message"),
        output=text("langfuse.observation.output", "langfuse.trace.output", "gen_ai.completion",
                    "gen_ai.output.messages", "output.value") or _spoken(span.events, ".choice"),
        model=model,
        model_parameters=parsed_if_json(get("langfuse.observation.model.parameters")),
        completion_start_us=_time(get("langfuse.observation.completion_start_time")),
        prompt_name=text("langfuse.observation.prompt.name"),
        prompt_version=_whole(get("langfuse.observation.prompt.version")),
        metadata=_metadata(span),
        experiment=_experiment(span),
    )  # fmt: skip
    _add_usage(observation, span)
    return observation


def _type(span: Span, model: str | None) -> str:
    named = str(span.attributes.get("langfuse.observation.type") or "").upper()
    if named in TYPES:
        return named
    operation = _OPERATIONS.get(str(span.attributes.get("gen_ai.operation.name")))
    return operation or ("GENERATION" if model else "SPAN")


def _tags(value: Any) -> list[str]:
    value = parsed_if_json(value)
    if isinstance(value, list):
        return [str(tag) for tag in value]
    return [str(value)] if value is not None else []


def _whole(value: Any) -> int | None:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) < 2**31 else None


def _time(value: Any) -> int | None:
    text = parsed_if_json(value)
    try:
        return parse_time(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _spoken(events: list[SpanEvent], ending: str) -> str | None:
    """Messages that a library without Langfuse's attributes put into gen_ai span events."""
    said = [
        {"role": event.name.removeprefix("gen_ai.").removesuffix(ending), **event.attributes}
        for event in events
        if event.name.startswith("gen_ai.") and event.name.endswith(ending)
    ]
    return to_json(said) if said else None


def _metadata(span: Span) -> dict[str, str]:
    """Newest key last; values as text, whatever they were."""
    found: dict[str, Any] = {}
    for prefix in reversed(_METADATA):
        found |= {key.removeprefix(prefix): value for key, value in span.attributes.items() if key.startswith(prefix)}
    if span.scope.name != "langfuse-sdk":
        others = {key: value for key, value in span.attributes.items() if not key.startswith("langfuse.")}
        found |= {f"attributes.{key}": value for key, value in others.items()}
    found |= {f"scope.attributes.{key}": value for key, value in span.scope.attributes.items()}
    found |= {"scope.version": span.scope.version, "scope.name": span.scope.name}
    found |= {f"resourceAttributes.{key}": value for key, value in span.scope.resource.items()}
    return {key: value if isinstance(value, str) else to_json(value) for key, value in found.items()}


def _experiment(span: Span) -> dict[str, str]:
    """`id`, `name`, `dataset.id`, `item.id`, `item.root_observation_id` and so on, as far as they were sent."""
    prefix = "langfuse.experiment."
    return {
        key.removeprefix(prefix): value if isinstance(value, str) else to_json(value)
        for key, value in span.attributes.items()
        if key.startswith(prefix)
    }


def _numbers(value: Any) -> dict[str, float]:
    """The entries of an object that are finite numbers, nothing below zero."""
    value = parsed_if_json(value)
    if not isinstance(value, dict):
        return {}
    return {
        str(key): number
        for key, number in value.items()
        if isinstance(number, int | float) and not isinstance(number, bool) and is_finite(number) and number >= 0
    }


def _add_usage(observation: Observation, span: Span) -> None:
    get = span.attributes.get
    usage = _numbers(get("langfuse.observation.usage_details")) or _numbers(
        {
            "input": get("gen_ai.usage.input_tokens", get("gen_ai.usage.prompt_tokens")),
            "output": get("gen_ai.usage.output_tokens", get("gen_ai.usage.completion_tokens")),
        }
    )
    tokens = {key: int(value) for key, value in usage.items()}
    if tokens and "total" not in tokens:
        tokens["total"] = sum(tokens.values())
    cost = {key: float(value) for key, value in _numbers(get("langfuse.observation.cost_details")).items()}
    price = _PRICES.get(observation.model or "")
    if not cost and tokens and price is not None:
        observation.price_id, per_input, per_output = price
        priced = {"input": per_input * tokens.get("input", 0), "output": per_output * tokens.get("output", 0)}
        cost = {key: float(value) for key, value in priced.items()} | {"total": float(sum(priced.values()))}
    elif cost and "total" not in cost:
        cost["total"] = float(sum(Decimal(str(value)) for value in cost.values()))
    observation.usage = tokens
    observation.cost = {key: plain_number(value) for key, value in cost.items()}


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
            "priceId": observation.price_id,
            "priceName": observation.price_name,
            "experiment": observation.experiment,
        }
    )
