"""Dataclasses, mappings and numbers -> values that every JSON parser accepts."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import date
from math import isfinite
from typing import Any

from flywheel.report.text import showable

MOST_DEPTH = 50


def plain(value: Any, depth: int = 0) -> Any:
    """`value` as JSON knows it. Numbers that JSON cannot say (NaN, infinity) become None; texts become showable.

    What is no data (an object of some library, nesting beyond `MOST_DEPTH`) is given as its text.
    """
    match value:
        case None | bool() | int():
            said: Any = value
        case float():
            said = value if isfinite(value) else None
        case str():
            said = showable(value)
        case date():
            said = value.isoformat()
        case _:
            said = _plain_inside(value, depth + 1)
    return said


def _plain_inside(value: Any, depth: int) -> Any:
    if depth > MOST_DEPTH:
        return type(value).__name__
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name), depth) for f in fields(value)}
    if isinstance(value, Mapping):
        return {showable(str(k)): plain(v, depth) for k, v in value.items()}
    if isinstance(value, Sequence | AbstractSet) and not isinstance(value, bytes | bytearray):
        return [plain(v, depth) for v in value]
    return showable(str(value))
