"""The local model asked for JSON by a schema: Langfuse's check of an evaluator's model, its judging, other schemas."""

import json
from typing import Any

import jsonschema
import pytest
from starlette.testclient import TestClient

from flywheel.domain.live_evaluators import CORRECTNESS, JudgeModel, evaluator
from local.langfuse.mappings import filled
from local.model.server import make_app

PREFLIGHT = (
    "Extract a score (1-5) and reasoning from this text: The answer names the right page and I would give it 4 points."
)
NUMERIC = {"reasoning": {"type": "string"}, "score": {"type": "number"}}


def closed(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)} | {
        "additionalProperties": False,
        **more,
    }


def asked(prompt: str, schema: Any, **more: Any) -> Any:
    wanted = {"type": "json_schema", "json_schema": {"name": "evaluation", "schema": schema, "strict": True}}
    body = {"model": "m", "messages": [{"role": "user", "content": prompt}], "response_format": wanted} | more
    return TestClient(make_app()).post("/v1/chat/completions", json=body)


def said(prompt: str, schema: Any, **more: Any) -> Any:
    reply = asked(prompt, schema, **more)
    assert reply.status_code == 200, reply.text
    choice = reply.json()["choices"][0]
    assert choice["finish_reason"] == "stop"
    answer = json.loads(choice["message"]["content"])
    jsonschema.validate(answer, schema)
    return answer


def test_the_check_of_an_evaluator_s_model_gets_the_score_of_the_text() -> None:
    answer = said(PREFLIGHT, closed(NUMERIC))
    assert answer["score"] == 4
    assert answer["reasoning"]


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ({"type": "number", "minimum": 1, "maximum": 5}, 4),
        ({"type": "integer"}, 4),
        ({"type": "string"}, "4"),
        ({"type": "boolean"}, False),
        ({"type": ["number", "null"]}, 4),
        ({"anyOf": [{"type": "null"}, {"type": "number"}]}, 4),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 4}, 1),
        ({"type": "string", "enum": ["wrong", "right"]}, "right"),
        ({"type": "array", "items": {"type": "string", "enum": ["good", "bad"]}}, ["good"]),
        ({"const": 3}, 3),
    ],
)
def test_a_score_of_every_kind_is_valid(score: dict[str, Any], expected: object) -> None:
    assert said(PREFLIGHT, closed({"reasoning": {"type": "string"}, "score": score}))["score"] == expected


@pytest.mark.parametrize(
    "schema",
    [
        closed({"verdict": closed({"label": {"enum": ["a", "b"]}, "notes": {"type": "array", "items": {}}})}),
        closed({"score": {"$ref": "#/$defs/score"}}, **{"$defs": {"score": {"type": "integer", "minimum": 7}}}),
        closed({"text": {"type": "string", "minLength": 100, "maxLength": 120}}),
        {"type": "object"},
        {"properties": {"score": {"type": "number"}}, "required": ["score", "other"]},
    ],
)
def test_another_schema_is_filled_too(schema: dict[str, Any]) -> None:
    said("Say something. There is no text here", schema)


@pytest.mark.parametrize(
    ("answer", "score", "expected"),
    [
        ("The minimum retention is 3 days.", {"type": "number"}, 1),
        ("The minimum retention is 7 days.", {"type": "number"}, 0),
        ("The minimum retention is 3 days.", {"type": "boolean"}, True),
        ("The minimum retention is 7 days.", {"type": "number", "minimum": 1, "maximum": 5}, 1),
    ],
)
def test_an_evaluator_s_prompt_is_judged_as_by_a_forced_tool(answer: str, score: dict[str, Any], expected: int) -> None:
    values = {"question": ["q"], "facts": ["The minimum retention is 3 days."], "must_refuse": [], "answer": [answer]}
    texts = {name: json.dumps(value) for name, value in values.items()}
    prompt = filled(evaluator(CORRECTNESS, JudgeModel("p", "m")).prompt, texts)
    told = said(prompt, closed({"reasoning": {"type": "string"}, "score": score}))
    assert told["score"] == expected
    assert "facts are stated" in told["reasoning"]


def test_a_streamed_answer_is_the_same_json() -> None:
    text = asked(PREFLIGHT, closed(NUMERIC), stream=True).text
    events = [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: {")]
    joined = "".join(event["choices"][0]["delta"].get("content", "") for event in events)
    assert json.loads(joined) == said(PREFLIGHT, closed(NUMERIC))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "string"}},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}},
        {"type": "object", "properties": {"a": {"type": "array", "minItems": []}}},
        None,
    ],
)
def test_a_schema_that_cannot_be_answered_is_refused(schema: Any) -> None:
    assert asked(PREFLIGHT, schema).status_code == 400


def test_text_stays_text() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "response_format": {"type": "text"}}
    assert TestClient(make_app()).post("/v1/chat/completions", json=body).status_code == 200
    body["response_format"] = {"type": "json_schema"}
    assert TestClient(make_app()).post("/v1/chat/completions", json=body).status_code == 400
