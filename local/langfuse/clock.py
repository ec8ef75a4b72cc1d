"""Wall clock -> strictly increasing microseconds, and the ISO forms of the API."""

import itertools
import re
import secrets
import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_ISO_LOOSE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


class Clock:
    """Microseconds since the epoch, never the same twice: answers of one server keep the order of its writes."""

    def __init__(self) -> None:
        self._last_us = 0

    def now_us(self) -> int:
        self._last_us = max(self._last_us + 1, time.time_ns() // 1000)
        return self._last_us


def iso(time_us: int) -> str:
    """Milliseconds precision, `Z`: the only form the API answers with."""
    moment = _EPOCH + timedelta(microseconds=time_us)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def parse_time(text: str, *, loose: bool = False) -> int:
    """Microseconds since the epoch of an ISO date-time with an offset.

    `loose` also takes what JavaScript's Date takes of the same family: a date alone, no offset (read as UTC).

    Raises:
        ValueError: it is not such a time.
    """
    if not (_ISO_LOOSE if loose else _ISO).fullmatch(text):
        raise ValueError(text)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


_ticks = itertools.count(secrets.randbelow(36**4))


def new_id() -> str:
    """25 lower-case characters, growing with time: the look and the order of Langfuse's own ids."""

    def base36(number: int, width: int) -> str:
        digits = ""
        for _ in range(width):
            number, digit = divmod(number, 36)
            digits = _BASE36[digit] + digits
        return digits

    return f"c{base36(time.time_ns() // 1_000_000, 8)}{base36(next(_ticks), 4)}{base36(secrets.randbits(64), 12)}"
