"""Draws of production traces <-> objects: what was drawn, written once before anybody is asked; and what was seen.

No texts and no people's names: ids, times, probabilities and counts.
"""

import hashlib
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from flywheel.domain.live_review import LiveSource
from flywheel.domain.live_trace import TraceHead, Window
from flywheel.errors import InvalidRequestError, NotFoundError
from flywheel.ports import ObjectStore

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
_MARK_BYTES = 8
_ENTRY = struct.Struct(f">{_MARK_BYTES}sI")


@dataclass(frozen=True, slots=True)
class DrawnTrace:
    """`inclusion_probability`: in (0, 1]; None: it was called out and not drawn."""

    trace_id: str
    trace_at: datetime
    inclusion_probability: float | None
    risk: float
    stratum: str
    reasons: tuple[str, ...]
    queue_name: str


@dataclass(frozen=True, slots=True)
class Draw:
    """One look at production: what was seen, what could be drawn, what was.

    Attributes:
        day: UTC day of whose budget it is.
        synthetic: traces left out because synthetic users made them.
        budget: how many it could take.
        left_out: lines about items of the golden dataset that are none, and were compared with nothing.
        unreadable: why traces of the shortlist were left out, with how many: no question in them can be read.
        seen_key: object with the traces that the next window sees again.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    run_id: str
    source: LiveSource
    since: datetime
    until: datetime
    day: str
    seen: int
    eligible: int
    synthetic: int
    budget: int
    drawn: tuple[DrawnTrace, ...]
    seen_key: str = ""
    unreadable: Mapping[str, int] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    version: Literal[1] = 1

    @property
    def window(self) -> Window:
        return Window(self.since, self.until)


_DRAW: TypeAdapter[Draw] = TypeAdapter(Draw)


def run_id(kind: str, at: datetime | None, *identity: str) -> str:
    """`s-20261125t101500-1a2b3c4d`: the same for the same window or delivery, in the order of time.

    `at` None: the delivery tells no time of its own, and when it arrives is another time at each delivery.
    """
    mark = hashlib.sha256("\n".join(identity).encode()).hexdigest()
    return f"{kind}-{mark[:16]}" if at is None else f"{kind}-{at.astimezone(UTC):%Y%m%dt%H%M%S}-{mark[:8]}"


class Draws:
    """Draws of one environment."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def find(self, run: str) -> Draw | None:
        """Raise `InvalidRequestError` when the object is no draw."""
        try:
            text = self._store.read(_key(run))
        except NotFoundError:
            return None
        try:
            return _DRAW.validate_json(text)
        except ValidationError as error:
            raise InvalidRequestError(f"{_key(run)} is not a draw") from error

    def keep(self, draw: Draw) -> Draw:
        """Write it once; give the one that counts, which is another's when that was there before."""
        if self._store.create(_key(draw.run_id), _DRAW.dump_json(draw)):
            return draw
        return self.find(draw.run_id) or draw

    def keep_seen(self, run: str, seen: Mapping[bytes, int]) -> str:
        """Write which traces were seen, as marks of their ids with their times; give the key.

        The key tells the content, so that two runs of one window do not replace each other's.
        """
        body = b"".join(_ENTRY.pack(mark, at) for mark, at in sorted(seen.items()))
        key = f"sampling/seen/{run}-{hashlib.sha256(body).hexdigest()[:16]}.bin"
        self._store.create(key, body, "application/octet-stream")
        return key

    def seen(self, key: str | None, since: datetime) -> dict[bytes, int]:
        """Marks of the traces that began at `since` or later."""
        if not key:
            return {}
        first = int(since.timestamp())
        return {mark: at for mark, at in _ENTRY.iter_unpack(self._store.read(key)) if at >= first}


def marks(heads: Iterable[TraceHead]) -> dict[str, bytes]:
    """Trace id -> its mark: 8 bytes, for a million traces a chance of one in 37 million that two are alike."""
    return {
        head.trace_id: hashlib.blake2b(head.trace_id.encode(errors="replace"), digest_size=_MARK_BYTES).digest()
        for head in heads
    }


def _key(run: str) -> str:
    return f"sampling/{run}.json"
