"""Values of a query string -> checked values: every one is text, or a list of texts when its key is repeated."""

import math
from collections.abc import Sequence
from typing import Any

from local.langfuse.clock import parse_time
from local.langfuse.validation import MISSING, Check, Issue, Path, one_of, too_big, too_small, wrong_type

# As the server prints the expression that its times have to match.
_DATETIME = (
    r"/^(?:(?:\d\d[2468][048]|\d\d[13579][26]|\d\d0[48]|[02468][048]00|[13579][26]00)-02-29|\d{4}-(?:(?:0[13578]|1[02])"
    r"-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|(?:02)-(?:0[1-9]|1\d|2[0-8])))T(?:(?:[01]\d|2[0-3])"
    r":[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:Z|([+-](?:[01]\d|2[0-3]):[0-5]\d)))$/"
)


def whole_number(default: int | None, low: int | None = None, high: int | None = None) -> Check:
    """`default`: for a parameter that was not sent or is empty; None with None for a bound that there is not."""

    def check(value: Any, path: Path, issues: list[Issue]) -> int | None:
        if value is MISSING or value == "":
            return default
        parsed = as_number(value)
        if not math.isfinite(parsed):
            issues.append(_no_number(parsed, path))
            return default
        if not parsed.is_integer():
            issue: Issue = {"expected": "int", "format": "safeint", "code": "invalid_type", "path": list(path)}
            issues.append(issue | {"message": "Invalid input: expected int, received number"})
        elif low is not None and parsed < low:
            issues.append(too_small("number", low, path))
        elif high is not None and parsed > high:
            issues.append(too_big("number", high, path))
        return int(parsed)

    return check


def decimal(value: Any, path: Path, issues: list[Issue]) -> float:
    parsed = as_number(value)
    if not math.isfinite(parsed):
        issues.append(_no_number(parsed, path))
    return parsed


def _no_number(parsed: float, path: Path) -> Issue:
    received, named = ("NaN", "NaN") if math.isnan(parsed) else ("Infinity", "number")
    issue: Issue = {"expected": "number", "code": "invalid_type", "received": received, "path": list(path)}
    return issue | {"message": f"Invalid input: expected number, received {named}"}


def as_number(value: Any) -> float:
    """What JavaScript's Number makes of a parameter, as far as people write them."""
    if not isinstance(value, str) or "_" in value:
        return math.nan
    try:
        return float(value) if value.strip() else 0.0
    except ValueError:
        return math.nan


def filled(inner: Check) -> Check:
    """A parameter without a value counts as not sent."""
    return lambda value, path, issues: None if value is MISSING or value == "" else inner(value, path, issues)


def iso_time(value: Any, path: Path, issues: list[Issue]) -> int | None:
    """Microseconds since the epoch."""
    if not isinstance(value, str):
        issues.append(wrong_type("string", value, path))
        return None
    try:
        return parse_time(value)
    except ValueError:
        issue: Issue = {"origin": "string", "code": "invalid_format", "format": "datetime", "pattern": _DATETIME}
        issues.append(issue | {"path": list(path), "message": "Invalid ISO datetime"})
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
        if value is MISSING or value == "":
            return frozenset(default)
        names = comma_list(value, path, issues)
        for index, name in enumerate(names):
            choose(name, (*path, index), issues)
        return frozenset(names)

    return check


PAGING: dict[str, Check] = {"page": whole_number(1, 1), "limit": whole_number(50, 1, 100)}
