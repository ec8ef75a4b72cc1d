"""Values of a request -> checked values, or issues worded as Langfuse's validator (zod 4) words them."""

import enum
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local.langfuse.clock import parse_time
from local.langfuse.problems import invalid_data

type Path = tuple[str | int, ...]
type Issue = dict[str, Any]
type Check = Callable[[Any, Path, list[Issue]], Any]


class Missing(enum.Enum):
    """A key that was not sent, which is not the same as null."""

    MISSING = "undefined"


MISSING = Missing.MISSING


def kind(value: Any) -> str:  # noqa: PLR0911 - one line a JavaScript type
    """The name of the value's type as JavaScript has it."""
    match value:
        case Missing():
            return "undefined"
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def wrong_type(expected: str, value: Any, path: Path) -> Issue:
    return {
        "expected": expected,
        "code": "invalid_type",
        "path": list(path),
        "message": f"Invalid input: expected {expected}, received {kind(value)}",
    }


def custom(message: str, path: Path = ()) -> Issue:
    return {"code": "custom", "path": list(path), "message": message}


def too_small(origin: str, minimum: float, path: Path, message: str | None = None) -> Issue:
    units = {"string": " characters", "array": " items"}.get(origin, "")
    verb = "have" if units else "be"
    default = f"Too small: expected {origin} to {verb} >={minimum}{units}"
    issue: Issue = {"origin": origin, "code": "too_small", "minimum": minimum, "inclusive": True, "path": list(path)}
    return issue | {"message": message or default}


def too_big(origin: str, maximum: float, path: Path) -> Issue:
    units = {"string": " characters", "array": " items"}.get(origin, "")
    verb = "have" if units else "be"
    issue: Issue = {"origin": origin, "code": "too_big", "maximum": maximum, "inclusive": True, "path": list(path)}
    return issue | {"message": f"Too big: expected {origin} to {verb} <={maximum}{units}"}


def no_discriminator(discriminator: str, path: Path) -> Issue:
    return {
        "code": "invalid_union",
        "errors": [],
        "note": "No matching discriminator",
        "discriminator": discriminator,
        "path": list(path),
        "message": "Invalid input",
    }


def unrecognized(keys: list[str], path: Path = ()) -> Issue:
    names = ", ".join(f'"{key}"' for key in keys)
    word = "key" if len(keys) == 1 else "keys"
    return {"code": "unrecognized_keys", "keys": keys, "path": list(path), "message": f"Unrecognized {word}: {names}"}


def parse(check: Check, value: Any) -> Any:
    """The checked value.

    Raises:
        ApiError: 400 with every issue that was found.
    """
    issues: list[Issue] = []
    checked = check(value, (), issues)
    if issues:
        raise invalid_data(issues)
    return checked


def anything(value: Any, _path: Path, _issues: list[Issue]) -> Any:
    return None if value is MISSING else value


def string(minimum: int = 0, maximum: int | None = None, short_message: str | None = None) -> Check:
    def check(value: Any, path: Path, issues: list[Issue]) -> Any:
        if not isinstance(value, str):
            issues.append(wrong_type("string", value, path))
        elif len(value) < minimum:
            issues.append(too_small("string", minimum, path, short_message))
        elif maximum is not None and len(value) > maximum:
            issues.append(too_big("string", maximum, path))
        return value

    return check


def number(value: Any, path: Path, issues: list[Issue]) -> Any:
    if kind(value) != "number" or not is_finite(value):
        issues.append(wrong_type("number", value, path))
    return value


def is_finite(value: float) -> bool:
    """False for NaN, for the infinities, and for whole numbers that JavaScript would read as infinite."""
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def boolean(value: Any, path: Path, issues: list[Issue]) -> Any:
    if not isinstance(value, bool):
        issues.append(wrong_type("boolean", value, path))
    return value


def record(value: Any, path: Path, issues: list[Issue]) -> Any:
    if not isinstance(value, dict):
        issues.append(wrong_type("record", value, path))
    return value


def one_of(*allowed: str) -> Check:
    names = "|".join(f'"{name}"' for name in allowed)

    def check(value: Any, path: Path, issues: list[Issue]) -> Any:
        if not isinstance(value, str) or value not in allowed:
            message = f"Invalid option: expected one of {names}"
            issues.append({"code": "invalid_value", "values": list(allowed), "path": list(path), "message": message})
        return value

    return check


