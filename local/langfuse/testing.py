"""A stand-in in a process of its own for as long as a `with` block: for tests, on a free port of the loopback."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.langfuse.settings import Settings

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 5.0
# What a stand-in needs in its environment to call what runs on this machine, on any port.
LOOPBACK_ALLOWED = {
    "LANGFUSE_LLM_CONNECTION_WHITELISTED_HOST": "127.0.0.1,localhost",
    "LANGFUSE_WEBHOOK_WHITELISTED_HOST": "127.0.0.1:*,localhost:*",
}
_ROOT = Path(__file__).parents[2]


class StandInStartError(Exception):
    """The process ended, or said nothing in time: the message has what it wrote."""


@dataclass(frozen=True, slots=True)
class RunningStandIn:
    url: str
    public_key: str
    secret_key: str
    project_id: str
    user_id: str
    process: subprocess.Popen[bytes]

    @property
    def auth(self) -> tuple[str, str]:
        """For httpx: `httpx.Client(base_url=lf.url, auth=lf.auth)`."""
        return self.public_key, self.secret_key

    @property
    def environment(self) -> dict[str, str]:
        """The names under which the SDK and our functions look for a Langfuse."""
        return {
            "LANGFUSE_HOST": self.url,
            "LANGFUSE_PUBLIC_KEY": self.public_key,
            "LANGFUSE_SECRET_KEY": self.secret_key,
        }


@contextmanager
def running_stand_in(
    *,
    server_version: str = "4.16.0",
    database: str | Path = ":memory:",
    deletion_delay_s: float = 60.0,
    evaluation_delay_s: float = Settings().evaluation_delay_s,
    port: int = 0,
    public_key: str = Settings().public_key,
    reaches_loopback: bool = True,
) -> Iterator[RunningStandIn]:
    """A stand-in that listens when the block is entered and is gone when it is left.

    It ends with this process even when this one is killed. `database` names a file to keep or to go on with. The SDK
    keeps one client a public key and process, so a test that uses the SDK gives a `public_key` of its own. Models and
    receivers on this machine are allow-listed unless `reaches_loopback` is False.

    Raises:
        StandInStartError: it could not start.
    """
    settings = Settings()
    command = [sys.executable, "-m", "local.langfuse", "--until-stdin-closes", "--port", str(port)]
    command += ["--db", str(database), "--server-version", server_version, "--deletion-delay", str(deletion_delay_s)]
    command += ["--public-key", public_key, "--evaluation-delay", str(evaluation_delay_s)]
    process = subprocess.Popen(
        command,
        cwd=_ROOT,
        env=_environment(reaches_loopback=reaches_loopback),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        yield RunningStandIn(
            url=_announced(process),
            public_key=public_key,
            secret_key=settings.secret_key,
            project_id=settings.project_id,
            user_id=settings.user_id,
            process=process,
        )
    finally:
        _stop(process)


def _environment(*, reaches_loopback: bool) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if "_WHITELISTED_" not in name}
    return kept | (LOOPBACK_ALLOWED if reaches_loopback else {})


def _announced(process: subprocess.Popen[bytes]) -> str:
    """The address in the first line that the process writes once it listens."""
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    deadline = time.monotonic() + _START_TIMEOUT_S
    written = b""
    while time.monotonic() < deadline:
        if not select.select([process.stdout], [], [], deadline - time.monotonic())[0]:
            break
        line = process.stdout.readline()
        written += line
        for word in line.split():
            if word.startswith(b"http://"):
                return word.decode()
        if not line:
            break
    raise StandInStartError(f"the Langfuse stand-in did not start: {written.decode(errors='replace')}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
