"""The end-to-end tests' small agents: what they send is a Strands agent's trace, whose tools every reader finds."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from flywheel.adapters.langfuse import LangfuseApi, LangfuseCredentials
from flywheel.adapters.langfuse_reviews import LangfuseLiveReviews
from local.langfuse.testing import RunningStandIn, running_stand_in
from tests.e2e.agents import Told, write_program

QUESTION = "How long is data kept?"
SESSION = {"x-amzn-bedrock-agentcore-runtime-session-id": "s" * 40}


@pytest.fixture(scope="module")
def langfuse() -> Iterator[RunningStandIn]:
    with running_stand_in() as running:
        yield running


@pytest.fixture(scope="module")
def ssm(langfuse: RunningStandIn) -> Iterator[str]:
    """SSM as far as the agent asks it."""
    values = {"HOST": langfuse.url, "PUBLIC_KEY": langfuse.public_key, "SECRET_KEY": langfuse.secret_key}

    class Parameters(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found = [{"Name": f"/langfuse/LANGFUSE_{name}", "Value": value} for name, value in values.items()]
            body = json.dumps({"Parameters": found}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Parameters)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture(scope="module")
def agent(ssm: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("image") / "agent"
    write_program(Told(answers={QUESTION: "Thirty days."}), folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "PORT": str(port),
        "AWS_ENDPOINT_URL_SSM": ssm,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "LANGFUSE_PARAMETER_PREFIX": "/langfuse",
        "LANGFUSE_TRACING_ENVIRONMENT": "dev",
    }
    with subprocess.Popen([sys.executable, str(folder)], env=environment) as process:
        url = f"http://127.0.0.1:{port}"
        for _ in range(200):
            try:
                httpx.get(f"{url}/ping").raise_for_status()
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield url
        process.terminate()


def observations(api: LangfuseApi, by: tuple[str, str], expected: int) -> list[dict[str, Any]]:
    end = time.monotonic() + 20
    while True:
        query: list[tuple[str, str | int]] = [by, ("fields", "core,basic,io,trace_context")]
        rows: list[dict[str, Any]] = api.get("v2/observations", query)["data"]
        if len(rows) >= expected or time.monotonic() > end:
            return rows
        time.sleep(0.1)


@pytest.fixture
def api(langfuse: RunningStandIn) -> LangfuseApi:
    return LangfuseApi(LangfuseCredentials(langfuse.url, langfuse.public_key, langfuse.secret_key))


def test_an_answer_leaves_an_agent_a_model_call_and_a_tool_named_as_the_tool(agent: str, api: LangfuseApi) -> None:
    trace, parent = "a" * 32, "b" * 16
    headers = SESSION | {"traceparent": f"00-{trace}-{parent}-01", "baggage": "langfuse.release=c-1,private=x"}
    asked = {"question": QUESTION, "user_id": "u", "tags": ["one", "two"]}
    reply = httpx.post(f"{agent}/invocations", json=asked, headers=headers).raise_for_status().json()

    rows = {row["name"]: row for row in observations(api, ("traceId", trace), 3)}

    assert reply["trace_id"] == trace
    assert {name: row["type"] for name, row in rows.items()} == {
        "answer_question": "AGENT",
        "chat": "GENERATION",
        "searchLangfuseDocs": "TOOL",
    }
    root = rows["answer_question"]
    assert root["parentObservationId"] == parent
    assert {rows[name]["parentObservationId"] for name in ("chat", "searchLangfuseDocs")} == {root["id"]}
    assert {(row["environment"], row["release"], row["userId"], row["sessionId"]) for row in rows.values()} == {
        ("dev", "c-1", "u", "s" * 40)
    }
    assert {tuple(row["tags"]) for row in rows.values()} == {("one", "two")}


def test_the_harvest_reads_its_trajectory(agent: str, api: LangfuseApi) -> None:
    """Asked as users ask, without a trace of theirs: the agent's own span is the root."""
    session = "t" * 40
    httpx.post(f"{agent}/invocations", json={"question": QUESTION}, headers=dict.fromkeys(SESSION, session))
    rows = observations(api, ("sessionId", session), 3)
    (trace,) = {row["traceId"] for row in rows}

    found = LangfuseLiveReviews(api).traces([trace], around=[datetime.now(UTC)])

    assert (found[trace].question, found[trace].tools) == (QUESTION, ("searchLangfuseDocs",))


def test_a_tool_span_without_the_tool_s_own_name_is_read_by_the_span_s(api: LangfuseApi) -> None:
    trace, root = "d" * 32, "e" * 16
    start = time.time_ns() - 1_000_000_000
    kinds = {"langfuse.observation.type": "tool", "langfuse.observation.input": "{}"}

    def span(name: str, number: int, parent: str | None, attributes: dict[str, str]) -> dict[str, Any]:
        wire = {
            "traceId": trace,
            "spanId": root if parent is None else f"{number:016x}",
            "name": name,
            "startTimeUnixNano": str(start + number * 1_000_000),
            "endTimeUnixNano": str(start + 900_000_000),
            "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
        }
        return wire if parent is None else wire | {"parentSpanId": parent}

    spans = [span("agent", 0, None, {"langfuse.observation.input": QUESTION})]
    spans += [
        span("execute_tool search", 1, root, kinds),
        span("read_page", 2, root, kinds),
        span("whatever", 3, root, kinds | {"gen_ai.tool.name": "search"}),
    ]
    api.post("otel/v1/traces", {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})
    assert len(observations(api, ("traceId", trace), 4)) == 4

    found = LangfuseLiveReviews(api).traces([trace], around=[datetime.now(UTC)])

    assert found[trace].tools == ("search", "read_page", "search")