def array(item: Check, minimum: int = 0) -> Check:
    def check(value: Any, path: Path, issues: list[Issue]) -> Any:
        if not isinstance(value, list):
            issues.append(wrong_type("array", value, path))
            return value
        if len(value) < minimum:
            issues.append(too_small("array", minimum, path))
        return [item(entry, (*path, index), issues) for index, entry in enumerate(value)]

    return check


def optional(inner: Check, default: Any = None) -> Check:
    """Not sent is fine (`default`); null is not."""
    return lambda value, path, issues: default if value is MISSING else inner(value, path, issues)


def nullish(inner: Check, default: Any = None) -> Check:
    """Not sent and null are fine (`default`)."""
    return lambda value, path, issues: default if value is MISSING or value is None else inner(value, path, issues)


def fields(checks: Mapping[str, Check], *, strict: bool = False) -> Check:
    """An object with these keys. Others are dropped, or refused when `strict`."""

    def check(value: Any, path: Path, issues: list[Issue]) -> Any:
        if not isinstance(value, dict):
            issues.append(wrong_type("object", value, path))
            return {}
        checked = {key: inner(value.get(key, MISSING), (*path, key), issues) for key, inner in checks.items()}
        unknown = [key for key in value if key not in checks]
        if strict and unknown:
            issues.append(unrecognized(unknown, path))
        return checked

    return check


# --- query strings: every value is text, or a list of texts when the key is repeated ------------------------------


def whole_number(default: int, low: int, high: int | None = None) -> Check:
    def check(value: Any, path: Path, issues: list[Issue]) -> int:
        if value is MISSING:
            return default
        text = value if isinstance(value, str) else "NaN"
        try:
            parsed = float(text) if text.strip() else 0.0
        except ValueError:
            parsed = math.nan
        if not math.isfinite(parsed) or not parsed.is_integer() or "_" in text:
            received: Issue = {"expected": "number", "code": "invalid_type", "received": "NaN", "path": list(path)}
            issues.append(received | {"message": "Invalid input: expected number, received NaN"})
            return default
        if parsed < low:
            issues.append(too_small("number", low, path))
        elif high is not None and parsed > high:
            issues.append(too_big("number", high, path))
        return int(parsed)

    return check


def iso_time(value: Any, path: Path, issues: list[Issue]) -> int | None:
    """Microseconds since the epoch."""
    if not isinstance(value, str):
        issues.append(wrong_type("string", value, path))
        return None
    try:
        return parse_time(value)
    except ValueError:
        issue: Issue = {"origin": "string", "code": "invalid_format", "format": "datetime", "path": list(path)}
        issues.append(issue | {"message": "Invalid ISO datetime"})
        return None


def date(value: Any, path: Path, issues: list[Issue]) -> int | None:
    """Microseconds since the epoch, of whatever JavaScript's Date would take of the ISO family."""
    try:
        return parse_time(value if isinstance(value, str) else "", loose=True)
    except ValueError:
        issue: Issue = {"expected": "date", "code": "invalid_type", "received": "Invalid Date", "path": list(path)}
        issues.append(issue | {"message": "Invalid input: expected date, received Date"})
        return None


def comma_list(value: Any, path: Path, issues: list[Issue]) -> list[str]:
    """`a,b` as a list; empty entries are dropped."""
    if not isinstance(value, str):
        issues.append(wrong_type("string", value, path))
        return []
    return [entry.strip() for entry in value.split(",") if entry.strip()]


def groups(allowed: Sequence[str], default: Sequence[str]) -> Check:
    """Field groups; an unknown one is an issue."""
    choose = one_of(*allowed)

    def check(value: Any, path: Path, issues: list[Issue]) -> frozenset[str]:
        if value is MISSING:
            return frozenset(default)
        names = comma_list(value, path, issues)
        for index, name in enumerate(names):
            choose(name, (*path, index), issues)
        return frozenset(names)

    return check


def pattern(expression: str, shown: str, message: str) -> Check:
    """Text that matches; `shown` is the expression as the server would print it."""
    compiled = re.compile(expression)

    def check(value: Any, path: Path, issues: list[Issue]) -> Any:
        if isinstance(value, str) and not compiled.fullmatch(value):
            issue: Issue = {"origin": "string", "code": "invalid_format", "format": "regex", "pattern": shown}
            issues.append(issue | {"path": list(path), "message": message})
        return value

    return check


PAGING: dict[str, Check] = {"page": whole_number(1, 1), "limit": whole_number(50, 1, 100)}
