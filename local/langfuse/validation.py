"""Values of a request -> checked values, or issues worded as Langfuse's validator (zod 4) words them."""

import enum
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local.langfuse.problems import invalid_data

type Path = tuple[str | int, ...]
type Issue = dict[str, Any]
type Check = Callable[[Any, Path, list[Issue]], Any]


# After these a form of a union counts as another type of thing; after the others as this thing, badly filled in.
_OF_TYPE = ("invalid_type", "invalid_value", "invalid_union", "unrecognized_keys")


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


def invalid_union(errors: Sequence[Sequence[Issue]], path: Path = ()) -> Issue:
    """What every form of a union says, each with paths below the union's own."""
    issue: Issue = {"code": "invalid_union", "errors": [list(form) for form in errors], "path": list(path)}
    return issue | {"message": "Invalid input"}


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


def literal(wanted: str) -> Check:
    """The one text that is allowed."""

    def check(value: Any, path: Path, issues: list[Issue]) -> Any:
        if value != wanted:
            issue: Issue = {"code": "invalid_value", "values": [wanted], "path": list(path)}
            issues.append(issue | {"message": f'Invalid input: expected "{wanted}"'})
        return value

    return check


def union(*forms: Check) -> Check:
    """The first form that fits. Where one form alone fails by a rule and not by its type, that rule is what is said."""

    def check(value: Any, path: Path, issues: list[Issue]) -> Any:
        said: list[list[Issue]] = []
        for form in forms:
            found: list[Issue] = []
            checked = form(value, (), found)
            if not found:
                return checked
            said.append(found)
        nearly = [found for found in said if not any(issue["code"] in _OF_TYPE for issue in found)]
        if len(nearly) == 1:
            issues += [issue | {"path": [*path, *issue["path"]]} for issue in nearly[0]]
        else:
            issues.append(invalid_union(said, path))
        return value

    return check


def anything(value: Any, _path: Path, _issues: list[Issue]) -> Any:
    return None if value is MISSING else value


def string(minimum: int = 0, maximum: int | None = None, short_message: str | None = None) -> Check:
    def check(value: Any, path: Path, issues: list[Issue]) -> Any:
        if not isinstance(value, str):
            issues.append(wrong_type("string", value, path))
        elif _length(value) < minimum:
            issues.append(too_small("string", minimum, path, short_message))
        elif maximum is not None and _length(value) > maximum:
            issues.append(too_big("string", maximum, path))
        return value

    return check


def _length(text: str) -> int:
    """As JavaScript counts: a character outside the basic plane is two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def trimmed(inner: Check) -> Check:
    """White space at both ends goes before anything is looked at."""
    return lambda value, path, issues: inner(value.strip() if isinstance(value, str) else value, path, issues)


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


def pattern(expression: str, shown: str, message: str) -> Check:
    """Text that matches; `shown` is the expression as the server would print it."""
    compiled = re.compile(expression)

    def check(value: Any, path: Path, issues: list[Issue]) -> Any:
        if isinstance(value, str) and not compiled.fullmatch(value):
            issue: Issue = {"origin": "string", "code": "invalid_format", "format": "regex", "pattern": shown}
            issues.append(issue | {"path": list(path), "message": message})
        return value

    return check
