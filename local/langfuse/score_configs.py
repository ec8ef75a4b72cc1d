"""Score configs: what a named score may be. Archived, never deleted."""

import sqlite3
from typing import Any

from starlette.responses import Response

from local.langfuse.call import Call
from local.langfuse.clock import iso, new_id
from local.langfuse.paging import page_reply
from local.langfuse.problems import invalid_data, invalid_request, not_found
from local.langfuse.query_values import PAGING
from local.langfuse.routing import Routes
from local.langfuse.store import Store, Where
from local.langfuse.validation import (
    MISSING,
    Check,
    Issue,
    Path,
    array,
    boolean,
    custom,
    fields,
    invalid_union,
    no_discriminator,
    nullish,
    number,
    pattern,
    string,
    wrong_type,
)
from local.langfuse.wire import from_json, json_reply, plain_number, to_json

DATA_TYPES = ("NUMERIC", "CATEGORICAL", "BOOLEAN", "TEXT")
_RANGE = "Maximum value must be greater than Minimum value"
_BOOLEAN = [{"label": "True", "value": 1}, {"label": "False", "value": 0}]
# The body is any JSON first, and a list of categories only after that.
_NO_CATEGORIES = invalid_union(
    [
        [wrong_type("array", MISSING, ())],
        [wrong_type("record", MISSING, ())],
        [invalid_union([[wrong_type(kind, MISSING, ())] for kind in ("string", "number", "boolean")])],
    ],
    ("categories",),
)
_length = string(1, 35)
_letters = pattern(r"[\w .()-]+", "/^[\\p{L}\\p{N}_ .()-]+$/u", "Name contains invalid characters")


def add_routes(routes: Routes) -> None:
    routes.add("POST", "/api/public/score-configs", _create)
    routes.add("GET", "/api/public/score-configs", _list)
    routes.add("GET", "/api/public/score-configs/{configId}", _get)
    routes.add("PATCH", "/api/public/score-configs/{configId}", _patch)


def find(store: Store, config_id: str) -> sqlite3.Row | None:
    return store.row("SELECT * FROM score_configs WHERE id = ?", config_id)


def _name(value: Any, path: Path, issues: list[Issue]) -> Any:
    return _letters(_length(value, path, issues), path, issues)


def _data_type(value: Any, path: Path, issues: list[Issue]) -> Any:
    if value not in DATA_TYPES:
        issues.append(no_discriminator("dataType", path))
    return value


_CATEGORIES = array(fields({"label": string(1), "value": number}))
_BODY: dict[str, Check] = {
    "dataType": _data_type,
    "name": _name,
    "description": nullish(string()),
    "minValue": nullish(number),
    "maxValue": nullish(number),
    "categories": nullish(_CATEGORIES),
}


def _create(call: Call) -> Response:
    body = call.body(_BODY)
    data_type, categories = body["dataType"], body["categories"]
    issues: list[Issue] = []
    if data_type == "CATEGORICAL":
        if categories is None:
            issues.append(_NO_CATEGORIES)
        issues += _duplicates(categories or [])
    elif categories is not None:
        issues.append(wrong_type("undefined", categories, ("categories",)))
    if data_type != "NUMERIC":
        issues += [
            wrong_type("undefined", body[key], (key,)) for key in ("minValue", "maxValue") if body[key] is not None
        ]
    elif _upside_down(body["minValue"], body["maxValue"]):
        issues.append(custom(_RANGE))
    if issues:
        raise invalid_data(issues)
    now = call.now_us()
    config_id = new_id()
    call.store.insert(
        "score_configs",
        {
            "id": config_id,
            "name": body["name"],
            "data_type": data_type,
            "min_value": _stored(body["minValue"]),
            "max_value": _stored(body["maxValue"]),
            "categories": to_json(_BOOLEAN if data_type == "BOOLEAN" else categories),
            "description": body["description"],
            "is_archived": 0,
            "created_us": now,
            "updated_us": now,
        },
    )
    return _reply(call, config_id)


def _stored(value: float | None) -> float | None:
    return None if value is None else float(value)  # SQLite has no whole numbers over 64 bits


def _upside_down(minimum: float | None, maximum: float | None) -> bool:
    return minimum is not None and maximum is not None and minimum >= maximum


def _duplicates(categories: list[dict[str, Any]]) -> list[Issue]:
    issues = []
    for field in ("label", "value"):
        seen = set()
        for category in categories:
            value = category[field]
            if value in seen:
                issues.append(
                    custom(f"Duplicate category {field}: {value}, category {field}s must be unique", ("categories",))
                )
                break
            seen.add(value)
    return issues


def _shown(call: Call, row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "isArchived": bool(row["is_archived"]),
        "description": row["description"],
        "createdAt": iso(row["created_us"]),
        "updatedAt": iso(row["updated_us"]),
        "projectId": call.settings.project_id,
        "maxValue": None if row["max_value"] is None else plain_number(row["max_value"]),
        "minValue": None if row["min_value"] is None else plain_number(row["min_value"]),
        "dataType": row["data_type"],
        "categories": from_json(row["categories"]),
    }


def _existing(call: Call, config_id: str) -> sqlite3.Row:
    row = find(call.store, config_id)
    if row is None:
        raise not_found("Score config not found within authorized project")
    return row


def _reply(call: Call, config_id: str) -> Response:
    return json_reply(_shown(call, _existing(call, config_id)))


def _get(call: Call) -> Response:
    return _reply(call, call.params["configId"])


def _list(call: Call) -> Response:
    query = call.query(PAGING)
    order = "created_us DESC, id DESC"
    return page_reply(call, query, "score_configs", Where(), order=order, render=lambda row: _shown(call, row))


_CHANGES: dict[str, Check] = {
    "isArchived": nullish(boolean),
    "name": nullish(_name),
    "description": nullish(string()),
    "minValue": nullish(number),
    "maxValue": nullish(number),
    "categories": nullish(_CATEGORIES),
}


def _patch(call: Call) -> Response:
    body = call.body(_CHANGES)
    changes = {key: value for key, value in body.items() if value is not None}
    if not changes:
        message = "Request body cannot be empty. At least one field must be provided for update."
        raise invalid_data([custom(message)])
    row = _existing(call, call.params["configId"])
    if row["data_type"] != "NUMERIC" and ("minValue" in changes or "maxValue" in changes):
        raise invalid_request("minValue and maxValue are only allowed for NUMERIC score configs")
    if row["data_type"] != "CATEGORICAL" and "categories" in changes:
        raise invalid_request("categories are only allowed for CATEGORICAL score configs")
    if _upside_down(changes.get("minValue", row["min_value"]), changes.get("maxValue", row["max_value"])):
        raise invalid_request(_RANGE)
    duplicates = _duplicates(changes.get("categories", []))
    if duplicates:
        raise invalid_request(duplicates[0]["message"])
    columns = {"isArchived": "is_archived", "minValue": "min_value", "maxValue": "max_value"}
    stored = {columns.get(key, key): value for key, value in changes.items()}
    for bound in ("min_value", "max_value"):
        if bound in stored:
            stored[bound] = _stored(stored[bound])
    if "categories" in stored:
        stored["categories"] = to_json(stored["categories"])
    where = Where()
    where.equal("id", row["id"])
    call.store.update("score_configs", where, stored | {"updated_us": call.now_us()})
    return _reply(call, row["id"])
