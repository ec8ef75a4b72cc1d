"""OpenTelemetry spans -> observations: every convention that a real 4.16 reads, one case a rule."""

from typing import Any

import pytest

from tests.fakes.langfuse_client import LangfuseClient, export, observed, otlp_span, seen

type Json = dict[str, Any]


TOOL = {"gen_ai.operation.name": "execute_tool"}


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({}, "step"),
        (TOOL | {"gen_ai.tool.name": "searchLangfuseDocs"}, "searchLangfuseDocs"),
        ({"gen_ai.tool.name": ""}, "step"),
        ({"gen_ai.tool.name": "t", "logfire.msg": "m"}, "t"),
        ({"logfire.msg": "running 1 tool"}, "running 1 tool"),
        ({"ai.toolCall.name": "weather", "ai.operationId": "ai.toolCall"}, "weather"),
        ({"ai.operationId": "ai.generateText"}, "ai.generateText"),
        ({"ai.operationId": "ai.generateText", "ai.telemetry.functionId": "chat"}, "chat:ai.generateText"),
        ({"langfuse.trace.name": "t"}, "step"),
    ],
)
def test_an_observation_is_named(attributes: Json, name: str) -> None:
    assert seen(attributes)["name"] == name


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({}, "SPAN"),
        *[
            ({"langfuse.observation.type": kind.lower()}, kind)
            for kind in (
                "SPAN",
                "GENERATION",
                "EVENT",
                "EMBEDDING",
                "AGENT",
                "TOOL",
                "CHAIN",
                "RETRIEVER",
                "GUARDRAIL",
                "EVALUATOR",
            )
        ],
        ({"langfuse.observation.type": "no such", "gen_ai.operation.name": "chat"}, "GENERATION"),
        ({"langfuse.observation.type": "AGENT"}, "SPAN"),
        ({"openinference.span.kind": "LLM"}, "GENERATION"),
        ({"openinference.span.kind": "RETRIEVER"}, "RETRIEVER"),
        ({"openinference.span.kind": "GUARDRAIL"}, "GUARDRAIL"),
        ({"openinference.span.kind": "RERANKER", "gen_ai.operation.name": "embeddings"}, "EMBEDDING"),
        ({"gen_ai.operation.name": "chat"}, "GENERATION"),
        ({"gen_ai.operation.name": "text_completion"}, "GENERATION"),
        ({"gen_ai.operation.name": "generate_content"}, "GENERATION"),
        ({"gen_ai.operation.name": "invoke_agent"}, "AGENT"),
        ({"gen_ai.operation.name": "create_agent"}, "AGENT"),
        (TOOL, "TOOL"),
        ({"gen_ai.operation.name": "execute_event_loop_cycle"}, "SPAN"),
        ({"operation.name": "ai.generateText.doGenerate chat", "ai.model.id": "m"}, "GENERATION"),
        ({"ai.operationId": "ai.embed.doEmbed", "gen_ai.request.model": "m"}, "EMBEDDING"),
        ({"ai.operationId": "ai.generateText.doGenerate"}, "SPAN"),
        ({"ai.operationId": "ai.toolCall"}, "TOOL"),
        ({"ai.operationId": "ai.generateText", "gen_ai.request.model": "m"}, "GENERATION"),
        ({"gen_ai.tool.call.id": "c1"}, "TOOL"),
        ({"gen_ai.request.model": "m"}, "GENERATION"),
        ({"llm.model_name": "m"}, "GENERATION"),
        ({"gen_ai.request.model": ""}, "SPAN"),
    ],
)
def test_an_observation_has_the_type(attributes: Json, kind: str) -> None:
    assert seen(attributes)["type"] == kind


@pytest.mark.parametrize(("version", "kind"), [("3.3.0", "GENERATION"), ("3.4.0", "SPAN"), ("4.14.4", "SPAN")])
def test_old_python_sdks_said_span_of_generations(version: str, kind: str) -> None:
    attributes = {"langfuse.observation.type": "span", "langfuse.observation.model.name": "m"}
    resource = {"telemetry.sdk.language": "python"}
    assert seen(attributes, "langfuse-sdk", version, resource)["type"] == kind


@pytest.mark.parametrize(
    ("attributes", "status", "level", "message"),
    [
        ({}, {}, "DEFAULT", ""),
        ({}, {"code": 1}, "DEFAULT", ""),
        ({}, {"code": 2, "message": "boom"}, "ERROR", "boom"),
        ({"langfuse.observation.level": "WARNING"}, {"code": 2}, "WARNING", ""),
        ({"langfuse.observation.status_message": "slow"}, {"message": "x"}, "DEFAULT", "slow"),
    ],
)
def test_the_level_is_what_was_said_or_comes_from_the_status(
    attributes: Json, status: Json, level: str, message: str
) -> None:
    found = seen(attributes, status=status)
    assert (found["level"], found["statusMessage"]) == (level, message)


