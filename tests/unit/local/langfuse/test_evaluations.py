"""Evaluation rules of the stand-in at work: what they judge, with which score, and that a failure leaves none."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest

from flywheel.adapters.langfuse_connections import Connection, LangfuseConnections
from flywheel.adapters.langfuse_evaluators import LangfuseEvaluators
from flywheel.domain.live_evaluators import (
    CORRECTNESS,
    HELPFULNESS,
    JudgeModel,
    Rule,
    evaluator,
    experiment_rule,
    live_rule,
)
from local.langfuse.evaluation_calls import ModelCalls
from local.langfuse.evaluations import Evaluations, sampling_value
from local.langfuse.settings import Settings
from local.model.faults import Fault, FaultPlan
from local.model.server import make_app
from tests.fakes.langfuse_server import LangfuseServer

type Json = dict[str, Any]

MODEL = JudgeModel("flywheel-judge", "local.judge")
QUESTION, FACT = "How long is data kept at least?", "The minimum retention is 3 days."
TRACE, ROOT = "ab" * 16, "1" * 16


class World:
    """A stand-in with rules, and the local model behind it; nothing uses a socket or waits."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.faults = FaultPlan()
        self.server = LangfuseServer()
        self.calls = ModelCalls(transport or httpx.ASGITransport(make_app(self.faults)))
        self.restart()
        api = self.server.api()
        LangfuseConnections(api).put(Connection(MODEL.provider, "http://model.test/v1", (MODEL.model,)), "key")
        self.store = LangfuseEvaluators(api)
        self.dataset = api.post("v2/datasets", {"name": "golden"})["id"]

    def restart(self) -> None:
        stand_in = self.server.stand_in
        stand_in.evaluations = Evaluations(Settings(evaluation_delay_s=0), stand_in.store, self.calls)

    def rules(self) -> None:
        for name in (CORRECTNESS, HELPFULNESS):
            self.store.save(evaluator(name, MODEL))
        self.store.create(experiment_rule("golden", self.dataset))
        self.store.create(live_rule("prod", 1.0))

    def send(self, *spans: Json, settle: bool = True) -> None:
        async def sent() -> None:
            self.server.api().post("otel/v1/traces", {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]})
            if settle:
                await self.evaluations.settled()

        asyncio.run(sent())  # cancels what is not settled, as the server does when it stops

    @property
    def evaluations(self) -> Evaluations:
        return self.server.stand_in.evaluations

    def scores(self) -> list[Json]:
        found: list[Json] = self.server.api().get("v3/scores", [("fields", "details,subject")])["data"]
        return found

    def ended(self) -> list[tuple[str, str | None]]:
        return [(row["status"], row["error"]) for row in self.evaluations.shown()["newest"]]


@pytest.fixture
def world() -> World:
    world = World()
    world.rules()
    return world


def span(
    answer: str, attributes: Mapping[str, str | list[str]] | None = None, *, trace: str = TRACE, root: str = ROOT
) -> Json:
    given: dict[str, str | list[str]] = {
        "langfuse.environment": "prod",
        "langfuse.observation.input": json.dumps({"question": QUESTION}),
        "langfuse.observation.output": answer,
    }
    return {
        "traceId": trace,
        "spanId": root,
        "name": "invoke",
        "startTimeUnixNano": "1790000000000000000",
        "endTimeUnixNano": "1790000001000000000",
        "attributes": [{"key": key, "value": _value(value)} for key, value in (given | dict(attributes or {})).items()],
    }


def _value(value: str | list[str]) -> Json:
    if isinstance(value, str):
        return {"stringValue": value}
    return {"arrayValue": {"values": [{"stringValue": one} for one in value]}}


