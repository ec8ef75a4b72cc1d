"""Supervisor of the local stack: up, down, status. Everything that it starts is found again and ended by `down`."""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from local import processes
from local.errors import LocalStackError
from local.health import answer
from local.ports import NAMES, choose_ports
from local.services import (
    ACCOUNT,
    KEY_ID,
    PUBLIC_KEY,
    REGION,
    SECRET,
    SECRET_KEY,
    Outside,
    Service,
    process_name,
    services,
    wanted,
)
from local.stack_info import FILE, Aws, Langfuse, Process, StackInfo, load
from local.tools import ROOT, STATE, environment_of

__all__ = ["LocalStackError", "ProcessStatus", "StackInfo", "down", "load", "status", "up"]

_HEALTHY_IN_S = 45.0
_LOG_TAIL = 600  # characters

type Report = Callable[[str], None]


def _silent(_: str) -> None:
    return


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """`running`: the process lives and is ours; `healthy`: it answers too."""

    name: str
    pid: int
    port: int
    running: bool
    healthy: bool
    log: str


def up(
    *,
    ports: Mapping[str, int] | None = None,
    environment: Mapping[str, str] | None = None,
    state: Path = STATE,
    report: Report = _silent,
    only: Sequence[str] = NAMES,
) -> StackInfo:
    """Start what is not running as it should, and wait until everything answers; safe to repeat.

    Args:
        ports: ports asked for, by name (`aws`, `agentcore`, `langfuse`, `model`, `mcp`).
        environment: where LANGFUSE_*, MODEL_BASE_URL and MCP_URL replace a stand-in; None = this process's own.
        state: folder of everything that the stack writes.
        report: gets a line of progress now and then.
        only: part of the stack, by the names of its ports; the addresses of the rest are empty then.

    Raises:
        LocalStackError: a port is in use, a tool is missing, or a process ends or does not answer in 45 s; what was
            started by this call is ended again then.
    """
    state = state.resolve()
    outside = Outside.from_environment(os.environ if environment is None else environment)
    with _locked(state):
        before = load(state)
        ministack = environment_of("ministack")
        known = dict(before.processes) if before else {}
        listed = [name for name in wanted(outside) if name in only]
        alive = _alive(state, known)
        chosen = _ports(listed, dict(ports or {}), known, alive)
        desired = services(state, chosen, outside, ministack)
        kept = {s.name: known[s.name] for s in desired if s.name in alive and known[s.name].key == s.key}
        kept = {name: process for name, process in kept.items() if _answers(desired, name)}
        if "ministack" not in kept:
            kept.pop("agentcore", None)  # its containers belong to runtimes that are gone with the emulator
        _end_others(state, kept)
        running = dict(kept)
        try:
            for service in desired:
                if service.name not in running:
                    running[service.name] = _start(service, state)
            info = _describe(chosen, outside, running)
            info.save(state)
            if len(running) > len(kept):
                report(f"starting {', '.join(name for name in running if name not in kept)}")
            _wait(desired, running, state, report)
            info = _with_version(info)
            info.save(state)
        except BaseException:
            processes.end_all(state, [p.pid for name, p in running.items() if name not in kept])
            raise
    return info


def _alive(state: Path, known: Mapping[str, Process]) -> set[str]:
    ours = processes.owned(state)
    return {name for name, process in known.items() if process.pid in ours}


def _ports(
    listed: Sequence[str], asked: dict[str, int], known: Mapping[str, Process], alive: set[str]
) -> dict[str, int]:
    held = {n: known[process_name(n)].port for n in listed if process_name(n) in alive}
    kept = {name: port for name, port in held.items() if asked.get(name, port) == port}
    before = {n: known[process_name(n)].port for n in listed if process_name(n) in known}
    rest = [name for name in listed if name not in kept]
    return kept | choose_ports(rest, asked, before)


def _answers(desired: Sequence[Service], name: str) -> bool:
    return any(s.name == name and answer(s.url + s.health) is not None for s in desired)


def _end_others(state: Path, kept: Mapping[str, Process]) -> None:
    """End everything of this stack that does not belong to a process that stays (by its session)."""
    sessions = {process.pid for process in kept.values()}
    others = set()
    for pid in processes.owned(state):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) not in sessions:
                others.add(pid)
    if others:
        processes.end(state, others, grace_s=2.0)


