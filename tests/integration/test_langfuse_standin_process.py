"""The stand-in as a process: what it keeps across a kill, how it ends, and what it says when it cannot start."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from local.langfuse.testing import RunningStandIn, StandInStartError, running_stand_in

SPAN = {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "kept", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}


def fill(running: RunningStandIn) -> None:
    with httpx.Client(base_url=f"{running.url}/api/public", auth=running.auth) as client:
        client.post("/v2/datasets", json={"name": "kept"}).raise_for_status()
        for number in range(50):
            client.post("/dataset-items", json={"datasetName": "kept", "input": number}).raise_for_status()
            client.post("/scores", json={"name": "kept", "value": number, "traceId": "t"}).raise_for_status()
        spans = {"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}
        client.post("/otel/v1/traces", json=spans).raise_for_status()
        client.post("/v2/prompts", json={"name": "kept", "prompt": "p"}).raise_for_status()


def test_everything_that_was_answered_survives_a_kill(tmp_path: Path) -> None:
    database = tmp_path / "langfuse.sqlite"
    with running_stand_in(database=database) as running:
        fill(running)
        running.process.send_signal(signal.SIGKILL)
        running.process.wait(5)
    with (
        running_stand_in(database=database) as running,
        httpx.Client(base_url=f"{running.url}/api/public", auth=running.auth) as client,
    ):
        items = client.get("/dataset-items", params={"datasetName": "kept", "limit": 100}).json()
        scores = client.get("/v3/scores", params={"name": "kept", "limit": 100}).json()
        spans = client.get("/v2/observations").json()
        prompt = client.get("/v2/prompts/kept", params={"label": "latest"}).json()
    assert sorted(item["input"] for item in items["data"]) == list(range(50))
    assert sorted(score["value"] for score in scores["data"]) == list(range(50))
    assert [row["name"] for row in spans["data"]] == ["kept"]
    assert prompt["version"] == 1


def test_a_memory_database_starts_empty() -> None:
    for _ in range(2):
        with running_stand_in() as running:
            url = f"{running.url}/api/public/v2/datasets"
            assert httpx.get(url, auth=running.auth).json()["meta"]["totalItems"] == 0
            httpx.post(url, json={"name": "x"}, auth=running.auth).raise_for_status()


def test_it_is_ready_within_a_moment() -> None:
    began = time.monotonic()
    with running_stand_in() as running:
        assert httpx.get(f"{running.url}/api/public/health").status_code == 200
    assert time.monotonic() - began < 30  # a second by itself; a busy machine takes longer


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_it_ends_with_the_process_that_started_it() -> None:
    script = (
        "import time\nfrom local.langfuse.testing import running_stand_in\n"
        "with running_stand_in() as running:\n    print(running.process.pid, flush=True)\n    time.sleep(60)\n"
    )
    root = Path(__file__).parents[2]
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=root, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 5
    while not is_gone(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert is_gone(pid)


def test_ctrl_c_ends_it_quietly() -> None:
    with running_stand_in() as running:
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(5) == 0
        assert running.process.stdout is not None
        assert running.process.stdout.read() == b""


def test_a_taken_port_is_named_with_the_next_step() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(StandInStartError, match=rf"cannot listen on 127.0.0.1:{port}.*Choose another --port"),
            running_stand_in(port=port),
        ):
            pass


def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database, " * 100)
    with pytest.raises(StandInStartError, match=r"notes\.txt.*--db"), running_stand_in(database=file):
        pass
    assert file.read_text() == "not a database, " * 100


def test_a_database_in_use_is_refused(tmp_path: Path) -> None:
    database = tmp_path / "langfuse.sqlite"
    with (
        running_stand_in(database=database),
        pytest.raises(StandInStartError, match="stop the stand-in that has this one open"),
        running_stand_in(database=database),
    ):
        pass


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "70000"], "70000 is no port"),
        (["--port", "x"], "invalid _port value"),
        (["--server-version", "4.16"], "is not of the form 4.16.0"),
        (["--db", "/nonexistent/x.sqlite", "--port", "0"], "unable to open database file"),
    ],
)
def test_wrong_arguments_are_explained(arguments: list[str], said: str) -> None:
    command = [sys.executable, "-m", "local.langfuse", *arguments]
    ended = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=20, check=False
    )
    assert ended.returncode != 0
    assert said in ended.stderr


def test_the_port_comes_from_the_environment_when_none_is_given() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "local.langfuse", "--until-stdin-closes"],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"LANGFUSE_PORT": str(port)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert f"http://127.0.0.1:{port} ".encode() in process.stdout.readline()
    finally:
        process.stdin.close()
        assert process.wait(5) == 0
        process.stdout.close()
