"""What an agent does while something outside is down, and when it is back."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.test_agent.outside import Outside, listening, outside_world, tool_app
from tests.integration.test_agent.process import AgentProcess, environment, free_port, started, wait_healthy

type Start = Callable[..., tuple[AgentProcess, Outside]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts an agent with an outside of its own; `mcp_port` None brings a tool server along."""
    with ExitStack() as stack:

        def make(*, mcp_port: int | None = None, without: tuple[str, ...] = ()) -> tuple[AgentProcess, Outside]:
            outside = stack.enter_context(outside_world())
            port = mcp_port or stack.enter_context(listening(tool_app(outside)))
            environ = environment(outside.url, f"http://127.0.0.1:{port}/mcp", free_port())
            agent = stack.enter_context(started({k: v for k, v in environ.items() if k not in without}, tmp_path))
            wait_healthy(agent)
            return agent, outside

        yield make


def test_a_tool_server_that_goes_and_comes_back_costs_only_the_requests_in_between(start: Start) -> None:
    port = free_port()
    agent, outside = start(mcp_port=port)

    before = agent.ask("q")
    with listening(tool_app(outside), port):
        up = agent.ask("q")
    gone = agent.ask("q")
    with listening(tool_app(outside), port):
        back = agent.ask("q")

    assert (before.status, before.body["error"]) == (503, "tools_unavailable")
    assert up.status == 200
    assert (gone.status, gone.body["error"]) == (503, "tools_unavailable")
    assert back.status == 200
    assert [call["error"] for call in back.body["trajectory"]] == [False, False]


def test_a_langfuse_that_hangs_costs_one_request_its_budget_and_fails_none(start: Start) -> None:
    agent, outside = start()
    agent.ask("warm")
    outside.langfuse_hangs_s = 12

    replies = [agent.ask("q") for _ in range(5)]

    assert [reply.status for reply in replies] == [200] * 5
    assert 2.9 < replies[0].took_s < 6
    assert all(reply.took_s < 2 for reply in replies[1:])
    assert all(reply.body["latency_ms"] < 2000 for reply in replies)
    ends = time.monotonic()
    agent.process.terminate()
    agent.process.wait(15)
    assert time.monotonic() - ends < 6


def test_spans_of_a_short_outage_arrive_when_langfuse_is_back(start: Start) -> None:
    agent, outside = start()
    agent.ask("warm")
    outside.langfuse_status = 503
    lost = agent.ask("q").body["trace_id"]
    outside.langfuse_status = 200

    deadline = time.monotonic() + 20
    while not outside.spans_of(lost) and time.monotonic() < deadline:
        time.sleep(0.1)

    assert "answer_question" in {span["name"] for span in outside.spans_of(lost)}


def test_an_ssm_that_is_down_costs_the_traces_but_no_answer(start: Start) -> None:
    agent, outside = start()
    outside.ssm_status = 500

    reply = agent.ask("q")

    assert reply.status == 200
    assert outside.spans == []
    assert "no traces" in agent.log_text()


def test_a_runtime_without_langfuse_answers_too(start: Start) -> None:
    agent, outside = start(without=("LANGFUSE_PARAMETER_PREFIX",))

    assert agent.ask("q").status == 200
    assert outside.spans == []


def test_a_production_runtime_takes_no_overrides(start: Start) -> None:
    agent, outside = start(without=("ALLOW_OVERRIDES",))

    reply = agent.ask("q", overrides={"top_k": 1})

    assert (reply.status, reply.body["error"]) == (422, "override_refused")
    assert outside.model_requests == []


def test_a_wrong_environment_ends_the_process_with_all_causes(tmp_path: Path) -> None:
    environ = environment("http://127.0.0.1:1", "ftp://tools", free_port()) | {"TOP_K": "many"}
    with started(environ, tmp_path) as agent:
        assert agent.process.wait(20) == 2

    assert "MCP_URL: must start with http" in agent.log_text()
    assert "TOP_K" in agent.log_text()


def test_it_is_healthy_soon_and_small(start: Start, tmp_path: Path) -> None:
    agent, _ = start()
    agent.ask("q")

    status = Path(f"/proc/{agent.process.pid}/status").read_text()
    resident_kb = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
    assert resident_kb < 250_000
