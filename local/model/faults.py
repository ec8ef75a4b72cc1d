"""Faults on request: which calls of the model server answer 429 or 500, or come late."""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

type CallRole = Literal["agent", "judge"]

LONGEST_DELAY_S = 600.0


class Fault(BaseModel):
    """A rule for calls to come.

    `throttle` answers 429 with Retry-After, `error` answers 500, `delay` waits and then answers as usual (a time-out
    is a delay longer than the caller waits). `role` None means both. Of the calls that match, the first `skip` pass,
    and of the others every `every`th is hit, at most `times` in all (None: without end).
    """

    model_config = ConfigDict(extra="forbid")

    kind: Literal["throttle", "error", "delay"]
    role: CallRole | None = None
    times: int | None = Field(default=None, ge=1)
    skip: int = Field(default=0, ge=0)
    every: int = Field(default=1, ge=1)
    retry_after_s: int = Field(default=1, ge=0, le=3600)
    delay_s: float = Field(default=1.0, ge=0.0, le=LONGEST_DELAY_S)


@dataclass(slots=True)
class _ActiveFault:
    number: int
    fault: Fault
    matched: int = 0
    hit: int = 0

    def strike(self, role: CallRole) -> bool:
        """Count a call; whether it is hit."""
        if self.fault.role not in (None, role):
            return False
        self.matched += 1
        turn = self.matched - self.fault.skip
        if turn < 1 or turn % self.fault.every or self.hit == self.fault.times:
            return False
        self.hit += 1
        return True


@dataclass(slots=True)
class FaultPlan:
    """The faults in force, in the order in which they came, and a count of calls by role."""

    _active: list[_ActiveFault] = field(default_factory=list)
    _added: int = 0
    calls: dict[CallRole, int] = field(default_factory=lambda: {"agent": 0, "judge": 0})

    def add(self, fault: Fault) -> int:
        """Put a fault into force; its number."""
        self._added += 1
        self._active.append(_ActiveFault(self._added, fault))
        return self._added

    def clear(self) -> None:
        """Lift all faults and set the counts to 0."""
        self._active.clear()
        self.calls = {"agent": 0, "judge": 0}

    def strike(self, role: CallRole) -> list[Fault]:
        """Count one call; the faults that hit it. Each may be delayed by several and fails by the first that fails."""
        self.calls[role] += 1
        return [active.fault for active in self._active if active.strike(role)]

    def to_json(self) -> dict[str, object]:
        return {
            "faults": [
                {"number": a.number, **a.fault.model_dump(), "matched": a.matched, "hit": a.hit} for a in self._active
            ],
            "calls": dict(self.calls),
        }
