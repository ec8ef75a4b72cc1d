"""Processes of one measurement: started, asked, and ended whatever happens."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.error import URLError
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parents[2]
PUBLIC_KEY, SECRET_KEY = "pk-lf-local", "sk-lf-local"


@dataclass(frozen=True, slots=True)
class Servers:
    """Base URLs."""

    agent: str
    judge: str
    aws: str
    langfuse: str

    def counts(self, name: str) -> dict[str, Any]:
        with urlopen(f"{getattr(self, name)}/counts", timeout=10) as reply:  # noqa: S310 - loopback, ours
            counts: dict[str, Any] = json.load(reply)
        return counts

    def reset(self) -> None:
        for name in ("agent", "judge", "langfuse"):
            with urlopen(Request(f"{getattr(self, name)}/reset", method="POST"), timeout=10):  # noqa: S310
                pass

    def environment(self) -> dict[str, str]:
        """Environment of a process that is measured: nothing of ours but addresses, and no proxy between."""
        kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        return kept | {
            "AWS_ENDPOINT_URL": self.aws,
            "AWS_ENDPOINT_URL_BEDROCK_AGENTCORE": self.agent,
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_EC2_METADATA_DISABLED": "true",
            "LANGFUSE_HOST": self.langfuse,
            "LANGFUSE_PUBLIC_KEY": PUBLIC_KEY,
            "LANGFUSE_SECRET_KEY": SECRET_KEY,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "layers" / "core")]),
            "PYTHONUNBUFFERED": "1",
        }


@contextlib.contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Start agent, judge, AWS services and Langfuse stand-in; end them when the block is left."""
    with contextlib.ExitStack() as stack:
        urls = {}
        for kind in ("agent", "judge", "aws", "langfuse"):
            port = _free_port()
            command = [sys.executable, "-m", "tests.bench.servers", kind, "--port", str(port)]
            if kind == "langfuse":
                command += ["--database", str(folder / "langfuse.sqlite")]
            stack.enter_context(_running(command, folder / f"{kind}.log", os.environ))
            urls[kind] = f"http://127.0.0.1:{port}"
        for kind, url in urls.items():
            _await_answer(f"{url}/counts", folder / f"{kind}.log")
        yield Servers(**urls)


class Worker:
    """A measured process that takes one JSON line and answers with one."""

    def __init__(self, module: str, environment: Mapping[str, str], log: Path, *arguments: str) -> None:
        self.started_s = time.monotonic()
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=dict(environment),
            cwd=ROOT,
            text=True,
        )

    def send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """Raise `RuntimeError` when the process died instead of answering."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the measured process ended without an answer; see {self._log.name}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"the measured process failed: {answer['error']}; see {self._log.name}")
        return answer

    def ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        self.send(message)
        return self.receive()

    def kill(self) -> None:
        """End it as a crash would: at once, with nothing tidied up."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._process)
        self._log.close()


def put(url: str, body: bytes) -> None:
    with urlopen(Request(url, data=body, method="PUT"), timeout=10):  # noqa: S310 - loopback, ours
        pass


@contextlib.contextmanager
def _running(command: list[str], log: Path, environment: Mapping[str, str]) -> Iterator[None]:
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=dict(environment), cwd=ROOT)
        try:
            yield
        finally:
            _end(process)


def _end(process: "subprocess.Popen[Any]") -> None:
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_answer(url: str, log: Path, deadline_s: float = 30.0) -> None:
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        try:
            with urlopen(url, timeout=1):  # noqa: S310 - loopback, ours
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"{url} did not come up in {deadline_s:g} s; see {log}")
