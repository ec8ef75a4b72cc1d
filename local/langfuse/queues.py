"""Annotation queues, their items and assignments. An object queued twice is two items, as on the real server."""

import sqlite3
from typing import Any

from starlette.responses import Response

from local.langfuse.call import Call
from local.langfuse.clock import iso, new_id
from local.langfuse.paging import page_reply
from local.langfuse.problems import invalid_request, not_found
from local.langfuse.query_values import PAGING
from local.langfuse.routing import Routes
from local.langfuse.score_configs import find as find_config
from local.langfuse.store import Where
from local.langfuse.validation import Check, array, nullish, one_of, optional, string
from local.langfuse.wire import from_json, json_reply, to_json

_QUEUES = "/api/public/annotation-queues"
_NEWEST_FIRST = "created_us DESC, id DESC"
_status = one_of("PENDING", "COMPLETED")


def add_routes(routes: Routes) -> None:
    routes.add("GET", _QUEUES, _list)
    routes.add("POST", _QUEUES, _create)
    routes.add("GET", f"{_QUEUES}/{{queueId}}", _get)
    routes.add("GET", f"{_QUEUES}/{{queueId}}/items", _list_items)
    routes.add("POST", f"{_QUEUES}/{{queueId}}/items", _create_item)
    routes.add("GET", f"{_QUEUES}/{{queueId}}/items/{{itemId}}", _get_item)
    routes.add("PATCH", f"{_QUEUES}/{{queueId}}/items/{{itemId}}", _patch_item)
    routes.add("DELETE", f"{_QUEUES}/{{queueId}}/items/{{itemId}}", _delete_item)
    routes.add("POST", f"{_QUEUES}/{{queueId}}/assignments", _assign)
    routes.add("DELETE", f"{_QUEUES}/{{queueId}}/assignments", _unassign)


_BODY: dict[str, Check] = {
    "name": string(),
    "description": nullish(string()),
    "scoreConfigIds": array(string(), 1),
}


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "description": row["description"],
        "scoreConfigIds": from_json(row["score_config_ids"]),
        "createdAt": iso(row["created_us"]),
        "updatedAt": iso(row["updated_us"]),
    }


def _create(call: Call) -> Response:
    body = call.body(_BODY, strict=True)
    store = call.store
    if store.row("SELECT 1 FROM queues WHERE name = ?", body["name"]) is not None:
        raise invalid_request("A queue with this name already exists.")
    if any(find_config(store, config_id) is None for config_id in body["scoreConfigIds"]):
        raise invalid_request("At least one of the score config IDs cannot be found for the given project.")
    now = call.now_us()
    queue_id = new_id()
    row = {"id": queue_id, "name": body["name"], "description": body["description"]}
    row |= {"score_config_ids": to_json(body["scoreConfigIds"]), "created_us": now, "updated_us": now}
    store.insert("queues", row)
    return json_reply(_shown(_queue(call, queue_id)))


def _list(call: Call) -> Response:
    query = call.query(PAGING, strict=True)
    return page_reply(call, query, "queues", Where(), order=_NEWEST_FIRST, render=_shown)


def _queue(call: Call, queue_id: str | None = None) -> sqlite3.Row:
    row = call.store.row("SELECT * FROM queues WHERE id = ?", queue_id or call.params["queueId"])
    if row is None:
        raise not_found("Annotation queue not found")
    return row


def _get(call: Call) -> Response:
    return json_reply(_shown(_queue(call)))


# --- items --------------------------------------------------------------------------------------------------------

_ITEM_BODY: dict[str, Check] = {
    "objectId": string(),
    "objectType": one_of("TRACE", "OBSERVATION", "SESSION"),
    "status": optional(_status, "PENDING"),
}


def _shown_item(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "queueId": row["queue_id"],
        "objectId": row["object_id"],
        "objectType": row["object_type"],
        "status": row["status"],
        "completedAt": None if row["completed_us"] is None else iso(row["completed_us"]),
        "createdAt": iso(row["created_us"]),
        "updatedAt": iso(row["updated_us"]),
    }


def _create_item(call: Call) -> Response:
    body = call.body(_ITEM_BODY, strict=True)
    queue = _queue(call)
    now = call.now_us()
    row = {
        "id": new_id(),
        "queue_id": queue["id"],
        "object_id": body["objectId"],
        "object_type": body["objectType"],
        "status": body["status"],
        "completed_us": now if body["status"] == "COMPLETED" else None,
        "created_us": now,
        "updated_us": now,
    }
    call.store.insert("queue_items", row)
    return json_reply(_shown_item(_item(call, row["id"])))


def _list_items(call: Call) -> Response:
    query = call.query(PAGING | {"status": optional(_status)}, strict=True)
    where = Where()
    where.equal("queue_id", _queue(call)["id"])
    where.equal("status", query["status"])
    return page_reply(call, query, "queue_items", where, order=_NEWEST_FIRST, render=_shown_item)


def _item(call: Call, item_id: str | None = None) -> sqlite3.Row:
    row = call.store.row(
        "SELECT * FROM queue_items WHERE id = ? AND queue_id = ?",
        item_id or call.params["itemId"],
        call.params["queueId"],
    )
    if row is None:
        raise not_found("Annotation queue item not found")
    return row


def _get_item(call: Call) -> Response:
    _queue(call)
    return json_reply(_shown_item(_item(call)))


def _patch_item(call: Call) -> Response:
    body = call.body({"status": optional(_status)}, strict=True)
    _queue(call)
    item = _item(call)
    set_status(call, item, body["status"])
    return json_reply(_shown_item(_item(call)))


def set_status(call: Call, item: sqlite3.Row, status: str | None) -> None:
    """As PATCH does; None touches the item only."""
    now = call.now_us()
    changes: dict[str, Any] = {"updated_us": now}
    if status is not None:
        changes["status"] = status
    if status == "COMPLETED":  # completing again moves the time; reopening keeps it
        changes["completed_us"] = now
    where = Where()
    where.equal("id", item["id"])
    call.store.update("queue_items", where, changes)


def _delete_item(call: Call) -> Response:
    _queue(call)
    call.store.run("DELETE FROM queue_items WHERE id = ?", _item(call)["id"])
    return json_reply({"success": True, "message": "Annotation queue item deleted successfully"})


# --- assignments --------------------------------------------------------------------------------------------------

_USER: dict[str, Check] = {"userId": string()}


def _assign(call: Call) -> Response:
    user_id = call.body(_USER, strict=True)["userId"]
    queue = _queue(call)
    if not call.settings.is_member(user_id):
        raise not_found("User not found or not authorized for this project")
    call.store.run("INSERT OR IGNORE INTO assignments VALUES (?, ?)", queue["id"], user_id)
    return json_reply({"userId": user_id, "projectId": call.settings.project_id, "queueId": queue["id"]})


def _unassign(call: Call) -> Response:
    user_id = call.body(_USER, strict=True)["userId"]
    queue = _queue(call)
    call.store.run("DELETE FROM assignments WHERE queue_id = ? AND user_id = ?", queue["id"], user_id)
    return json_reply({"success": True})
