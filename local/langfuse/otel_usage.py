"""A span -> tokens and dollars, by the conventions that the server knows."""

from decimal import Decimal
from typing import Any

from local.langfuse.model_prices import KnownModel
from local.langfuse.otel_fields import runs_others
from local.langfuse.otlp import Attributes, Span
from local.langfuse.validation import is_finite
from local.langfuse.wire import parsed_if_json, plain_number

_PREFIXES = ("gen_ai.usage.", "llm.token_count.")
_NAMES = {
    "prompt_tokens": "input",
    "completion_tokens": "output",
    "total_tokens": "total",
    "input_tokens": "input",
    "output_tokens": "output",
    "prompt": "input",
    "completion": "output",
}
_OF_PYDANTIC = {
    "input": ("gen_ai.usage.details.input_tokens",),
    "output": ("gen_ai.usage.details.output_tokens",),
    "input_cache_read": (
        "gen_ai.usage.details.cache_read_input_tokens", "gen_ai.usage.details.cache_read_tokens",
    ),
    "input_cache_creation": (
        "gen_ai.usage.cache_write_tokens", "gen_ai.usage.details.cache_creation_input_tokens",
    ),
}  # fmt: skip
_OF_VERCEL = {
    "input": ("gen_ai.usage.prompt_tokens", "gen_ai.usage.input_tokens"),
    "output": ("gen_ai.usage.completion_tokens", "gen_ai.usage.output_tokens"),
    "total": ("ai.usage.tokens",),
    "input_cached_tokens": ("ai.usage.cachedInputTokens",),
    "output_reasoning_tokens": ("ai.usage.reasoningTokens",),
}
# Where providers put more, by way of `ai.response.providerMetadata`: path of keys -> kind of usage.
_OF_PROVIDERS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("openai", "cachedPromptTokens"), "input_cached_tokens"),
    (("openai", "acceptedPredictionTokens"), "accepted_prediction_tokens"),
    (("openai", "rejectedPredictionTokens"), "rejected_prediction_tokens"),
    (("openai", "reasoningTokens"), "output_reasoning_tokens"),
    (("anthropic", "usage", "cache_creation_input_tokens"), "input_cache_creation"),
    (("anthropic", "usage", "cache_read_input_tokens"), "input_cached_tokens"),
    (("bedrock", "usage", "cacheReadInputTokens"), "input_cache_read"),
    (("bedrock", "usage", "cacheWriteInputTokens"), "input_cache_write"),
    (("bedrock", "usage", "cacheCreationInputTokens"), "input_cache_creation"),
)
_COUNTED_IN_INPUT = ("input_cached_tokens", "input_cache_creation", "input_cache_read")


def usage_of(span: Span) -> dict[str, int]:
    """Tokens by kind, with their total; empty when none were sent."""
    if runs_others(span):
        return {}
    attributes = span.attributes
    found = _numbers(parsed_if_json(attributes.get("langfuse.observation.usage_details"))) or _by_scope(span)
    tokens = {key: int(value) for key, value in found.items()}
    if tokens and "total" not in tokens:
        tokens["total"] = sum(tokens.values())
    return tokens


def cost_of(span: Span, tokens: dict[str, int], model: KnownModel | None) -> dict[str, float]:
    """Dollars by kind: what the sender says, else the tokens at the model's prices."""
    if runs_others(span):
        return {}
    attributes = span.attributes
    sent = _numbers(parsed_if_json(attributes.get("langfuse.observation.cost_details")))
    sent = sent or _numbers({"total": attributes.get("gen_ai.usage.cost")})
    cost = {key: Decimal(str(value)) for key, value in sent.items()}
    if not cost and model is not None:
        cost = {key: model.prices[key] * count for key, count in tokens.items() if key in model.prices}
    if cost and "total" not in cost:
        cost["total"] = sum(cost.values(), Decimal(0))
    return {key: plain_number(float(value)) for key, value in cost.items()}


def _by_scope(span: Span) -> dict[str, float]:
    match span.scope.name:
        case "ai":
            return _vercel(span.attributes)
        case "pydantic-ai":
            return _picked(span.attributes, _OF_PYDANTIC)
    found: dict[str, float] = {}
    for key, value in span.attributes.items():
        prefix = next((one for one in _PREFIXES if key.startswith(one)), None)
        number = _number(value)
        if prefix is not None and key != "gen_ai.usage.cost" and number is not None:
            kind = key.removeprefix(prefix)
            found[_NAMES.get(kind, kind)] = number
    return found


def _picked(attributes: Attributes, kinds: dict[str, tuple[str, ...]]) -> dict[str, float]:
    """For each kind its first key that holds a number."""
    found = {}
    for kind, keys in kinds.items():
        number = next((number for key in keys if (number := _number(attributes.get(key))) is not None), None)
        if number is not None:
            found[kind] = number
    return found


def _vercel(attributes: Attributes) -> dict[str, float]:
    """Cached and reasoning tokens are counted in the sums that the SDK sends: they are taken out of those."""
    usage = _picked(attributes, _OF_VERCEL)
    metadata = parsed_if_json(attributes.get("ai.response.providerMetadata"))
    for path, kind in _OF_PROVIDERS:
        value: Any = metadata
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        number = _number(value)
        if number is not None:
            usage.setdefault(kind, number)
    usage["input"] = max(0, usage.get("input", 0) - sum(usage.get(kind, 0) for kind in _COUNTED_IN_INPUT))
    usage["output"] = max(0, usage.get("output", 0) - usage.get("output_reasoning_tokens", 0))
    return usage


def _number(value: Any) -> float | None:
    """A finite number that is not below zero, also when it was sent as text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if is_finite(number) and number >= 0 else None


def _numbers(value: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        return {}
    read = {str(key): _number(entry) for key, entry in value.items() if not isinstance(entry, str)}
    return {key: number for key, number in read.items() if number is not None}
