"""An agent as a process of its own, the way a container runs it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
OVERLAYS = ROOT / "local" / "images" / "overlays"
START_S = 30.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, and after how many seconds."""

    status: int
    body: Any
    took_s: float


@dataclass(slots=True)
class AgentProcess:
    """A running agent."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def ask(self, question: object, *, headers: Mapping[str, str] | None = None, **fields: object) -> Reply:
        return self.post(json.dumps({"question": question, **fields}).encode(), headers)

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/invocations", body, {"Content-Type": "application/json", **(headers or {})}
        )
        started = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310 (the address is ours)
                return Reply(reply.status, json.loads(reply.read()), time.monotonic() - started)
        except urllib.error.HTTPError as error:
            return Reply(error.code, json.loads(error.read()), time.monotonic() - started)

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping", timeout=2) as reply:
                return bool(json.loads(reply.read())["status"] == "Healthy")
        except OSError:
            return False

    def log_text(self) -> str:
        return self.log.read_text()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(outside_url: str, mcp_url: str, port: int) -> dict[str, str]:
    """What the host gives a container: no variable of this machine but PATH."""
    return {
        "PATH": os.environ["PATH"],
        "PORT": str(port),
        "MODEL_ID": "a-model",
        "MCP_URL": mcp_url,
        "AWS_ENDPOINT_URL": outside_url,
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "LANGFUSE_PARAMETER_PREFIX": "/langfuse",
        "LANGFUSE_TRACING_ENVIRONMENT": "dev",
        "LANGFUSE_RELEASE": "release-1",
        "ALLOW_OVERRIDES": "true",
        "TOP_K": "2",
    }


def source_tree(folder: Path, overlay: str | None) -> Path:
    """A copy of the agent's source, as an image holds it."""
    shutil.copytree(ROOT / "agent", folder / "agent", ignore=shutil.ignore_patterns("__pycache__"))
    if overlay:
        shutil.copytree(OVERLAYS / overlay, folder / "agent", dirs_exist_ok=True)
    return folder


@contextmanager
def started(environ: Mapping[str, str], folder: Path, *, overlay: str | None = None) -> Iterator[AgentProcess]:
    """Start `python -m agent` from a copy of its source and end it; the caller waits for it to be healthy."""
    tree = source_tree(folder / "tree", overlay)
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "agent"],
            env={**environ, "PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"},
            cwd=tree,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield AgentProcess(process, int(environ["PORT"]), log)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def wait_healthy(agent: AgentProcess) -> float:
    """Seconds until /ping answered 200."""
    began = time.monotonic()
    while time.monotonic() - began < START_S:
        if agent.healthy():
            return time.monotonic() - began
        if agent.process.poll() is not None:
            break
        time.sleep(0.02)
    raise AssertionError(f"the agent is not healthy; its log ends:\n{agent.log_text()[-2000:]}")