def test_details_of_a_voice_agent_are_debug_and_its_turns_are_agents() -> None:
    found = seen({}, "livekit-agents", name="tts_node")
    assert (found["level"], found["type"]) == ("DEBUG", "SPAN")
    assert seen({}, "livekit-agents", name="agent_turn")["type"] == "AGENT"


@pytest.mark.parametrize(
    ("attributes", "model"),
    [
        ({"langfuse.observation.model.name": "a", "gen_ai.response.model": "b"}, "a"),
        ({"gen_ai.response.model": "b", "gen_ai.request.model": "c"}, "b"),
        ({"ai.model.id": "d", "gen_ai.request.model": "c"}, "d"),
        ({"llm.model_name": "e"}, "e"),
        ({"model": "f"}, "f"),
        ({}, ""),
    ],
)
def test_the_model_is_the_first_that_is_named_and_shown_under_both_names(attributes: Json, model: str) -> None:
    found = seen(attributes)
    assert (found["model"], found["providedModelName"]) == (model, model)


def test_a_known_model_has_an_id_and_prices_and_gives_its_tokens_a_cost() -> None:
    usage = {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100}
    found = seen({"gen_ai.request.model": "gpt-4o"} | usage)
    assert (found["modelId"], found["internalModelId"]) == ("b9854a5c92dc496b997d99d20",) * 2
    assert (found["inputPrice"], found["outputPrice"], found["totalPrice"]) == ("0.0000025", "0.00001", None)
    assert found["costDetails"] == {"input": 0.0025, "output": 0.001, "total": 0.0035}
    assert found["usagePricingTierName"] == "Standard"
    small = seen({"gen_ai.request.model": "openai/gpt-4o-mini"})
    assert (small["inputPrice"], small["outputPrice"]) == ("1.5e-7", "6e-7")


def test_without_the_model_group_there_are_no_prices() -> None:
    sent = export(otlp_span({"gen_ai.request.model": "gpt-4o"}))
    (found,) = observed(LangfuseClient(), sent, "fields=core,usage")
    assert {found["modelId"], found["inputPrice"], found["outputPrice"]} == {None}
    assert not {"model", "providedModelName", "modelParameters"} & set(found)


@pytest.mark.parametrize(
    ("scope", "attributes", "parameters"),
    [
        ("x", {}, {}),
        ("x", {"gen_ai.request.model": "m", "gen_ai.request.temperature": 0.5}, {"temperature": 0.5}),
        ("x", {"gen_ai.request.stop_sequences": ["a"]}, {"stop_sequences": '["a"]'}),
        ("x", {"llm.invocation_parameters": '{"top_p": 1, "deep": {"a": 1}}'}, {"top_p": 1, "deep": '{"a":1}'}),
        ("x", {"langfuse.observation.model.parameters": '{"t": 0.5, "s": true}'}, {"t": 0.5, "s": "true"}),
        ("x", {"llm.invocation_parameters": "{no json", "model_config": '{"a": "b"}'}, {"a": "b"}),
    ],
)
def test_model_parameters_are_texts_and_numbers(scope: str, attributes: Json, parameters: Json) -> None:
    assert seen(attributes, scope)["modelParameters"] == parameters


def test_vercel_s_parameters_have_names_of_their_own() -> None:
    found = seen({"ai.settings.maxRetries": 2, "gen_ai.system": "openai"}, "ai")["modelParameters"]
    assert (found["maxRetries"], found["system"], found["temperature"]) == ("2", "openai", None)


