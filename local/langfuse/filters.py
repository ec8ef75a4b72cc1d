"""The `filter` parameter, a JSON list of conditions -> a test on one row."""

from collections.abc import Callable, Mapping
from typing import Any

from local.langfuse.clock import parse_time
from local.langfuse.problems import ApiError, invalid_data, invalid_request
from local.langfuse.validation import (
    MISSING,
    Check,
    Issue,
    Path,
    anything,
    array,
    fields,
    no_discriminator,
    number,
    one_of,
    optional,
    string,
    wrong_type,
)
from local.langfuse.wire import read_json

# A row may lack a value: then only `null` and the negations are true of it.
type Value = str | float | bool | list[str] | Mapping[str, str] | None

_TEXT: dict[str, Callable[[str, str], bool]] = {
    "=": lambda value, wanted: value == wanted,
    "contains": lambda value, wanted: wanted.lower() in value.lower(),
    "does not contain": lambda value, wanted: wanted.lower() not in value.lower(),
    "starts with": lambda value, wanted: value.startswith(wanted),
    "ends with": lambda value, wanted: value.endswith(wanted),
    "matches": lambda value, wanted: wanted.lower() in value.lower(),
}
_ORDER: dict[str, Callable[[float, float], bool]] = {
    "=": lambda value, wanted: value == wanted,
    ">": lambda value, wanted: value > wanted,
    "<": lambda value, wanted: value < wanted,
    ">=": lambda value, wanted: value >= wanted,
    "<=": lambda value, wanted: value <= wanted,
}
_OPTIONS = ("any of", "none of", "all of")
_EQUALITY: tuple[str, ...] = ("=", "<>")
_NULLNESS = ("is null", "is not null")
_OPERATORS: dict[str, tuple[str, ...]] = {
    "string": tuple(_TEXT),
    "stringObject": tuple(_TEXT),
    "number": tuple(_ORDER),
    "numberObject": tuple(_ORDER),
    "datetime": tuple(_ORDER)[1:],
    "stringOptions": _OPTIONS[:2],
    "categoryOptions": _OPTIONS[:2],
    "arrayOptions": _OPTIONS,
    "boolean": _EQUALITY,
    "null": _NULLNESS,
}

_CONDITION: dict[str, Check] = {
    "type": one_of(*_OPERATORS),
    "column": string(1),
    "operator": string(),
    "key": optional(string()),
    "value": anything,
}


def condition(value: Any, path: Path, issues: list[Issue]) -> dict[str, Any]:
    """A check for one condition: `type`, `column`, `operator`, `value`, `key`; times as numbers."""
    before = len(issues)
    if isinstance(value, dict) and value.get("type") not in tuple(_OPERATORS):
        issues.append(no_discriminator("type", (*path, "type")))
        return {}
    checked: dict[str, Any] = fields(_CONDITION)(value, path, issues)
    if len(issues) == before:
        one_of(*_OPERATORS[checked["type"]])(checked["operator"], (*path, "operator"), issues)
        _checked_value(checked, path, issues)
    return checked


def _checked_value(condition: dict[str, Any], path: Path, issues: list[Issue]) -> None:
    value, where = condition["value"], (*path, "value")
    match condition["type"]:
        case "string" | "stringObject":
            string()(value, where, issues)
        case "number" | "numberObject":
            number(value, where, issues)
        case "boolean" if not isinstance(value, bool):
            issues.append(wrong_type("boolean", value, where))
        case "stringOptions" | "categoryOptions" | "arrayOptions":
            array(string())(value, where, issues)
        case "datetime":
            try:
                condition["value"] = parse_time(value if isinstance(value, str) else "", loose=True)
            except ValueError:
                issues.append(wrong_type("date", value, where))


def read_filter(text: str, columns: frozenset[str]) -> list[dict[str, Any]]:
    """Checked conditions: `type`, `column`, `operator`, `value`, `key`.

    Raises:
        ApiError: 400, not JSON, not such a list, or a column that does not exist.
    """
    try:
        sent = read_json(text.encode("utf-8", "replace"))
    except ApiError as error:
        raise invalid_request("Invalid JSON in filter parameter") from error
    issues: list[Issue] = []
    conditions: list[dict[str, Any]] = array(condition)(sent, ("filter",), issues)
    if issues:
        raise invalid_data(issues)
    for one in conditions:
        if one["column"] not in columns:
            raise invalid_request(f"Column {one['column']} does not match a UI / CH table mapping.")
        if one["type"].endswith("Object") and one["key"] is None:
            raise invalid_data([wrong_type("string", MISSING, ("key",))])
    return conditions


def holds(condition: dict[str, Any], value: Value) -> bool:
    """Whether the condition is true of the value of its column."""
    operator: str = condition["operator"]
    wanted: Any = condition["value"]
    if isinstance(value, Mapping):
        value = value.get(condition["key"] or "")
    if condition["type"] == "null":
        return (value in (None, "")) == (operator == "is null")
    if isinstance(value, list):
        return _holds_for_list(operator, wanted, value)
    if operator in _OPTIONS:
        return bool(str(value) in wanted) != (operator == "none of")
    if condition["type"] == "boolean":
        return (bool(value) is wanted) == (operator == "=")
    if condition["type"] in ("string", "stringObject"):
        return _TEXT[operator]("" if value is None else str(value), str(wanted))
    try:
        measured = float(value) if value is not None else None
    except ValueError:
        measured = None
    return measured is not None and _ORDER[operator](measured, float(wanted))


def _holds_for_list(operator: str, wanted: Any, value: list[str]) -> bool:
    if operator == "any of":
        return any(entry in value for entry in wanted)
    if operator == "none of":
        return not any(entry in value for entry in wanted)
    if operator == "all of":
        return all(entry in value for entry in wanted)
    return any(_TEXT[operator](entry, str(wanted)) for entry in value) if operator in _TEXT else False
