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
    kind,
    no_discriminator,
    nullish,
    number,
    optional,
    parse,
    pattern,
    string,
    wrong_type,
)
from local.langfuse.wire import from_json, json_reply, plain_number, to_json

DATA_TYPES = ("NUMERIC", "CATEGORICAL", "BOOLEAN", "TEXT")
_RANGE = "Maximum value must be greater than Minimum value"
_BOOLEAN = [{"label": "True", "value": 1}, {"label": "False", "value": 0}]
_WRONG_CATEGORIES = "Category must be an array of objects with label value pairs, where labels and values are unique."
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


def _undefined(value: Any, path: Path, issues: list[Issue]) -> None:
    if value is not MISSING:
        issues.append(wrong_type("undefined", value, path))


_category_list = array(fields({"label": string(1), "value": number}))


def _categories(value: Any, path: Path, issues: list[Issue]) -> Any:
    """Any JSON first, and a list of categories only after that."""
    if value is MISSING or value is None:
        scalars = [[wrong_type(kind, value, ())] for kind in ("string", "number", "boolean")]
        forms = [[wrong_type(kind, value, ())] for kind in ("array", "record")]
        issues.append(invalid_union([*forms, [invalid_union(scalars)]], path))
        return None
    wrong: list[Issue] = []
    checked = _category_list(value, path, wrong)
    said = _WRONG_CATEGORIES if wrong else _duplicate(checked)
    if said is not None:
        issues.append(custom(said, path))
    return checked


_BASE: dict[str, Check] = {"name": _name, "description": nullish(string())}
# In the order in which the server looks at them.
_FORMS: dict[str, dict[str, Check]] = {
    "NUMERIC": _BASE | {"maxValue": nullish(number), "minValue": nullish(number), "categories": nullish(_undefined)},
    "CATEGORICAL": _BASE
    | {"maxValue": nullish(_undefined), "minValue": nullish(_undefined), "categories": _categories},
    "BOOLEAN": _BASE | {"categories": _undefined},
    "TEXT": _BASE | {"categories": _undefined, "maxValue": nullish(_undefined), "minValue": nullish(_undefined)},
}


def _body(value: Any, path: Path, issues: list[Issue]) -> Any:
    data_type = value.get("dataType") if isinstance(value, dict) else None
    if isinstance(value, dict) and data_type not in DATA_TYPES:
        issues.append(no_discriminator("dataType", ("dataType",)))
        return value
    checked: dict[str, Any] = fields(_FORMS[data_type or "NUMERIC"])(value, path, issues)
    return {"minValue": None, "maxValue": None} | checked | {"dataType": data_type}


def _create(call: Call) -> Response:
    body = parse(_body, call.json())
    data_type = body["dataType"]
    if _upside_down(body["minValue"], body["maxValue"]):
        raise invalid_data([custom(_RANGE)])
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
            "categories": to_json(_BOOLEAN if data_type == "BOOLEAN" else body["categories"]),
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


def _duplicate(categories: list[dict[str, Any]]) -> str | None:
    """What is said of the first category that is there twice."""
    seen: dict[str, set[Any]] = {"label": set(), "value": set()}
    for category in categories:
        for field, known in seen.items():
            if category[field] in known:
                return f"Duplicate category {field}: {category[field]}, category {field}s must be unique"
            known.add(category[field])
    return None


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
    "isArchived": optional(boolean),
    "name": optional(_name),
    "description": optional(string()),
    "minValue": optional(number),
    "maxValue": optional(number),
    "categories": optional(_categories),
}


def _misfits(row: sqlite3.Row, changes: dict[str, Any]) -> list[str]:
    """Why the changed config would be none of its type, in the server's words."""
    if row["data_type"] == "BOOLEAN":
        categories = changes.get("categories", _BOOLEAN)
        said = [] if len(categories) == len(_BOOLEAN) else ["Boolean data type must have exactly 2 categories."]
        fits = all(one == known for one, known in zip(categories, _BOOLEAN, strict=False))
        return said if fits else [*said, "Invalid input"]
    takes = {"NUMERIC": ("maxValue", "minValue"), "CATEGORICAL": ("categories",)}.get(row["data_type"], ())
    said = [
        f"Invalid input: expected undefined, received {kind(changes[key])}"
        for key in ("maxValue", "minValue", "categories")
        if key in changes and key not in takes
    ]
    upside_down = _upside_down(changes.get("minValue", row["min_value"]), changes.get("maxValue", row["max_value"]))
    return said or ([_RANGE] if row["data_type"] == "NUMERIC" and upside_down else [])


def _patch(call: Call) -> Response:
    body = call.body(_CHANGES)
    changes = {key: value for key, value in body.items() if value is not None}
    if not changes:
        message = "Request body cannot be empty. At least one field must be provided for update."
        raise invalid_data([custom(message)])
    row = _existing(call, call.params["configId"])
    said = _misfits(row, changes)
    if said:
        raise invalid_request(", ".join(said))
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
