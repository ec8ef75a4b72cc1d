"""The supervisor: what `up` starts, `down` ends, whatever happened in between."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from local import processes, stack
from local.ports import choose_ports
from local.services import Service
from local.stack import LocalStackError, StackInfo
from tests.local_agents import SERVER, Agents

ANSWERING = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b'{"version": "4.16.0"}')
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
ALL = ("aws", "agentcore", "langfuse", "model", "mcp")
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + ANSWERING
BREAKING = "raise SystemExit('the database is locked')"
SILENT = "import time; time.sleep(600)"


class Placeholders:
    """Replaces the stack's programs by tiny ones, so that the supervisor alone is tested."""

    def __init__(self) -> None:
        self.code: dict[str, str] = {}

    def __call__(self, state: Path, ports: dict[str, int], *_: Any) -> list[Service]:
        names = {"aws": "ministack"}
        return [
            Service(
                names.get(name, name),
                (sys.executable, "-c", self.code.get(name, ANSWERING), str(port)),
                (("PATH", os.environ["PATH"]),),
                port,
                "/",
            )
            for name, port in ports.items()
        ]


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Placeholders:
    found = Placeholders()
    monkeypatch.setattr(stack, "services", found)
    return found


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "state"
    yield folder
    stack.down(folder)
    assert processes.owned(folder.resolve()) == set()


def up(state: Path, **options: Any) -> StackInfo:
    return stack.up(state=state, **({"environment": {}} | options))


def pids(info: StackInfo) -> dict[str, int]:
    return {name: process.pid for name, process in info.processes.items()}


def test_chosen_ports_are_free_and_distinct_and_stay_the_same() -> None:
    first = choose_ports(ALL, {}, {})

    assert len(set(first.values())) == len(ALL)
    assert choose_ports(ALL, {}, first) == first


def test_up_starts_everything_and_says_where_it_is(programs: Placeholders, state: Path) -> None:
    info = up(state)

    assert stack.load(state) == info
    assert sorted(info.processes) == ["agentcore", "langfuse", "mcp", "ministack", "model"]
    assert all(process.healthy for process in stack.status(state))
    assert (info.langfuse.kind, info.langfuse.version) == ("stand-in", "4.16.0")
    assert info.environment()["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{info.processes['ministack'].port}"


def test_up_twice_starts_nothing_twice(programs: Placeholders, state: Path) -> None:
    assert pids(up(state)) == pids(up(state))


def test_down_twice_is_no_error(programs: Placeholders, state: Path) -> None:
    up(state)

    assert [stack.down(state), stack.down(state)] == [5, 0]
    assert stack.load(state) is None
    assert stack.status(state) == []


def test_down_ends_a_process_that_ignores_the_request(programs: Placeholders, state: Path) -> None:
    programs.code["model"] = STUBBORN
    up(state)
    started = time.monotonic()

    stack.down(state)

    assert processes.owned(state.resolve()) == set()
    assert time.monotonic() - started < 8


def test_up_restarts_what_died_where_it_was_and_leaves_the_rest(programs: Placeholders, state: Path) -> None:
    before = up(state)
    os.kill(before.processes["mcp"].pid, signal.SIGKILL)

    after = up(state)

    changed = {name for name, pid in pids(after).items() if pid != pids(before)[name]}
    assert changed == {"mcp"}
    assert after.processes["mcp"].port == before.processes["mcp"].port


def test_the_agentcore_host_is_restarted_with_the_emulator(programs: Placeholders, state: Path) -> None:
    before = up(state)
    os.kill(before.processes["ministack"].pid, signal.SIGKILL)

    after = up(state)

    assert {name for name, pid in pids(after).items() if pid != pids(before)[name]} == {"ministack", "agentcore"}


def test_a_process_that_no_longer_answers_is_replaced(programs: Placeholders, state: Path) -> None:
    before = up(state)
    os.kill(before.processes["model"].pid, signal.SIGSTOP)

    after = up(state)

    assert after.processes["model"].pid != before.processes["model"].pid
    assert all(process.healthy for process in stack.status(state))


def test_a_process_id_that_is_somebody_elses_now_is_left_alone(programs: Placeholders, state: Path) -> None:
    info = up(state)
    stack.down(state)
    stranger = subprocess.Popen([sys.executable, "-c", SILENT])
    try:
        stale = {name: replace(process, pid=stranger.pid) for name, process in info.processes.items()}
        replace(info, processes=stale).save(state)

        assert [process.running for process in stack.status(state)] == [False] * 5
        up(state)
        stack.down(state)

        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"aws": 1}', "\x00" * 100])
