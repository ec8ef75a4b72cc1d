"""Rules of requests and names: who supersedes whom, what gates and runtimes are called."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from flywheel.domain.outcome import Arm

_RUNTIME_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,47}")
_GATE_ID = re.compile(r"g-\d{8}t\d{6}-([0-9a-f]{8})")
_LONGEST_ENVIRONMENT = 48 - len("fw__12345678_candidate")


@dataclass(frozen=True, slots=True)
class GateRequest:
    """One request to judge an image; only the newest may promote.

    `requested_at` is the event's own time, UTC-aware, never that of its delivery; the event's id breaks a tie.
    """

    gate_id: str
    requested_at: datetime
    event_id: str

    def __post_init__(self) -> None:
        if self.requested_at.tzinfo is None:
            raise ValueError(f"the time of event {self.event_id!r} has no time zone")


def supersedes(one: GateRequest, other: GateRequest) -> bool:
    """True when `one` is the newer request; the event id breaks a tie, so that every reader agrees on one order."""
    return (one.requested_at, one.event_id) > (other.requested_at, other.event_id)


def gate_id(event_time: str | datetime, event_id: str) -> str:
    """`g-<YYYYMMDDtHHMMSS>-<8 hex of the SHA-256 of the event's id>`: the same for every delivery of one event.

    `event_time` is ISO 8601 with a time zone (or an aware datetime); the id is in UTC and sorts by time to the second.

    Raises:
        ValueError: the time cannot be read or has no time zone, or there is no event id.
    """
    if not event_id:
        raise ValueError("a gate needs the id of the event that asked for it")
    time = datetime.fromisoformat(event_time) if isinstance(event_time, str) else event_time
    if time.tzinfo is None:
        raise ValueError(f"the event's time {event_time!r} has no time zone")
    digest = hashlib.sha256(event_id.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    try:
        written = time.astimezone(UTC).isoformat(timespec="seconds")
    except OverflowError as error:
        raise ValueError(f"the event's time {event_time!r} does not exist in UTC") from error
    return f"g-{re.sub('[-:]', '', written[:19]).lower()}-{digest}"


def runtime_name(environment: str, gate_id: str, arm: Arm) -> str:
    """`fw_<environment>_<8 hex of the gate id>_<arm>`: what AgentCore accepts, at most 48 characters.

    The hash is over the whole gate id, so that two requests with one event id at different times differ. Characters of
    the environment that a name cannot have become `_`.

    Raises:
        ValueError: the environment is empty or too long, or the gate id is none.
    """
    if not _GATE_ID.fullmatch(gate_id):
        raise ValueError(f"not a gate id: {gate_id[:80]!r}")
    place = re.sub(r"[^a-zA-Z0-9]", "_", environment)
    if not 1 <= len(place) <= _LONGEST_ENVIRONMENT:
        raise ValueError(f"environment {environment[:80]!r} must have 1 to {_LONGEST_ENVIRONMENT} characters")
    name = f"fw_{place}_{hashlib.sha256(gate_id.encode()).hexdigest()[:8]}_{arm}"
    if not _RUNTIME_NAME.fullmatch(name):
        raise ValueError(f"not a runtime name: {name!r}")
    return name
