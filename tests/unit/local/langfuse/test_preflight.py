"""The stand-in's preflight: an evaluator's model is asked once, and must answer in the form that is asked for."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from local.langfuse.evaluation_calls import ModelCalls
from local.langfuse.evaluations import Evaluations
from local.langfuse.settings import Settings
from local.model.faults import FaultPlan
from local.model.server import make_app
from tests.fakes.langfuse_client import LangfuseClient

type Json = dict[str, Any]
type Answer = Callable[[httpx.Request], httpx.Response]

EVALUATORS, RULES = "unstable/evaluators", "unstable/evaluation-rules"
MODEL = {"provider": "p", "model": "m"}
NUMERIC = {"dataType": "NUMERIC", "reasoning": {"description": "why"}, "score": {"description": "s", "maxValue": 1}}
MISSING = (
    "The provider could not find model 'm' \u2014 it may be retired, misspelled, or not available to your API key. "
    "Update the evaluator's model or the project's default evaluation model."
)


def says(content: Any, status: int = 200) -> Answer:
    return lambda _request: httpx.Response(status, json={"choices": [{"message": {"content": content}}]})


def refuses(status: int, body: Any) -> Answer:
    return lambda _request: httpx.Response(status, json=body)


def gone(_request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("nobody there")


GOOD = says(json.dumps({"reasoning": "r", "score": 1}))


class World:
    """A stand-in with one connection, whose model answers what `answer` says at that time."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.answer: Answer = GOOD
        self.seen: list[Json] = []
        self.client = LangfuseClient()
        stand_in = self.client.server.stand_in
        calls = ModelCalls(transport or httpx.MockTransport(self._answered))
        stand_in.evaluations = Evaluations(Settings(), stand_in.store, calls)
        self.connect("http://model.test/v1")

    def connect(self, url: str | None) -> None:
        body = {"provider": "p", "adapter": "openai", "secretKey": "k", "customModels": ["m"], "baseURL": url}
        self.client.made("PUT", "llm-connections", body)

    def evaluator(self, **more: Any) -> tuple[int, Json]:
        body = {"name": "helpful", "prompt": "Judge {{a}}", "outputDefinition": NUMERIC, "modelConfig": MODEL} | more
        return self.client.ask("POST", EVALUATORS, body)

    def rule(self, *, enabled: bool) -> tuple[int, Json]:
        mapping = [{"variable": "a", "source": "output"}]
        body = {"name": "r", "target": "observation", "enabled": enabled, "mapping": mapping}
        return self.client.ask("POST", RULES, body | {"evaluator": {"name": "helpful"}})

    def _answered(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(json.loads(request.content))
        return self.answer(request)


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (says("It deserves a 5."), "No object generated: could not parse the response."),
        (says(None), "No object generated: could not parse the response."),
        (says('{"score": 1}'), "No object generated: response did not match schema."),
        (says('{"reasoning": "r", "score": "1"}'), "No object generated: response did not match schema."),
        (says('{"reasoning": "r", "score": 5}'), "No object generated: response did not match schema."),
        (refuses(404, {"error": {"message": "no such model"}}), MISSING),
        (refuses(401, {"error": {"message": "Incorrect API key provided"}}), "Incorrect API key provided"),
        (refuses(503, []), "Service Unavailable"),
        (gone, "Cannot connect to API"),
    ],
)
def test_an_evaluator_whose_model_does_not_answer_in_its_form_is_not_kept(
    world: World, answer: Answer, why: str
) -> None:
    world.answer = answer
    assert world.evaluator() == (
        422,
        {
            "message": f'Model configuration not valid for evaluator "helpful". {why}',
            "code": "evaluator_preflight_failed",
            "details": {"evaluatorName": "helpful", "provider": "p", "model": "m"},
        },
    )
    assert world.client.made("GET", EVALUATORS)["data"] == []


def test_the_model_is_asked_once_for_the_form_of_the_evaluator(world: World) -> None:
    assert world.evaluator()[0] == 200
    (asked,) = world.seen
    assert asked["messages"][0]["content"].startswith("Extract a score (1-5) and reasoning from this text: ")
    assert asked["model"] == "m"
    assert asked["response_format"]["type"] == "json_schema"
    schema = asked["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["score"] == {"description": "s", "type": "number", "maximum": 1}


def test_an_enabled_rule_asks_again_and_a_disabled_one_does_not(world: World) -> None:
    world.evaluator()
    world.answer = says("prose")
    assert world.rule(enabled=True)[1]["code"] == "evaluator_preflight_failed"
    status, made = world.rule(enabled=False)
    assert (status, made["status"], len(world.seen)) == (200, "inactive", 2)
    path = f"{RULES}/{made['id']}"
    assert world.client.ask("PATCH", path, {"enabled": True})[0] == 422
    world.answer = GOOD
    assert world.client.made("PATCH", path, {"enabled": True})["status"] == "active"


def test_a_providers_own_address_is_never_called(world: World) -> None:
    world.connect(None)
    assert (world.evaluator()[0], world.seen) == (200, [])


@pytest.mark.parametrize(
    "output",
    [
        NUMERIC,
        NUMERIC | {"score": {"description": "s", "minValue": 1, "maxValue": 5}},
        NUMERIC | {"score": {"description": "s"}},
        NUMERIC | {"dataType": "BOOLEAN", "score": {"description": "s"}},
        NUMERIC
        | {
            "dataType": "CATEGORICAL",
            "score": {"description": "s", "categories": ["good", "bad"], "shouldAllowMultipleMatches": False},
        },
        NUMERIC
        | {
            "dataType": "CATEGORICAL",
            "score": {"description": "s", "categories": ["good", "bad"], "shouldAllowMultipleMatches": True},
        },
    ],
)
def test_the_local_model_passes_the_preflight_of_every_form(output: Json) -> None:
    world = World(httpx.ASGITransport(make_app(FaultPlan())))
    body = {"provider": "p", "adapter": "openai", "secretKey": "k", "customModels": ["local.judge"]}
    world.client.made("PUT", "llm-connections", body | {"baseURL": "http://model.test/v1"})
    status, made = world.evaluator(outputDefinition=output, modelConfig=MODEL | {"model": "local.judge"})
    assert (status, made.get("version")) == (200, 1), made
