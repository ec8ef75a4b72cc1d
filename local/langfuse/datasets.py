"""Datasets: created or changed by name, never deleted."""

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from local.langfuse import dataset_items
from local.langfuse.call import Call
from local.langfuse.clock import iso, new_id
from local.langfuse.json_schemas import complaint, is_schema
from local.langfuse.paging import page_reply
from local.langfuse.problems import invalid_request, not_found
from local.langfuse.query_values import PAGING
from local.langfuse.routing import Routes
from local.langfuse.store import Store, Where
from local.langfuse.validation import Check, Issue, Path, anything, custom, nullish, record, string
from local.langfuse.wire import from_json, json_reply, to_json

_MAXIMUM_NAMED = 10


def add_routes(routes: Routes) -> None:
    for path in ("/api/public/v2/datasets", "/api/public/datasets"):
        v1 = path == "/api/public/datasets"
        routes.add("POST", path, lambda call, v1=v1: _put(call, v1=v1))  # type: ignore[misc]
    routes.add("GET", "/api/public/v2/datasets", _list)
    routes.add("GET", "/api/public/datasets", _list_v1)
    routes.add("GET", "/api/public/v2/datasets/{datasetName}", _get)
    routes.add("GET", "/api/public/datasets/{datasetName}", _get_v1)


def find(store: Store, name: str) -> sqlite3.Row | None:
    return store.row("SELECT * FROM datasets WHERE name = ?", name)


def _schema(value: Any, path: Path, issues: list[Issue]) -> Any:
    before = len(issues)
    record(value, path, issues)
    if len(issues) == before and not is_schema(value):
        issues.append(custom("Must be a valid JSON Schema", path))
    return value


_BODY: dict[str, Check] = {
    "name": string(1),
    "description": nullish(string()),
    "metadata": anything,
    "inputSchema": nullish(_schema),
    "expectedOutputSchema": nullish(_schema),
}

_NAME_RULES: tuple[tuple[Callable[[str], bool], str, str], ...] = (
    (lambda name: not name.startswith("/"), "/^[^/]/", "Name cannot start with a slash"),
    (lambda name: not name.endswith("/"), "/^.*[^/]$/", "Name cannot end with a slash"),
    (lambda name: "//" not in name, "/^(?!.*\\/\\/).*$/", "Name cannot contain consecutive slashes"),
)


def _check_name(name: str) -> None:
    broken = [
        {"origin": "string", "code": "invalid_format", "format": "regex", "pattern": shown, "path": [], "message": text}
        for holds, shown, text in _NAME_RULES
        if not holds(name)
    ]
    if broken:
        raise invalid_request(f"Dataset name not valid. {json.dumps(broken, indent=2)}")


def _put(call: Call, *, v1: bool) -> Response:
    body = call.body(_BODY)
    _check_name(body["name"])
    now = call.now_us()
    # A key that is not sent, or null, leaves what is there.
    changes: dict[str, Any] = {}
    if body["description"] is not None:
        changes["description"] = body["description"]
    for key, column in (
        ("metadata", "metadata"),
        ("inputSchema", "input_schema"),
        ("expectedOutputSchema", "expected_output_schema"),
    ):
        if body[key] is not None:
            changes[column] = to_json(body[key])
    store = call.store
    with store.together():
        row = find(store, body["name"])
        if row is None:
            new = {"description": None, "metadata": "null", "input_schema": "null", "expected_output_schema": "null"}
            identity = {"id": new_id(), "name": body["name"], "created_us": now, "updated_us": now}
            store.insert("datasets", identity | new | changes)
        else:
            _check_items(store, row["id"], body["inputSchema"], body["expectedOutputSchema"])
            where = Where()
            where.equal("id", row["id"])
            store.update("datasets", where, changes | {"updated_us": now})
        row = find(store, body["name"])
    assert row is not None  # noqa: S101 - written above, in the same transaction
    return json_reply(_shown(call, row) | ({"items": [], "runs": []} if v1 else {}))


def _check_items(store: Store, dataset_id: str, input_schema: Any, output_schema: Any) -> None:
    """A schema is accepted only if every active item fits it."""
    if input_schema is None and output_schema is None:
        return
    misfits = []
    for item in dataset_items.active_items(store, dataset_id):
        for field, schema, text in (
            ("input", input_schema, item["input"]),
            ("expectedOutput", output_schema, item["expected_output"]),
        ):
            said = complaint(schema, from_json(text))
            if said is not None:
                misfits.append(f"{item['item_id']} ({field} {said})")
    if misfits:
        named = "; ".join(misfits[:_MAXIMUM_NAMED])
        raise invalid_request(f"Schema validation failed for {len(misfits)} existing item(s): {named}")


def _shown(call: Call, row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "projectId": call.settings.project_id,
        "name": row["name"],
        "description": row["description"],
        "metadata": from_json(row["metadata"]),
        "inputSchema": from_json(row["input_schema"]),
        "expectedOutputSchema": from_json(row["expected_output_schema"]),
        "createdAt": iso(row["created_us"]),
        "updatedAt": iso(row["updated_us"]),
    }


def _list(call: Call) -> Response:
    query = call.query(PAGING)
    order = "created_us DESC, id DESC"
    return page_reply(call, query, "datasets", Where(), order=order, render=lambda row: _shown(call, row))


def _list_v1(call: Call) -> Response:
    """The list of old clients, with the ids of each dataset's items; runs are kept in spans, so there are none."""
    query = call.query(PAGING)

    def render(row: sqlite3.Row) -> dict[str, Any]:
        items = [item["item_id"] for item in dataset_items.active_items(call.store, row["id"])]
        return _shown(call, row) | {"items": items, "runs": []}

    return page_reply(call, query, "datasets", Where(), order="created_us DESC, id DESC", render=render)


def _existing(call: Call) -> sqlite3.Row:
    row = find(call.store, call.params["datasetName"])
    if row is None:
        raise not_found("Dataset not found")
    return row


def _get(call: Call) -> Response:
    return json_reply(_shown(call, _existing(call)))


def _get_v1(call: Call) -> Response:
    row = _existing(call)
    items = [dataset_items.shown(item, row["name"]) for item in dataset_items.active_items(call.store, row["id"])]
    return json_reply(_shown(call, row) | {"items": items, "runs": []})
