"""Faults on request: a stated share of the invocations fails, the same ones in every run."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from local.agentcore.replies import DataPlaneError

type Kind = Literal["throttle", "error", "crash", "timeout", "session_starts"]
_FIELDS = frozenset(
    {"kind", "share", "count", "runtime_prefix", "sticky", "retry_after_s", "delay_s", "per_s", "burst"}
)
_LIMIT_S = 3600.0


class FaultError(ValueError):
    """A requested fault cannot be understood; the message names the field."""


@dataclass(slots=True)
class Fault:
    """One rule.

    `throttle` answers 429 with Retry-After, `error` 500, `crash` 424 as if the container had failed, `timeout` says
    nothing for `delay_s` seconds and answers 424 then. `share` in (0, 1] of each runtime's invocations, spread evenly;
    `sticky` chooses by the payload instead, so that a repeated invocation fails again. `count`: how many times at
    most, None = until taken back. `runtime_prefix`: only runtimes whose id starts so.

    `session_starts` is AgentCore's quota: a token bucket of `burst` that gains `per_s` a second; an invocation that
    would start a session while it is empty is answered 429, one of a session that has started is not counted.
    """

    kind: Kind
    share: float = 1.0
    count: int | None = None
    runtime_prefix: str = ""
    sticky: bool = False
    retry_after_s: int = 1
    delay_s: float = 60.0
    per_s: float = 25.0
    burst: int = 25
    started: set[tuple[str, str]] = field(default_factory=set, init=False)
    tokens: float | None = field(default=None, init=False)
    filled_at: float = field(default=0.0, init=False)
    seen: Counter[str] = field(default_factory=Counter, init=False)
    injected: int = field(default=0, init=False)

    def hits(self, runtime_id: str, payload: bytes) -> bool:
        """Whether this invocation is one of those that fail; counts it."""
        if not runtime_id.startswith(self.runtime_prefix) or (self.count is not None and self.injected >= self.count):
            return False
        self.seen[runtime_id] += 1
        seen = self.seen[runtime_id]
        if self.sticky:
            chosen = int.from_bytes(hashlib.sha256(payload).digest()[:4]) < self.share * 2**32
        else:
            chosen = int(seen * self.share + 1e-9) > int((seen - 1) * self.share + 1e-9)
        self.injected += chosen
        return chosen

    def refuses_start(self, runtime_id: str, session_id: str, now: float) -> bool:
        """Whether the bucket has no token for this session; takes one for a session that starts. `now`: monotonic."""
        if not runtime_id.startswith(self.runtime_prefix) or (runtime_id, session_id) in self.started:
            return False
        had = self.burst if self.tokens is None else self.tokens + (now - self.filled_at) * self.per_s
        self.tokens, self.filled_at = min(float(self.burst), had), now
        self.seen[runtime_id] += 1
        if self.tokens < 1.0 and (self.count is None or self.injected < self.count):
            self.injected += 1
            return True
        self.tokens -= 1.0
        self.started.add((runtime_id, session_id))
        return False

    def error(self) -> DataPlaneError:
        if self.kind == "session_starts":
            return DataPlaneError(429, "ThrottlingException", "Rate of new sessions exceeded (injected)")
        if self.kind == "throttle":
            wait = {"Retry-After": str(self.retry_after_s)}
            return DataPlaneError(429, "ThrottlingException", "Rate exceeded (injected)", wait)
        if self.kind == "error":
            return DataPlaneError(500, "InternalServerException", "internal error (injected)")
        return DataPlaneError(424, "RuntimeClientError", f"{self.kind} of the runtime (injected)")

    def to_dict(self) -> dict[str, Any]:
        names = (*sorted(_FIELDS), "injected")
        return {name: getattr(self, name) for name in names} | {"seen": self.seen.total()}


def parse_fault(data: object) -> Fault:
    """JSON object -> rule.

    Raises:
        FaultError: an unknown field, a wrong type or a value out of range.
    """
    if not isinstance(data, dict):
        raise FaultError('a fault is a JSON object, such as {"kind": "throttle", "share": 0.2}')
    unknown = data.keys() - _FIELDS
    if unknown:
        raise FaultError(f"unknown fields {sorted(map(str, unknown))}; known are {sorted(_FIELDS)}")
    if data.get("kind") not in get_args(Kind.__value__):
        raise FaultError(f"kind must be one of {get_args(Kind.__value__)}")
    _number(data, "share", 1e-9, 1.0)
    _number(data, "delay_s", 0.0, _LIMIT_S)
    _number(data, "retry_after_s", 0, _LIMIT_S, whole=True)
    _number(data, "per_s", 0.01, 1e6)
    _number(data, "burst", 1, 1e6, whole=True)
    if data.get("count") is not None:
        _number(data, "count", 1, 1e9, whole=True)
    if not isinstance(data.get("runtime_prefix", ""), str) or not isinstance(data.get("sticky", False), bool):
        raise FaultError("runtime_prefix is a string, sticky true or false")
    return Fault(**data)


def _number(data: dict[str, Any], name: str, low: float, high: float, *, whole: bool = False) -> None:
    value = data.get(name)
    if name not in data:
        return
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not low <= value <= high:
        raise FaultError(f"{name} is a{' whole' if whole else ''} number from {low:g} to {high:g}")