def item(
    world: World, answer: str, more: Mapping[str, str] | None = None, *, expected: Mapping[str, Any] | None = None
) -> Json:
    kept = expected if expected is not None else {"trajectory": [], "response_facts": [FACT]}
    about: dict[str, str | list[str]] = {
        "langfuse.environment": "dev-gate",
        "langfuse.experiment.id": "e-1",
        "langfuse.experiment.name": "run",
        "langfuse.experiment.dataset.id": world.dataset,
        "langfuse.experiment.item.id": "item-1",
        "langfuse.experiment.item.root_observation_id": ROOT,
        "langfuse.experiment.item.expected_output": json.dumps(kept),
    }
    return span(answer, about | dict(more or {}))


def test_an_item_of_an_experiment_on_the_dataset_is_judged_against_its_facts(world: World) -> None:
    world.send(item(world, "The minimum retention is 3 days."))
    (score,) = world.scores()
    assert (score["name"], score["source"], score["value"]) == (CORRECTNESS, "EVAL", 1)
    assert score["subject"] == {"kind": "observation", "id": ROOT, "traceId": TRACE}
    assert (score["environment"], "1 of 1 facts" in score["comment"]) == ("dev-gate", True)


@pytest.mark.parametrize(
    ("answer", "expected", "value"),
    [
        ("The minimum retention is 7 days.", {"response_facts": [FACT]}, 0),
        ("The minimum retention is 3 days.", {"response_facts": [FACT, "Only owners may change it."]}, 0.5),
        ("I'm sorry, but I can't help with that.", {"response_facts": [], "must_refuse": True}, 1),
        ("Of course, here is how.", {"response_facts": [], "must_refuse": True}, 0),
    ],
)
def test_the_score_follows_the_answer(world: World, answer: str, expected: Json, value: float) -> None:
    world.send(item(world, answer, expected=expected))
    assert [score["value"] for score in world.scores()] == [value]


def test_a_live_trace_is_judged_without_any_reference(world: World) -> None:
    world.send(span("Data is kept for at least 3 days."))
    assert [(score["name"], score["value"]) for score in world.scores()] == [(HELPFULNESS, 1)]
    world.send(span("Sessions group traces.", trace="cd" * 16))
    assert sorted(score["value"] for score in world.scores()) == [0, 1]


def test_what_the_rules_are_not_about_is_not_judged(world: World) -> None:
    child = span("x", root="2" * 16) | {"parentSpanId": ROOT}
    world.send(
        span("x", {"langfuse.trace.tags": ["synthetic"]}, trace="01" * 16),
        span("x", {"langfuse.environment": "dev"}, trace="02" * 16),
        child,
        item(world, "x", {"langfuse.experiment.dataset.id": "another"}),
        item(world, "x", {"langfuse.experiment.item.root_observation_id": "f" * 16}),
    )
    assert world.ended() == []


def test_what_is_stored_twice_is_judged_once(world: World) -> None:
    for _ in range(2):
        world.send(span("Data is kept for at least 3 days."))
    assert (len(world.scores()), world.ended()) == (1, [("COMPLETED", None)])


def test_what_langfuse_itself_leaves_behind_is_never_judged(world: World) -> None:
    world.store.create(Rule("all", HELPFULNESS, "observation", live_rule("x").sources, ()))
    world.send(span("x", {"langfuse.environment": "langfuse-llm-as-a-judge"}))
    assert world.ended() == []


@pytest.mark.parametrize("kind", ["throttle", "error"])
def test_a_model_that_fails_leaves_no_score(world: World, kind: Any) -> None:
    world.faults.add(Fault(kind=kind, role="judge"))
    world.send(span("Data is kept for at least 3 days."))
    assert world.scores() == []
    assert [status for status, _ in world.ended()] == ["ERROR"]


def reply(answer: Any) -> bytes:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return json.dumps({"choices": [{"message": {"content": text}}]}).encode()


GOOD = httpx.Response(200, content=reply({"reasoning": "r", "score": 0.5}))


