"""Processes of one local stack: started apart from the terminal, found again, and ended without touching others."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

# Each process that the stack starts, and all that they start, carry this variable: it tells ours from everybody
# else's, even when a process id was used again.
MARKER = "FLYWHEEL_LOCAL_STACK"


def start(command: Sequence[str], *, env: Mapping[str, str], log: Path, state: Path, cwd: Path) -> int:
    """Start a process in a session of its own, its output appended to `log`; the process id.

    Raises:
        OSError: the program cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env={**env, MARKER: str(state)},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return process.pid


def owned(state: Path) -> set[int]:
    """Ids of all living processes of the stack whose state is in `state`."""
    marker = f"{MARKER}={state}"
    if sys.platform == "linux":
        return {pid for pid in _pids() if _carries(pid, marker.encode())}
    listing = subprocess.run(["ps", "-axEww", "-o", "pid=,command="], capture_output=True, text=True, check=True)
    lines = (line.split(None, 1) for line in listing.stdout.splitlines())
    return {int(parts[0]) for parts in lines if len(parts) > 1 and marker in parts[1].split()}


def _pids() -> Iterable[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _carries(pid: int, marker: bytes) -> bool:
    try:
        if marker not in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            return False
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except (OSError, IndexError):
        return False


def end(state: Path, pids: Iterable[int], grace_s: float = 3.0) -> int:
    """End the stack's processes among `pids`, asking first, by force after `grace_s`; how many needed force.

    Ids that are not (or no longer) of this stack are left alone.
    """
    wanted = set(pids)
    _signal(wanted & owned(state), signal.SIGTERM)
    if not _gone(state, wanted, grace_s):
        rest = wanted & owned(state)
        _signal(rest, signal.SIGKILL)
        _gone(state, rest, 2.0)
        return len(rest)
    return 0


def end_all(state: Path, first: Iterable[int] = (), grace_s: float = 3.0) -> int:
    """End `first` and wait for them, then whatever else of the stack still lives; how many were found."""
    found = len(owned(state))
    end(state, first, grace_s)
    for _ in range(5):  # a process that is being ended may start another one meanwhile
        rest = owned(state)
        if not rest:
            break
        _signal(rest, signal.SIGKILL)
        _gone(state, rest, 1.0)
    return found


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _gone(state: Path, pids: set[int], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while True:
        _reap(pids)
        if not (pids & owned(state)):
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)


def _reap(pids: Iterable[int]) -> None:
    """Collect those that are children of this very process; others have been handed to init."""
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
