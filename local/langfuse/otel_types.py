"""A span -> the type of its observation: Langfuse's own attribute, then the conventions of other libraries."""

from typing import Any

from local.langfuse.otlp import Span

TYPES = (
    "GENERATION", "SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING", "GUARDRAIL",
)  # fmt: skip
_LANGFUSE = {name.lower(): name for name in TYPES}
_OPEN_INFERENCE = {
    "CHAIN": "CHAIN",
    "RETRIEVER": "RETRIEVER",
    "LLM": "GENERATION",
    "EMBEDDING": "EMBEDDING",
    "AGENT": "AGENT",
    "TOOL": "TOOL",
    "GUARDRAIL": "GUARDRAIL",
    "EVALUATOR": "EVALUATOR",
}
_GEN_AI = {
    "chat": "GENERATION",
    "completion": "GENERATION",
    "text_completion": "GENERATION",
    "generate_content": "GENERATION",
    "generate": "GENERATION",
    "embeddings": "EMBEDDING",
    "invoke_agent": "AGENT",
    "create_agent": "AGENT",
    "execute_tool": "TOOL",
}
# Looked up in this order; a value that is none of these lets the next one speak.
_BY_ATTRIBUTE = (
    ("langfuse.observation.type", _LANGFUSE),
    ("openinference.span.kind", _OPEN_INFERENCE),
    ("gen_ai.operation.name", _GEN_AI),
)
_VERCEL_GENERATIONS = (
    "ai.generateText.doGenerate", "ai.streamText.doStream", "ai.generateObject.doGenerate", "ai.streamObject.doStream",
)  # fmt: skip
_VERCEL_EMBEDDINGS = ("ai.embedMany.doEmbed", "ai.embed.doEmbed")
_VERCEL_MODELS = ("langfuse.observation.model.name", "ai.model.id", "gen_ai.request.model", "gen_ai.response.model")
_MODELS = (
    "langfuse.observation.model.name", "gen_ai.request.model", "gen_ai.response.model", "llm.model_name", "model",
)  # fmt: skip
_OF_OLD_SDK = (
    "langfuse.observation.model.name", "langfuse.observation.cost_details", "langfuse.observation.usage_details",
    "langfuse.observation.completion_start_time", "langfuse.observation.model.parameters",
    "langfuse.observation.prompt.name", "langfuse.observation.prompt.version",
)  # fmt: skip
_LAST_OLD_SDK = (3, 3)
_LIVEKIT = {"agent_turn": "AGENT", "start_agent_activity": "AGENT", "function_tool": "TOOL"}
LIVEKIT_SCOPE = "livekit-agents"


def observation_type(span: Span) -> str:
    """One of `TYPES`; SPAN when nothing says more."""
    attributes = span.attributes
    if _is_generation_of_old_sdk(span):
        return "GENERATION"
    for key, known in _BY_ATTRIBUTE:
        value = attributes.get(key)
        if isinstance(value, str) and value in known:
            return known[value]
    vercel = _vercel_type(attributes)
    if vercel is not None:
        return vercel
    if attributes.get("gen_ai.tool.name") or attributes.get("gen_ai.tool.call.id"):
        return "TOOL"
    if span.scope.name == LIVEKIT_SCOPE and span.name in _LIVEKIT:
        return _LIVEKIT[span.name]
    return "GENERATION" if _any_of(attributes, _MODELS) else "SPAN"


def _any_of(attributes: dict[str, Any], keys: tuple[str, ...]) -> bool:
    return any(attributes.get(key) not in (None, "", [], {}) for key in keys)


def _is_generation_of_old_sdk(span: Span) -> bool:
    """Python SDKs up to 3.3 said `span` of generations too."""
    is_python = span.scope.resource.get("telemetry.sdk.language") == "python"
    if span.attributes.get("langfuse.observation.type") != "span" or span.scope.name != "langfuse-sdk" or not is_python:
        return False
    parts = span.scope.version.split(".")[:2]
    is_version = all(part.isdecimal() for part in parts)
    is_newer = is_version and tuple(int(part) for part in parts) > _LAST_OLD_SDK
    return not is_newer and any(key in span.attributes for key in _OF_OLD_SDK)


def _vercel_type(attributes: dict[str, Any]) -> str | None:
    named, operation = str(attributes.get("operation.name") or ""), str(attributes.get("ai.operationId") or "")

    def is_one_of(operations: tuple[str, ...]) -> bool:
        # The name may go on with the id of the caller's function.
        return named.startswith(operations) or operation in operations

    generation, embedding = is_one_of(_VERCEL_GENERATIONS), is_one_of(_VERCEL_EMBEDDINGS)
    if (generation or embedding) and _any_of(attributes, _VERCEL_MODELS):
        return "GENERATION" if generation else "EMBEDDING"
    return "TOOL" if is_one_of(("ai.toolCall",)) else None
