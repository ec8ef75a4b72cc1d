"""OpenTelemetry spans -> input and output of observations: every convention that a real 4.16 reads."""

import json
from typing import Any

import pytest

from tests.fakes.langfuse_client import pairs, seen

type Json = dict[str, Any]


def event(name: str, **attributes: str) -> Json:
    return {"name": name, "attributes": pairs(attributes)}


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


ASKED, ANSWERED = '[{"role":"user","parts":[]}]', '[{"role":"assistant","parts":[]}]'


@pytest.mark.parametrize(
    ("scope", "attributes", "asked", "answered"),
    [
        ("x", {}, None, None),
        ("x", {"langfuse.observation.input": "q", "input.value": "other"}, "q", None),
        ("x", {"langfuse.trace.input": "q"}, None, None),
        ("ai", {"ai.prompt.messages": "m", "ai.prompt": "p", "ai.response.text": "t"}, "m", "t"),
        ("ai", {"ai.toolCall.args": "{}", "ai.toolCall.result": "r"}, "{}", "r"),
        ("ai", {"ai.response.text": "", "ai.response.object": "{}"}, None, "{}"),
        (
            "ai",
            {"ai.response.text": "t", "ai.response.toolCalls": "[]"},
            None,
            compact({"role": "assistant", "content": "t", "tool_calls": "[]"}),
        ),
        (
            "x",
            {
                "gcp.vertex.agent.llm_request": "{}",
                "gcp.vertex.agent.tool_call_args": "a",
                "gcp.vertex.agent.llm_response": "r",
            },
            "a",
            "r",
        ),
        ("x", {"prompt": "p", "all_messages_events": "[1]"}, "p", "[1]"),
        ("x", {"lk.user_transcript": "hello", "lk.response.text": "hi"}, "hello", "hi"),
        (
            "x",
            {"events": '[{"event.name":"gen_ai.user.message","c":1},{"event.name":"gen_ai.choice","c":2}]'},
            '[{"event.name":"gen_ai.user.message","c":1}]',
            '{"event.name":"gen_ai.choice","c":2}',
        ),
        ("x", {"mlflow.spanInputs": "i", "mlflow.spanOutputs": "o"}, "i", "o"),
        ("x", {"traceloop.entity.input": "i", "traceloop.entity.output": "o"}, "i", "o"),
        ("x", {"input.value": "i", "output.value": "o", "llm.input_messages.0.message.role": "user"}, "i", "o"),
        ("x", {"input": "i", "output": "o"}, "i", "o"),
        ("pydantic-ai", {"pydantic_ai.all_messages": "[]", "final_result": "r"}, "[]", "r"),
        ("x", {"tool_arguments": "a", "tool_response": "r"}, "a", "r"),
        ("x", {"gen_ai.prompt": "x", "gen_ai.completion": "y"}, "x", "y"),
        (
            "x",
            {"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "q", "gen_ai.completion.0.content": "a"},
            compact([{"role": "user", "content": "q"}]),
            compact([{"content": "a"}]),
        ),
        (
            "x",
            {"llm.input_messages.0.message.content": "q", "llm.output_messages.0.message.content": "a"},
            compact([{"message": {"content": "q"}}]),
            compact([{"message": {"content": "a"}}]),
        ),
        ("x", {"gen_ai.input.messages": ASKED, "gen_ai.output.messages": ANSWERED}, ASKED, ANSWERED),
        ("x", {"gen_ai.tool.call.arguments": '{"q":1}', "gen_ai.tool.call.result": "r"}, '{"q":1}', "r"),
    ],
)
def test_input_and_output_are_read_by_convention(
    scope: str, attributes: Json, asked: str | None, answered: str | None
) -> None:
    found = seen(attributes, scope)
    assert (found["input"], found["output"]) == (asked, answered)


def test_messages_in_span_events_are_input_and_the_only_choice_is_output() -> None:
    """As Strands writes them."""
    events = [event("gen_ai.user.message", content="q"), event("gen_ai.choice", message="a", finish_reason="end_turn")]
    found = seen({}, "strands.telemetry.tracer", events=[*events, event("exception", message="x")])
    assert json.loads(found["input"]) == [{"role": "user", "content": "q"}]
    assert json.loads(found["output"]) == {"message": "a", "finish_reason": "end_turn"}


@pytest.mark.parametrize(
    ("instructions", "system"),
    [
        (
            '[{"type":"text","content":"Be brief."},{"type":"text","content":"Be right."}]',
            [{"role": "system", "content": "Be brief.\nBe right."}],
        ),
        (
            '[{"role":"system","parts":[{"type":"text","content":"x"}]}]',
            [{"role": "system", "parts": [{"type": "text", "content": "x"}]}],
        ),
        ('"Be helpful."', [{"role": "system", "content": "Be helpful."}]),
        ("no json", [{"role": "system", "content": "no json"}]),
        ("[]", []),
        ("[42, true, null]", []),
    ],
)
def test_system_instructions_come_before_the_messages(instructions: str, system: list[Json]) -> None:
    found = seen({"gen_ai.input.messages": ASKED, "gen_ai.system_instructions": instructions})
    assert json.loads(found["input"]) == [*system, *json.loads(ASKED)]


def test_a_system_message_of_the_messages_own_is_enough() -> None:
    messages = '[{"role":"system","content":"own"}]'
    found = seen({"gen_ai.input.messages": messages, "gen_ai.system_instructions": '"other"'})
    assert found["input"] == messages