def _start(service: Service, state: Path) -> Process:
    log = state / "logs" / f"{service.name}.log"
    (state / "tmp").mkdir(parents=True, exist_ok=True)
    try:
        pid = processes.start(service.command, env=dict(service.env), log=log, state=state, cwd=ROOT)
    except OSError as error:
        raise LocalStackError(
            f"{service.name} cannot be started: {error}; `make setup` repairs environments"
        ) from error
    return Process(pid, service.port, str(log), service.key)


def _wait(desired: Sequence[Service], running: Mapping[str, Process], state: Path, report: Report) -> None:
    deadline = time.monotonic() + _HEALTHY_IN_S
    started = time.monotonic()
    missing = {service.name: service for service in desired}
    while missing:
        alive = _alive(state, running)
        for name, service in list(missing.items()):
            if name not in alive:
                raise LocalStackError(
                    f"{name} ended while starting; its log {running[name].log} says: {_tail(running[name])}"
                )
            if answer(service.url + service.health, 1.0) is not None:
                del missing[name]
                report(f"{name} answers on port {service.port} ({time.monotonic() - started:.1f} s)")
        if missing and time.monotonic() > deadline:
            name = next(iter(missing))
            raise LocalStackError(
                f"{name} does not answer after {_HEALTHY_IN_S:.0f} s; "
                f"its log {running[name].log} says: {_tail(running[name])}"
            )
        if missing:
            time.sleep(0.1)


def _tail(process: Process) -> str:
    try:
        return Path(process.log).read_bytes()[-_LOG_TAIL:].decode(errors="replace").strip() or "nothing"
    except OSError:
        return "nothing"


def _describe(ports: Mapping[str, int], outside: Outside, running: dict[str, Process]) -> StackInfo:
    url = {name: f"http://127.0.0.1:{ports[name]}" if name in ports else "" for name in NAMES}
    real = outside.langfuse_host is not None
    return StackInfo(
        aws=Aws(url["aws"], REGION, ACCOUNT, KEY_ID, SECRET),
        langfuse=Langfuse(
            outside.langfuse_host or url["langfuse"],
            outside.langfuse_public_key or PUBLIC_KEY,
            outside.langfuse_secret_key or SECRET_KEY,
            "real" if real else "stand-in",
            "",
        ),
        model_url=outside.model_url or (url["model"] and f"{url['model']}/v1"),
        mcp_url=outside.mcp_url or (url["mcp"] and f"{url['mcp']}/mcp"),
        agentcore_url=url["agentcore"],
        processes=running,
    )


def _with_version(info: StackInfo) -> StackInfo:
    if not info.langfuse.url:
        return info
    health = answer(f"{info.langfuse.url}/api/public/health", 5.0)
    if health is None:
        raise LocalStackError(f"Langfuse at {info.langfuse.url} does not answer; check LANGFUSE_HOST or unset it")
    return replace(info, langfuse=replace(info.langfuse, version=str(health.get("version", "unknown"))))


def down(state: Path = STATE) -> int:
    """End every process of the stack and remove what it left in its temporary folder; how many were ended.

    Nothing of another program is touched, whatever ids the state names. Data (`langfuse.db`) stays.
    """
    state = state.resolve()
    if not state.exists():
        return 0
    with _locked(state):
        info = load(state)
        first = [process.pid for process in info.processes.values()] if info else []
        found = processes.end_all(state, first)
        (state / FILE).unlink(missing_ok=True)
        shutil.rmtree(state / "tmp", ignore_errors=True)
        shutil.rmtree(state / "agentcore" / "images", ignore_errors=True)
    return found


def status(state: Path = STATE) -> list[ProcessStatus]:
    """One entry for each process of the stack as it was last started; empty when it is down."""
    info = load(state.resolve())
    if info is None:
        return []
    paths = {"ministack": "/_ministack/health", "agentcore": "/_health", "langfuse": "/api/public/health"}
    alive = _alive(state.resolve(), info.processes)
    return [
        ProcessStatus(
            name,
            process.pid,
            process.port,
            name in alive,
            name in alive and answer(f"http://127.0.0.1:{process.port}{paths.get(name, '/health')}") is not None,
            process.log,
        )
        for name, process in info.processes.items()
    ]


@contextlib.contextmanager
def _locked(state: Path) -> Iterator[None]:
    """One `up` or `down` at a time; a second one waits for the first."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