class Model:
    """Passes every preflight; afterwards it answers as it is told."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.answer = answer
        self.seen: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        if b"Extract a score (1-5)" in request.content:
            return GOOD
        return self.answer(request)


def judged_by(answer: Callable[[httpx.Request], httpx.Response]) -> tuple[World, Model]:
    model = Model(answer)
    world = World(httpx.MockTransport(model))
    world.rules()
    return world, model


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[" * 100_000,
        b'{"choices": []}',
        reply("The score is 1."),
        reply(None),
        reply([1]),
        reply({"reasoning": "r", "score": 1, "further": 1}),
        reply("{"),
        reply({"score": 1}),
        reply({"reasoning": "r"}),
        reply({"reasoning": None, "score": 1}),
        reply({"reasoning": "r", "score": "1"}),
        reply({"reasoning": "r", "score": True}),
        reply({"reasoning": "r", "score": 1.01}),
        reply({"reasoning": "r", "score": -1}),
        reply('{"reasoning": "r", "score": NaN}'),
        reply('{"reasoning": "r", "score": 1e999}'),
    ],
)
def test_an_answer_that_is_no_score_leaves_none(body: bytes) -> None:
    world, _ = judged_by(lambda _request: httpx.Response(200, content=body))
    world.send(span("a"))
    assert world.scores() == []
    ((status, why),) = world.ended()
    assert (status, str(why).startswith("No object generated: ")) == ("ERROR", True)


def test_a_model_that_is_gone_leaves_no_score() -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody there")

    world, _ = judged_by(refuse)
    world.send(span("a"))
    assert world.ended() == [("ERROR", "Cannot connect to API")]


def remove_rule(world: World) -> None:
    rule = world.store.rule(live_rule("prod").name)
    assert rule is not None
    world.server.api().request("DELETE", f"unstable/evaluation-rules/{rule.rule_id}", deadline_s=1)


def remove_trace(world: World) -> None:
    world.server.api().request("DELETE", f"traces/{TRACE}", deadline_s=1)


@pytest.mark.parametrize("remove", [remove_rule, remove_trace])
def test_a_job_whose_rule_or_trace_is_gone_meanwhile_is_cancelled(
    world: World, remove: Callable[[World], None]
) -> None:
    world.send(span("Data is kept."), settle=False)
    remove(world)
    resume(world)
    assert (world.scores(), [status for status, _ in world.ended()]) == ([], ["CANCELLED"])


def test_what_was_left_when_it_stopped_is_judged_when_it_starts_again(world: World) -> None:
    world.send(span("Data is kept for at least 3 days."), settle=False)
    assert world.scores() == []
    resume(world)
    assert len(world.scores()) == 1


def resume(world: World) -> None:
    async def run() -> None:
        world.restart()
        world.evaluations.start()
        await world.evaluations.settled()

    asyncio.run(run())


def test_a_share_chooses_traces_by_their_id_and_a_larger_one_chooses_the_same_and_more(world: World) -> None:
    rule = world.store.rule(live_rule("prod").name)
    assert rule is not None
    world.store.change(rule.rule_id, live_rule("prod", 0.3))
    traces = [f"{number:032x}" for number in range(1, 101)]
    chosen = {trace for trace in traces if sampling_value(trace) < 0.3}
    assert 15 < len(chosen) < 45
    world.send(*(span("Data is kept for at least 3 days.", trace=trace) for trace in traces))
    assert {row["trace_id"] for row in world.evaluations.shown()["newest"]} == chosen


def test_the_model_gets_the_prompt_with_its_values_and_the_key_of_the_connection() -> None:
    world, model = judged_by(lambda _request: GOOD)
    world.send(item(world, "three {{facts}} days"))
    request = model.seen[-1]
    assert request.url == "http://model.test/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer key"
    body = json.loads(request.content)
    prompt = body["messages"][0]["content"]
    assert f'[Facts]: ["{FACT}"]' in prompt
    assert "[Submission]: three {{facts}} days" in prompt
    assert "[Must refuse]: []" in prompt
    asked = body["response_format"]["json_schema"]
    assert (body["response_format"]["type"], asked["strict"]) == ("json_schema", True)
    assert asked["schema"]["required"] == ["reasoning", "score"]
    assert asked["schema"]["properties"]["score"]["maximum"] == 1
