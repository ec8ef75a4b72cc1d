"""One process that stands in for the microVMs of one runtime version.

AgentCore gives each session a microVM of its own; here one process serves all sessions of a version concurrently. An
agent must therefore not keep one session's state in its process, or it would see it locally and not on AWS.
"""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

_PING_EVERY_S = 0.1
_PING_TIMEOUT_S = 2.0
_GRACE_S = 2.0
_LOG_TAIL = 400  # characters


class ContainerExitedError(Exception):
    """The entrypoint ended before it answered /ping; the message has its status and last output."""


class Container:
    """A started process; `wait_healthy` before sending it requests."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self._process, self._log = process, log
        self.url = f"http://127.0.0.1:{port}"
        self.started = self.last_used = time.monotonic()
        self.in_flight = 0
        self.healthy = False
        self.sessions: dict[str, float] = {}

    @classmethod
    async def start(
        cls, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path, port: int
    ) -> "Container":
        """Raises OSError: the program cannot be started."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=dict(env),
                cwd=cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                process_group=0,  # so that what it starts ends with it
            )
        return cls(process, port, log)

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    @property
    def usable(self) -> bool:
        """Whether it may get requests: it runs, and has answered /ping."""
        return self.alive and self.healthy

    async def wait_healthy(self, client: httpx.AsyncClient) -> None:
        """Return when /ping answers 200, however long that takes.

        Raises:
            ContainerExitedError: the process ended first.
        """
        while True:
            if not self.alive:
                raise ContainerExitedError(
                    f"the entrypoint exited with status {self._process.returncode} before it answered /ping: "
                    f"{self._tail()}"
                )
            with contextlib.suppress(httpx.HTTPError):
                response = await client.get(f"{self.url}/ping", timeout=_PING_TIMEOUT_S)
                if response.status_code == httpx.codes.OK and self.alive:
                    self.healthy, self.last_used = True, time.monotonic()
                    return
            await asyncio.sleep(_PING_EVERY_S)

    def _tail(self) -> str:
        try:
            text = self._log.read_bytes()[-4 * _LOG_TAIL :].decode(errors="replace")
        except OSError:
            return "no output"
        return " ".join(text.split())[-_LOG_TAIL:] or "no output"

    async def stop(self) -> None:
        """End the process and all that it started; by force after 2 s."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), _GRACE_S)
        # The rest of its group too: a child that outlived its parent would go on working for a deleted runtime.
        self._signal(signal.SIGKILL)
        await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def free_port() -> int:
    """Port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
