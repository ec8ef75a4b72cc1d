"""Mappings of evaluators and filters of evaluation rules: which form they have, and which of them fit a target."""

import re
from collections.abc import Sequence
from typing import Any

from local.langfuse import filters
from local.langfuse.json_path import read_path
from local.langfuse.store import Store
from local.langfuse.structured import structured_error
from local.langfuse.validation import Check, Issue, Path, array, fields, nullish, one_of, string

TARGETS = ("observation", "experiment")
_ONLY_OF_EXPERIMENTS = ("expected_output", "experiment_item_metadata")
_SOURCES = ("input", "output", "metadata", "tool_calls", *_ONLY_OF_EXPERIMENTS)
_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")
# Column -> the one type of condition that it takes, and its values where there are only these.
_COLUMNS: dict[str, dict[str, str]] = {
    "observation": {
        "type": "stringOptions",
        "name": "stringOptions",
        "environment": "stringOptions",
        "level": "stringOptions",
        "version": "string",
        "traceName": "stringOptions",
        "userId": "string",
        "sessionId": "string",
        "tags": "arrayOptions",
        "metadata": "stringObject",
        "isRootObservation": "boolean",
        "parentObservationId": "null",
        "calledToolNames": "arrayOptions",
        "toolCalls": "number",
    },
    "experiment": {"datasetId": "stringOptions"},
}
_VALUES = {"type": ("GENERATION", "SPAN", "EVENT"), "level": ("DEBUG", "DEFAULT", "WARNING", "ERROR")}

_one_mapping = fields({"variable": string(1), "source": one_of(*_SOURCES), "jsonPath": nullish(string())}, strict=True)


def _mapping(value: Any, path: Path, issues: list[Issue]) -> dict[str, Any]:
    checked: dict[str, Any] = _one_mapping(value, path, issues)
    if checked.get("jsonPath") is None:
        checked.pop("jsonPath", None)
    return checked


def _condition(value: Any, path: Path, issues: list[Issue]) -> Any:
    filters.condition(value, path, issues)
    return value  # as it was sent: that is what is shown


mapping_list: Check = array(_mapping)
filter_list: Check = array(_condition)


def variables_of(prompt: str) -> list[str]:
    """Each variable of a prompt once, in the order of the prompt."""
    return list(dict.fromkeys(_VARIABLE.findall(prompt)))


def filled(prompt: str, values: dict[str, str]) -> str:
    """The prompt with its variables replaced, all at once: what a value contains is not looked at again."""
    return _VARIABLE.sub(lambda found: values.get(found[1], found[0]), prompt)


def check_filters(store: Store, target: str, conditions: Sequence[dict[str, Any]]) -> None:
    """Raise 400 `invalid_filter_value` for the first one that does not fit."""
    columns = _COLUMNS[target]
    for index, one in enumerate(conditions):
        column = one["column"]
        if column not in columns:
            message = f'Filter column "{column}" is not supported for target "{target}"'
            raise structured_error(
                400, "invalid_filter_value", message,
                field=f"filter[{index}].column", column=column, allowedValues=list(columns),
            )  # fmt: skip
        if one["type"] != columns[column] or one["operator"] == "matches":
            message = f'Filter column "{column}" takes conditions of type "{columns[column]}"'
            raise structured_error(
                400, "invalid_filter_value", message, field=f"filter[{index}].type", column=column
            )  # fmt: skip
        unknown = _unknown_values(store, column, one.get("value"))
        if unknown:
            message = f'Filter column "{column}" contains unsupported value(s): {", ".join(unknown)}'
            if column == "datasetId":
                message = f'Filter column "datasetId" contains dataset id(s) that do not exist in this project: {", ".join(unknown)}'  # noqa: E501
            allowed = {"allowedValues": list(_VALUES[column])} if column in _VALUES else {}
            raise structured_error(
                400, "invalid_filter_value", message,
                field=f"filter[{index}].value", column=column, invalidValues=unknown, **allowed,
            )  # fmt: skip


def _unknown_values(store: Store, column: str, value: Any) -> list[str]:
    if column == "datasetId":
        return [one for one in value if store.row("SELECT 1 FROM datasets WHERE id = ?", one) is None]
    return [one for one in value if one not in _VALUES[column]] if column in _VALUES else []


def check_mappings(target: str, variables: Sequence[str], mappings: Sequence[dict[str, Any]]) -> None:
    """Raise 400 with its own code: each variable exactly once, from a source that the target has."""
    seen: set[str] = set()
    for index, one in enumerate(mappings):
        variable, source = one["variable"], one["source"]
        if target != "experiment" and source in _ONLY_OF_EXPERIMENTS:
            message = f'Mapping source "{source}" is not supported for target "{target}"'
            raise structured_error(
                400, "invalid_variable_mapping", message, field=f"mapping[{index}].source", variable=variable,
                allowedValues=[name for name in _SOURCES if name not in _ONLY_OF_EXPERIMENTS],
            )  # fmt: skip
        if variable not in variables:
            message = f'Mapping variable "{variable}" is not present in the evaluator prompt'
            field = f"mapping[{index}].variable"
            raise structured_error(400, "invalid_variable_mapping", message, field=field, variable=variable)
        if variable in seen:
            message = f'Mapping variable "{variable}" can only be mapped once'
            raise structured_error(400, "duplicate_variable_mapping", message, field="mapping", variable=variable)
        seen.add(variable)
    missing = [variable for variable in variables if variable not in seen]
    if missing:
        message = f"Missing mappings for evaluator variables: {', '.join(missing)}"
        raise structured_error(400, "missing_variable_mapping", message, field="mapping", variables=missing)
    for index, one in enumerate(mappings):
        path = one.get("jsonPath")
        if path:
            _check_path(index, one["variable"], path)


def _check_path(index: int, variable: str, path: str) -> None:
    try:
        read_path(path)
    except ValueError as error:
        message = f'Mapping for variable "{variable}" has an invalid jsonPath "{path}". {error}'
        field = f"mapping[{index}].jsonPath"
        raise structured_error(400, "invalid_json_path", message, field=field, variable=variable, value=path) from error
