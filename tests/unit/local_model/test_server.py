import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from local.model.server import MAX_BODY_BYTES, make_app


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(make_app()) as client:
        yield client


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "What is a session?"}], **fields}


def test_a_question_gets_a_completion(client: TestClient) -> None:
    response = client.post("/v1/chat/completions", json=chat())
    assert response.status_code == 200
    assert response.json()["object"] == "chat.completion"


def test_a_stream_ends_with_done(client: TestClient) -> None:
    response = client.post("/v1/chat/completions", json=chat(stream=True))
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text.endswith("data: [DONE]\n\n")


def test_models_and_health_are_listed(client: TestClient) -> None:
    assert len(client.get("/v1/models").json()["data"]) == 3
    assert client.get("/health").json()["status"] == "ok"


def test_a_bad_request_names_its_fields(client: TestClient) -> None:
    response = client.post("/v1/chat/completions", json={"model": "m"})
    assert response.status_code == 400
    assert "messages" in response.json()["error"]["message"]


def test_a_body_over_the_limit_is_refused(client: TestClient) -> None:
    response = client.post("/v1/chat/completions", content=b" " * (MAX_BODY_BYTES + 1))
    assert response.status_code == 400
    assert "larger than" in response.json()["error"]["message"]


def test_throttling_carries_retry_after_and_ends(client: TestClient) -> None:
    created = client.post("/_faults", json={"kind": "throttle", "role": "agent", "times": 1, "retry_after_s": 7})
    assert created.status_code == 201
    first, second = (client.post("/v1/chat/completions", json=chat()) for _ in range(2))
    assert (first.status_code, first.headers["retry-after"]) == (429, "7")
    assert second.status_code == 200


def test_errors_can_be_injected_and_lifted(client: TestClient) -> None:
    client.post("/_faults", json={"kind": "error"})
    assert client.post("/v1/chat/completions", json=chat()).status_code == 500
    state = client.get("/_faults").json()
    assert (state["faults"][0]["hit"], state["calls"]) == (1, {"agent": 1, "judge": 0})
    assert client.delete("/_faults").status_code == 204
    assert client.post("/v1/chat/completions", json=chat()).status_code == 200


def test_a_delayed_call_is_answered_as_usual(client: TestClient) -> None:
    client.post("/_faults", json={"kind": "delay", "delay_s": 0.01})
    assert client.post("/v1/chat/completions", json=chat()).status_code == 200


def test_a_malformed_fault_is_refused(client: TestClient) -> None:
    response = client.post("/_faults", content=json.dumps({"kind": "nope"}))
    assert response.status_code == 400
    assert "not a fault" in response.json()["error"]["message"]
