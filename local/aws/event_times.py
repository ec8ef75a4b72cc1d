"""The time of an event is the one that its sender gave it, as on AWS; ids of gates and experiments are made of it."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from ministack.services import eventbridge

from local.aws import patching

_given: ContextVar[float | None] = ContextVar("_given", default=None)


def apply() -> None:
    """Raises PatchTargetChangedError when MiniStack's code is not the one that this patch was written for."""
    patching.wrap(eventbridge, "_put_events", "ebcda0f38061", _keeping_time)
    patching.wrap(eventbridge, "_now_ts", "207143452ca8", _given_time)


def _keeping_time(put: Callable[..., Any]) -> Callable[..., Any]:
    """MiniStack takes its own clock for all; entries of one call that bear different times still get that."""

    def put_events(data: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        times = {entry.get("Time") for entry in data.get("Entries", [])}
        time = times.pop() if len(times) == 1 else None
        token = _given.set(time if isinstance(time, (int, float)) else None)
        try:
            return put(data, *args, **kwargs)
        finally:
            _given.reset(token)

    return put_events


def _given_time(now: Callable[[], float]) -> Callable[[], float]:
    def now_ts() -> float:
        given = _given.get()
        return now() if given is None else given

    return now_ts
