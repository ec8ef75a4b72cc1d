"""The docs server as a process, asked by the client that the agent uses."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from strands.tools.mcp import MCPClient

_START_DEADLINE_S = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def docs_server(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The server, answering; ended when the block ends."""
    process = subprocess.Popen([sys.executable, "-m", "local.docs_mcp", "--port", str(port)])
    try:
        deadline = time.monotonic() + _START_DEADLINE_S
        while True:
            assert process.poll() is None, "the docs server ended while it started"
            assert time.monotonic() < deadline, "the docs server did not start in time"
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health", timeout=1).status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    port = free_port()
    with docs_server(port):
        yield f"http://127.0.0.1:{port}/mcp"


def test_the_tools_have_the_names_of_the_public_server(url: str) -> None:
    with MCPClient(url=url) as client:
        specs = {tool.tool_name: tool.tool_spec for tool in client.list_tools_sync()}
    assert sorted(specs) == ["getLangfuseOverview", "searchLangfuseDocs"]
    schema = specs["searchLangfuseDocs"]["inputSchema"]["json"]
    assert schema["required"] == ["query"]
    assert schema["properties"]["query"]["type"] == "string"


def test_a_search_gives_one_block_a_passage_best_first(url: str) -> None:
    with MCPClient(url=url) as client:
        result = client.call_tool_sync("1", "searchLangfuseDocs", {"query": "data retention"})
    assert result["status"] == "success"
    passages = [json.loads(block["text"]) for block in result["content"]]
    assert len(passages) >= 8
    assert [set(passage) for passage in passages] == [{"title", "url", "text", "score"}] * len(passages)
    assert passages[0]["title"] == "Data retention"


def test_the_overview_is_one_text(url: str) -> None:
    with MCPClient(url=url) as client:
        result = client.call_tool_sync("1", "getLangfuseOverview", {})
    (block,) = result["content"]
    assert block["text"].startswith("# Langfuse overview")


@pytest.mark.parametrize("arguments", [{"query": ""}, {"query": "x" * 2000}, {"q": "x"}, {"query": 7}])
def test_a_bad_query_is_a_tool_error_and_the_server_goes_on(url: str, arguments: dict[str, object]) -> None:
    with MCPClient(url=url) as client:
        assert client.call_tool_sync("1", "searchLangfuseDocs", arguments)["status"] == "error"
        assert client.call_tool_sync("2", "searchLangfuseDocs", {"query": "tags"})["status"] == "success"


def test_a_client_that_reconnects_after_a_restart_is_served() -> None:
    port = free_port()
    for _ in range(2):
        with docs_server(port), MCPClient(url=f"http://127.0.0.1:{port}/mcp") as client:
            assert client.call_tool_sync("1", "searchLangfuseDocs", {"query": "tags"})["status"] == "success"


def test_a_request_for_another_host_name_is_refused(url: str) -> None:
    response = httpx.post(url, headers={"host": "evil.example"}, json={}, timeout=5)
    assert response.status_code == 421


def test_it_ends_on_request_while_a_client_is_connected() -> None:
    port = free_port()
    with docs_server(port) as process:
        client = MCPClient(url=f"http://127.0.0.1:{port}/mcp")
        client.start()
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=10)
        client.stop(None, None, None)
    assert time.monotonic() - started < 6
