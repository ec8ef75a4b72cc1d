"""One agent process for all tests that leave it as it was."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_agent.outside import Outside, listening, outside_world, tool_app
from tests.integration.test_agent.process import AgentProcess, environment, free_port, started, wait_healthy


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[Outside, str]]:
    """SSM, Bedrock and Langfuse; and the URL of the tool server."""
    with outside_world() as outside, listening(tool_app(outside)) as port:
        yield outside, f"http://127.0.0.1:{port}/mcp"


@pytest.fixture(scope="module")
def running(world: tuple[Outside, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    outside, mcp_url = world
    environ = environment(outside.url, mcp_url, free_port())
    folder: Path = tmp_path_factory.mktemp("agent")
    with started(environ, folder) as agent:
        wait_healthy(agent)
        yield agent


@pytest.fixture
def outside(world: tuple[Outside, str]) -> Iterator[Outside]:
    """The outside without faults, before and after a test."""
    world[0].heal()
    yield world[0]
    world[0].heal()


@pytest.fixture
def agent(running: AgentProcess, outside: Outside) -> AgentProcess:
    return running