def test_a_damaged_state_file_is_no_obstacle(programs: Placeholders, state: Path, content: str) -> None:
    first = up(state)
    (state / "stack.json").write_text(content)

    second = up(state)

    assert stack.status(state)
    assert processes.owned(state.resolve()) == set(pids(second).values())
    assert not set(pids(first).values()) & set(pids(second).values())


def test_a_port_in_use_is_named_and_nothing_is_started(programs: Placeholders, state: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(LocalStackError, match=rf"port {port} .* asked for model, is in use .*--port model=N"):
            up(state, ports={"model": port})

    assert processes.owned(state.resolve()) == set()


def test_a_configured_port_is_used_and_a_running_process_moves_to_it(programs: Placeholders, state: Path) -> None:
    before = up(state)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    after = up(state, ports={"mcp": port})

    assert after.processes["mcp"].port == port
    assert after.processes["model"].pid == before.processes["model"].pid


def test_a_program_that_ends_at_once_is_reported_with_its_last_words(programs: Placeholders, state: Path) -> None:
    programs.code["langfuse"] = BREAKING

    with pytest.raises(LocalStackError, match=r"(?s)langfuse ended while starting.*the database is locked"):
        up(state)

    assert processes.owned(state.resolve()) == set()


def test_a_program_that_never_answers_is_reported_in_time(
    programs: Placeholders, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.code["model"] = SILENT
    monkeypatch.setattr(stack, "_HEALTHY_IN_S", 1.0)

    with pytest.raises(LocalStackError, match="model does not answer after 1 s"):
        up(state)

    assert processes.owned(state.resolve()) == set()


def test_what_the_environment_names_is_not_started(programs: Placeholders, state: Path) -> None:
    outside = up(state / "outside", only=("aws", "agentcore", "langfuse"))
    named = {
        "LANGFUSE_HOST": outside.langfuse.url + "/",
        "LANGFUSE_PUBLIC_KEY": "pk",
        "LANGFUSE_SECRET_KEY": "sk",
        "MODEL_BASE_URL": "http://127.0.0.1:11434/v1",
        "MCP_URL": "http://127.0.0.1:1/mcp",
    }
    try:
        info = up(state, environment=named)
    finally:
        stack.down(state / "outside")

    assert sorted(info.processes) == ["agentcore", "ministack"]
    assert (info.langfuse.url, info.langfuse.kind, info.langfuse.version) == (outside.langfuse.url, "real", "4.16.0")
    assert (info.model_url, info.mcp_url) == (named["MODEL_BASE_URL"], named["MCP_URL"])


def test_down_ends_containers_whose_host_was_killed(
    state: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    info = up(state, only=("aws", "agentcore"))
    for name, value in info.environment().items():
        monkeypatch.setenv(name, value)
    agents = Agents(info, tmp_path)
    pid = agents.invoke(agents.ready(SERVER % "x")["agentRuntimeArn"], {})["pid"]
    os.kill(info.processes["agentcore"].pid, signal.SIGKILL)
    assert pid in processes.owned(state.resolve())

    stack.down(state)

    assert processes.owned(state.resolve()) == set()


def test_the_emulator_listens_on_the_loopback_only(state: Path) -> None:
    info = up(state, only=("aws", "agentcore"))

    for process in info.processes.values():
        listening = listeners(process.pid)
        assert listening == {("127.0.0.1", process.port)}


def listeners(pid: int) -> set[tuple[str, int]]:
    """Listening IPv4 sockets of a process; that there are none on IPv6 is part of the answer."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        target = str(entry.readlink())
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                address, port = fields[1].split(":")
                host = socket.inet_ntoa(bytes.fromhex(address)[::-1]) if table == "tcp" else address
                found.add((host, int(port, 16)))
    return found


def test_the_real_emulator_knows_its_caller(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = up(state, only=("aws", "agentcore"))
    for name, value in info.environment().items():
        monkeypatch.setenv(name, value)

    assert boto3.client("sts").get_caller_identity()["Account"] == info.aws.account
