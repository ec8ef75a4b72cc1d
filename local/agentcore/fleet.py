"""All containers of the host: one per runtime version, started once, restarted on demand, stopped when idle."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import httpx

from local.agentcore import command
from local.agentcore.container import Container, ContainerExitedError, free_port
from local.agentcore.control_plane import ControlPlane, ControlPlaneError, RuntimeVersion
from local.agentcore.image_store import ImageStore
from local.agentcore.replies import client_error, invalid, not_found
from local.images.oci import ImageError

logger = logging.getLogger("agentcore")

type State = Literal["STARTING", "READY", "FAILED"]
type Key = tuple[str, str]

START_LIMIT_S = 120.0  # AgentCore's limit for an invocation that has to start its microVM


@dataclass(slots=True)
class _Slot:
    """One version: what it is, how far it got, and its process."""

    version: RuntimeVersion | None = None
    state: State = "STARTING"
    reason: str = ""
    container: Container | None = None
    starting: asyncio.Task[None] | None = None
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))


class Fleet:
    """`url` is the host's own, from which containers fetch credentials; `endpoints` go into every container."""

    def __init__(
        self,
        control: ControlPlane,
        images: ImageStore,
        client: httpx.AsyncClient,
        *,
        url: str,
        logs: Path,
        endpoints: Mapping[str, str],
    ) -> None:
        self._control, self._images, self._client = control, images, client
        self._url, self._logs, self._endpoints = url, logs, dict(endpoints)
        self._slots: dict[Key, _Slot] = {}
        self._routes: dict[Key, str] = {}
        self._moves = 0

    async def state(self, runtime_id: str, version: str, wait_s: float) -> tuple[State, str]:
        """Start the version unless that was done; its state and reason, once decided or after `wait_s`."""
        slot = self._slots.get((runtime_id, version)) or self._begin((runtime_id, version))
        if slot.starting is not None and not slot.starting.done():
            await asyncio.wait([slot.starting], timeout=wait_s)
        return slot.state, slot.reason

    def _begin(self, key: Key) -> _Slot:
        slot = self._slots.setdefault(key, _Slot())
        if slot.starting is None or slot.starting.done():
            slot.starting = asyncio.create_task(self._start(key, slot))
        return slot

    async def _start(self, key: Key, slot: _Slot) -> None:
        started = time.monotonic()
        try:
            if slot.version is None:
                slot.version = await asyncio.to_thread(self._control.version, *key)
            version = slot.version
            await asyncio.to_thread(self._control.check_role, version.role_arn)
            _, root, config = await asyncio.to_thread(self._images.fetch, version.repository, version.reference)
            port = free_port()
            env = command.environment(
                config, root, version, port=port, endpoints=self._endpoints | self._credentials(slot)
            )
            slot.container = await Container.start(
                command.command_line(config, root),
                env=env,
                cwd=command.working_folder(config, root),
                log=self._logs / f"{key[0]}-{key[1]}.log",
                port=port,
            )
            await slot.container.wait_healthy(self._client)
        except (ControlPlaneError, ImageError, ContainerExitedError, OSError) as error:
            slot.reason = str(error)
            if slot.state != "READY":  # a version that was ready stays so; its invocations fail
                slot.state = "FAILED"
            logger.warning("%s version %s failed: %s", *key, error)
            return
        except asyncio.CancelledError:
            if slot.container is not None:
                await slot.container.stop()
            raise
        slot.state, slot.reason = "READY", ""
        logger.info("%s version %s ready after %.1f s", *key, time.monotonic() - started)

    def _credentials(self, slot: _Slot) -> dict[str, str]:
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self._url}/_control/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": slot.token,
        }

    async def credentials(self, token: str) -> dict[str, str] | None:
        """Credentials for the container that was given `token`; None when there is none.

        Raises:
            ControlPlaneError: the role cannot be assumed.
        """
        for (runtime_id, _), slot in self._slots.items():
            if slot.version is not None and secrets.compare_digest(slot.token.encode(), token.encode()):
                return await asyncio.to_thread(self._control.credentials, slot.version.role_arn, runtime_id)
        return None

    async def route(self, runtime_id: str, qualifier: str) -> str:
        """Live version behind an endpoint.

        Raises:
            DataPlaneError: no such runtime or endpoint, or nothing is live yet.
        """
        key = (runtime_id, qualifier)
        if key in self._routes:
            return self._routes[key]
        moves = self._moves
        try:
            version = await asyncio.to_thread(self._control.live_version, runtime_id, qualifier)
        except ControlPlaneError as error:
            if error.missing:
                raise not_found(
                    f"No endpoint or agent found with qualifier '{qualifier}' for agent '{runtime_id}'"
                ) from error
            raise client_error(f"the control plane did not answer: {error}") from error
        if version is None:
            raise invalid(f"the endpoint {qualifier} of {runtime_id} has no live version yet; wait until it is READY")
        if moves == self._moves:  # else it may have moved while we asked
            self._routes[key] = version
        return version

    def forget_routes(self, runtime_id: str) -> None:
        self._moves += 1
        for key in [key for key in self._routes if key[0] == runtime_id]:
            del self._routes[key]

    @contextlib.asynccontextmanager
    async def use(
        self, runtime_id: str, version: str, session_id: str
    ) -> AsyncIterator[tuple[Container, RuntimeVersion]]:
        """A healthy container of the version, started if it is not running; counted as busy inside the block.

        Raises:
            DataPlaneError: 424, it cannot be started, or not within 120 s.
        """
        key = (runtime_id, version)
        slot = self._slots.get(key)
        container = slot.container if slot else None
        if slot is None or container is None or not container.usable:
            slot = self._begin(key)
            if slot.starting is not None:
                await asyncio.wait([slot.starting], timeout=START_LIMIT_S)
            container = slot.container
        if slot.version is None or container is None or not container.usable:
            raise client_error(
                "Runtime health check failed or timed out. Please make sure that health check is implemented according "
                f"to the requirements. {slot.reason}".strip()
            )
        container.in_flight += 1
        container.sessions[session_id] = container.last_used = time.monotonic()
        try:
            yield container, slot.version
        finally:
            container.in_flight -= 1
            container.sessions[session_id] = container.last_used = time.monotonic()

    def end_session(self, runtime_id: str, version: str, session_id: str) -> bool:
        """Whether there was such a session."""
        slot = self._slots.get((runtime_id, version))
        return bool(slot and slot.container and slot.container.sessions.pop(session_id, None) is not None)

    async def stop_runtime(self, runtime_id: str) -> None:
        """End and forget every version of the runtime; returns when no process is left."""
        self.forget_routes(runtime_id)
        slots = [self._slots.pop(key) for key in [key for key in self._slots if key[0] == runtime_id]]
        await asyncio.gather(*(_stopped(slot) for slot in slots))

    async def stop_all(self) -> None:
        slots = list(self._slots.values())
        self._slots.clear()
        await asyncio.gather(*(_stopped(slot) for slot in slots))

    async def stop_idle(self) -> None:
        """End idle sessions and the containers that have none left or have lived too long."""
        now = time.monotonic()
        for slot in list(self._slots.values()):
            container, version = slot.container, slot.version
            if container is None or version is None or not container.usable:
                continue
            for session, used in list(container.sessions.items()):
                if now - used > version.idle_s:
                    del container.sessions[session]
            idle = not container.in_flight and now - container.last_used > version.idle_s
            if idle or (not container.in_flight and now - container.started > version.lifetime_s):
                slot.container = None
                await container.stop()
                logger.info("%s version %s stopped: idle", version.runtime_id, version.version)

    def describe(self) -> list[dict[str, object]]:
        return [
            {
                "runtime": runtime_id,
                "version": version,
                "state": slot.state,
                "reason": slot.reason,
                "running": bool(slot.container and slot.container.alive),
                "sessions": len(slot.container.sessions) if slot.container else 0,
                "in_flight": slot.container.in_flight if slot.container else 0,
            }
            for (runtime_id, version), slot in self._slots.items()
        ]


async def _stopped(slot: _Slot) -> None:
    if slot.starting is not None and not slot.starting.done():
        slot.starting.cancel()
        await asyncio.wait([slot.starting])
    if slot.container is not None:
        await slot.container.stop()
