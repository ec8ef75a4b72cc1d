"""Each image of the demo does what its name says, and nothing else."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.test_agent.outside import listening, outside_world, tool_app
from tests.integration.test_agent.process import (
    OVERLAYS,
    ROOT,
    AgentProcess,
    environment,
    free_port,
    started,
    wait_healthy,
)

NAMES = ["crashing", "never_ready", "regressed", "repaired", "slow"]


@contextmanager
def overlaid(name: str, folder: Path) -> Iterator[AgentProcess]:
    with outside_world() as outside, listening(tool_app(outside)) as port:
        environ = environment(outside.url, f"http://127.0.0.1:{port}/mcp", free_port())
        with started(environ, folder, overlay=name) as agent:
            yield agent


def test_these_are_all_overlays_and_each_replaces_one_file() -> None:
    assert sorted(path.name for path in OVERLAYS.iterdir() if path.is_dir()) == NAMES
    for name in NAMES:
        (replaced,) = [path for path in (OVERLAYS / name).rglob("*") if path.is_file() and path.suffix == ".py"]
        assert (ROOT / "agent" / replaced.relative_to(OVERLAYS / name)).is_file()


def test_the_regressed_search_differs_from_the_real_one_in_its_ranking_only() -> None:
    real = (ROOT / "agent" / "search.py").read_text().splitlines()
    regressed = (OVERLAYS / "regressed" / "search.py").read_text().splitlines()

    assert len([line for line in real if line not in regressed]) <= 4


def test_regressed_answers_everything_without_the_best_results(tmp_path: Path) -> None:
    with overlaid("regressed", tmp_path) as agent:
        wait_healthy(agent)
        reply = agent.ask("What is a trace?", overrides={"top_k": 1})

    assert reply.status == 200
    assert "fact-" in reply.body["answer"]


def test_crashing_fails_on_a_fifth_of_the_questions_and_always_the_same(tmp_path: Path) -> None:
    with overlaid("crashing", tmp_path) as agent:
        wait_healthy(agent)
        first = [agent.ask(f"Question {n}?").status for n in range(40)]
        again = [agent.ask(f"Question {n}?").status for n in range(40)]

    assert first == again
    assert set(first) == {200, 500}
    assert 4 <= first.count(500) <= 12


def test_slow_adds_more_than_five_seconds_side_by_side(tmp_path: Path) -> None:
    with overlaid("slow", tmp_path) as agent:
        wait_healthy(agent)
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda n: agent.ask(f"Question {n}?"), range(8)))

    assert [reply.status for reply in replies] == [200] * 8
    assert all(reply.body["latency_ms"] > 5000 for reply in replies)
    assert all(reply.took_s < 12 for reply in replies)


def test_never_ready_runs_but_never_listens(tmp_path: Path) -> None:
    with overlaid("never_ready", tmp_path) as agent:
        with pytest.raises(subprocess.TimeoutExpired):
            agent.process.wait(4)

        assert not agent.healthy()


def test_repaired_asks_in_the_words_of_the_documentation_where_it_is_about_a_lambda_function(tmp_path: Path) -> None:
    with outside_world() as outside, listening(tool_app(outside)) as port:
        environ = environment(outside.url, f"http://127.0.0.1:{port}/mcp", free_port())
        with started(environ, tmp_path, overlay="repaired") as agent:
            wait_healthy(agent)
            agent.ask("Why does my AWS Lambda function lose its last spans?")
            agent.ask("What is a span?")

    asked = [str(request["messages"][0]) for request in outside.model_requests if len(request["messages"]) == 1]
    assert "Why does my process lose its last events?" in asked[0]
    assert "What is a span?" in asked[-1]
