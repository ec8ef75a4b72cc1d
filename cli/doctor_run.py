"""Checks side by side, each with a time of its own: one that fails or hangs hides none of the others."""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooSlowError
from dataclasses import dataclass
from time import monotonic

from cli.doctor_findings import Finding
from flywheel.errors import AccessDeniedError

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Check:
    """`look` gives what it found; whatever it raises becomes one line that says why nothing can be known."""

    group: str
    title: str
    look: Callable[[], Iterable[Finding]]


def run(checks: Sequence[Check], *, timeout_s: float, began: Callable[[str], None] = lambda _: None) -> list[Finding]:
    """Findings in the order of the checks, whichever ends first; none takes longer than `timeout_s` from its start."""
    free = threading.Semaphore(_AT_ONCE)
    pending: list[tuple[Check, Future[list[Finding]], list[float]]] = [(check, Future(), []) for check in checks]
    for check, future, started in pending:
        # A daemon: a check that hangs must not keep the command from ending.
        threading.Thread(target=_carry_out, args=(check, future, started, free, began), daemon=True).start()
    # A check that waits for a place has its time when it begins, so all of them have this long at most.
    last = monotonic() + timeout_s * (1 + len(checks) / _AT_ONCE)
    found: list[Finding] = []
    for check, future, started in pending:
        found += _result(check, future, started, timeout_s, last)
    return found


def _carry_out(
    check: Check,
    future: Future[list[Finding]],
    started: list[float],
    free: threading.Semaphore,
    began: Callable[[str], None],
) -> None:
    with free:
        started.append(monotonic())
        try:
            began(check.title)
            future.set_result(list(check.look()))
        except Exception as error:  # noqa: BLE001 - a defect of one check must not hide what the others found
            future.set_result([unknown(check, error)])


def _result(
    check: Check, future: Future[list[Finding]], started: list[float], timeout_s: float, last: float
) -> list[Finding]:
    while True:
        now = monotonic()
        end = min(started[0] + timeout_s, last) if started else last
        if now >= end and not future.done():
            why = f"no answer within {timeout_s:.0f} s; --timeout gives it longer"
            return [Finding(check.group, check.title, "cannot be known", why)]
        try:
            return future.result(timeout=min(max(end - now, 0.0), 0.25))
        except TooSlowError:
            continue


def unknown(check: Check, error: Exception) -> Finding:
    """What a failed look says: whose fault it is as far as that can be told."""
    said = " ".join(str(error).split())[:400] or type(error).__name__
    code = _code(error)
    if isinstance(error, AccessDeniedError) or code in (
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedException",
    ):
        return Finding(check.group, check.title, "cannot be known", f"you may not look at it: {said}")
    return Finding(check.group, check.title, "cannot be known", f"{type(error).__name__}: {said}")


def _code(error: Exception) -> str:
    response = getattr(error, "response", None)
    details = response.get("Error", {}) if isinstance(response, dict) else {}
    return str(details.get("Code", "")) if isinstance(details, dict) else ""