@pytest.mark.parametrize(
    ("scope", "attributes", "usage"),
    [
        ("x", {}, {}),
        (
            "x",
            {"gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 9},
            {"input": 7, "output": 9, "total": 16},
        ),
        (
            "x",
            {"gen_ai.usage.prompt_tokens": 7, "gen_ai.usage.completion_tokens": 9},
            {"input": 7, "output": 9, "total": 16},
        ),
        (
            "x",
            {"llm.token_count.prompt": 1, "llm.token_count.completion": 2, "llm.token_count.total": 3},
            {"input": 1, "output": 2, "total": 3},
        ),
        (
            "x",
            {"gen_ai.usage.input_tokens": 7, "gen_ai.usage.cache_read_input_tokens": 3},
            {"input": 7, "cache_read_input_tokens": 3, "total": 10},
        ),
        (
            "x",
            {"langfuse.observation.usage_details": '{"input": 1, "custom": 4}'},
            {"input": 1, "custom": 4, "total": 5},
        ),
        (
            "pydantic-ai",
            {"gen_ai.usage.input_tokens": 99, "gen_ai.usage.details.input_tokens": 5},
            {"input": 5, "total": 5},
        ),
        (
            "ai",
            {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5, "ai.usage.cachedInputTokens": "4"},
            {"input": 6, "output": 5, "input_cached_tokens": 4, "total": 15},
        ),
        ("gen_ai", {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 10}, {}),
        (
            "strands.telemetry.tracer",
            {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 10},
            {"input": 10, "total": 10},
        ),
    ],
)
def test_tokens_are_read_by_convention(scope: str, attributes: Json, usage: Json) -> None:
    assert seen(attributes, scope)["usageDetails"] == usage


@pytest.mark.parametrize(
    ("attributes", "cost"),
    [
        (
            {"langfuse.observation.cost_details": '{"input": 0.001, "output": 0.004}'},
            {"input": 0.001, "output": 0.004, "total": 0.005},
        ),
        ({"gen_ai.usage.cost": 0.25}, {"total": 0.25}),
        ({"gen_ai.usage.input_tokens": 5, "gen_ai.request.model": "own"}, {}),
    ],
)
def test_costs_are_what_was_said(attributes: Json, cost: Json) -> None:
    assert seen(attributes)["costDetails"] == cost


@pytest.mark.parametrize(
    ("attributes", "field", "value"),
    [
        ({"user.id": "u", "langfuse.user.id": "first"}, "userId", "first"),
        ({"langfuse.trace.metadata.langfuse_user_id": "u"}, "userId", "u"),
        ({"ai.telemetry.metadata.userId": "u"}, "userId", "u"),
        ({"session.id": "s"}, "sessionId", "s"),
        ({"gen_ai.conversation.id": "c"}, "sessionId", "c"),
        ({"langfuse.trace.tags": ["a", "b"]}, "tags", ["a", "b"]),
        ({"langfuse.trace.tags": '["a", 1]'}, "tags", ["a", "1"]),
        ({"langfuse.tags": "a, b"}, "tags", ["a", "b"]),
        ({"tag.tags": "one"}, "tags", ["one"]),
        ({}, "tags", []),
        ({"langfuse.environment": "e", "deployment.environment": "d"}, "environment", "e"),
        ({"deployment.environment.name": "n", "deployment.environment": "d"}, "environment", "n"),
        ({}, "environment", "default"),
        ({"langfuse.version": "v"}, "version", "v"),
        ({"langfuse.release": "r"}, "release", "r"),
        ({"langfuse.observation.prompt.name": "p"}, "promptName", "p"),
        ({"langfuse.prompt.version": 3}, "promptVersion", 3),
        ({"ai.telemetry.metadata.langfusePrompt": '{"name":"p","version":2}'}, "promptVersion", 2),
        ({}, "promptName", ""),
        ({"langfuse.trace.name": "t"}, "traceName", "t"),
        ({}, "traceName", "step"),
        ({"gen_ai.tool.name": "tool"}, "traceName", "tool"),
        ({"langfuse.observation.completion_start_time": '"2026-11-20T10:00:00.250Z"'}, "timeToFirstToken", 0.25),
        ({"ai.response.msToFirstChunk": 99.2}, "timeToFirstToken", 0.1),
    ],
)
def test_fields_of_trace_and_prompt_are_read(attributes: Json, field: str, value: Any) -> None:
    assert seen(attributes)[field] == value


def test_a_child_has_a_trace_name_only_where_it_was_sent() -> None:
    assert seen({}, parentSpanId="cc" * 8)["traceName"] is None
    assert seen({"langfuse.trace.name": "t"}, parentSpanId="cc" * 8)["traceName"] == "t"
    root = seen({"langfuse.internal.is_app_root": True}, parentSpanId="cc" * 8)
    assert (root["traceName"], root["isRootObservation"], root["parentObservationId"]) == ("step", True, "cc" * 8)


def test_the_resource_speaks_for_spans_that_say_nothing() -> None:
    resource = {"service.version": "1.2", "deployment.environment": "prd", "langfuse.release": "r"}
    found = seen({}, resource=resource)
    assert (found["version"], found["environment"], found["release"]) == ("1.2", "prd", "r")


def test_metadata_keeps_attributes_of_foreign_spans_but_their_input_and_output() -> None:
    attributes = {"langfuse.environment": "e", "gen_ai.prompt": "x", "gen_ai.usage.input_tokens": 7, "own": "kept"}
    sent = {"langfuse.observation.metadata.team": "core", "langfuse.trace.metadata": '{"deep": {"a": 1}}'}
    found = seen(attributes | sent, resource={"service.name": "svc"})["metadata"]
    assert found == {
        "team": "core",
        "deep.a": 1,
        "attributes.langfuse.environment": "e",
        "attributes.gen_ai.usage.input_tokens": 7,
        "attributes.own": "kept",
        "scope.name": "some.lib",
        "scope.version": 1,
        "resourceAttributes.service.name": "svc",
    }


def test_langfuse_s_own_sdk_leaves_no_attributes_in_the_metadata() -> None:
    found = seen({"langfuse.environment": "e", "own": "gone"}, "langfuse-sdk")["metadata"]
    assert found == {"scope.name": "langfuse-sdk", "scope.version": 1}


def test_broken_metadata_is_dropped_and_dotted_keys_stay() -> None:
    found = seen({"langfuse.observation.metadata": "{broken", "langfuse.metadata.a.b": "c"}, "langfuse-sdk")["metadata"]
    assert found["a.b"] == "c"


def test_a_span_with_one_time_lasts_no_time() -> None:
    found = seen({}, endTimeUnixNano="0")
    assert (found["startTime"], found["latency"]) == (found["endTime"], 0)
