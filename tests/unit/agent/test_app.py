"""Statuses and bodies of the container, over the real AgentCore app without a network."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from starlette.testclient import TestClient

from agent.answering import Answer, ToolCall, Usage
from agent.app import Answers, Parts, create_app
from agent.errors import AgentError, ModelFailedError, PromptUnavailableError, ToolsUnavailableError
from agent.request import AgentRequest
from agent.telemetry import Telemetry
from tests.unit.agent.doubles import SETTINGS

ANSWER = Answer("That.", "end_turn", "m", (ToolCall("search", {"query": "q"}, error=False),), (), Usage(10, 5, 2))


class Says:
    """Answers with what it is given; raises it when it is an exception."""

    def __init__(self, outcome: Answer | Exception) -> None:
        self.outcome = outcome
        self.requests: list[AgentRequest] = []

    async def answer(self, request: AgentRequest) -> Answer:
        self.requests.append(request)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture
def client_of() -> Iterator[Callable[[Answers], TestClient]]:
    opened: list[TestClient] = []

    def make(answers: Answers) -> TestClient:
        parts = Parts(answers, Telemetry(SETTINGS.runtime, TracerProvider(), None))
        client = TestClient(create_app(SETTINGS, lambda _: parts), raise_server_exceptions=False)
        client.__enter__()
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.__exit__()


def ask(client: TestClient, payload: object, **headers: str) -> tuple[int, Any]:
    reply = client.post("/invocations", content=json.dumps(payload), headers=headers)
    return reply.status_code, reply.json()


def test_an_answer_has_exactly_the_fields_of_the_contract(client_of: Callable[[Answers], TestClient]) -> None:
    status, body = ask(client_of(Says(ANSWER)), {"question": "What?"}, traceparent=f"00-{'a' * 32}-{'b' * 16}-01")

    assert status == 200
    assert isinstance(body.pop("latency_ms"), int)
    assert len(body.pop("trace_id")) == 32
    assert body == {
        "answer": "That.",
        "stop_reason": "end_turn",
        "model_id": "m",
        "trajectory": [{"tool": "search", "input": {"query": "q"}, "error": False}],
        "tool_errors": [],
        "usage": {"input_tokens": 10, "output_tokens": 5, "model_calls": 2},
    }


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ModelFailedError("The model failed."), 502, "model_failed"),
        (ToolsUnavailableError("No tools."), 503, "tools_unavailable"),
        (PromptUnavailableError("No prompt."), 503, "prompt_unavailable"),
    ],
)
def test_a_failure_has_its_status_its_code_and_a_text(
    client_of: Callable[[Answers], TestClient], error: AgentError, status: int, code: str
) -> None:
    assert ask(client_of(Says(error)), {"question": "q"}) == (status, {"error": code, "message": str(error)})


def test_a_defect_is_answered_500_without_its_text_and_logged_without_it(
    client_of: Callable[[Answers], TestClient], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "agent"):
        status, body = ask(client_of(Says(KeyError("the user's secret"))), {"question": "q"})

    assert (status, body["error"]) == (500, "internal_error")
    assert "secret" not in json.dumps(body)
    assert [record.getMessage() for record in caplog.records] == ["unexpected failure"]


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        ([], 400),
        ("q", 400),
        (None, 400),
        ({}, 422),
        ({"question": ""}, 422),
        ({"question": ["q"]}, 422),
        ({"question": "x" * 8001}, 413),
        ({"question": "x" * 2_000_000}, 413),
        ({"question": "q", "overrides": {"unknown": 1}}, 422),
        ({"question": "q", "_agent_core_app_action": "force_busy"}, 422),
    ],
)
def test_a_bad_payload_never_reaches_the_agent(
    client_of: Callable[[Answers], TestClient], payload: object, status: int
) -> None:
    agent = Says(ANSWER)

    got, body = ask(client_of(agent), payload)

    assert got == status
    assert set(body) == {"error", "message"}
    assert agent.requests == []


def test_a_body_that_is_no_json_is_answered_400(client_of: Callable[[Answers], TestClient]) -> None:
    reply = client_of(Says(ANSWER)).post("/invocations", content=b"{")

    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_payload")


def test_ping_is_healthy(client_of: Callable[[Answers], TestClient]) -> None:
    reply = client_of(Says(ANSWER)).get("/ping")

    assert (reply.status_code, reply.json()["status"]) == (200, "Healthy")


def test_the_log_line_of_a_request_has_ids_and_figures_but_no_content(
    client_of: Callable[[Answers], TestClient], caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"X-Amzn-Bedrock-AgentCore-Runtime-Session-Id": "s" * 33}
    with caplog.at_level(logging.INFO, "agent.app"):
        ask(client_of(Says(ANSWER)), {"question": "a private question"}, **headers)

    (record,) = [record for record in caplog.records if record.getMessage() == "request ended"]
    assert (vars(record)["status"], vars(record)["code"], vars(record)["session_id"]) == (200, "end_turn", "s" * 33)
    assert "private" not in str(vars(record))
    assert "That." not in str(vars(record))
