"""Comments on traces, observations, sessions and prompts."""

import sqlite3
import uuid
from typing import Any

from starlette.responses import Response

from local.langfuse.call import Call
from local.langfuse.clock import iso
from local.langfuse.paging import page_reply
from local.langfuse.problems import invalid_data, invalid_request, not_found
from local.langfuse.query_values import PAGING
from local.langfuse.routing import Routes
from local.langfuse.store import Where
from local.langfuse.validation import Check, custom, nullish, one_of, optional, string, trimmed
from local.langfuse.wire import json_reply

# The server has no order of its own here; the stand-in keeps the order of writing.
_ORDER = "created_us, id"
_object_type = one_of("TRACE", "OBSERVATION", "SESSION", "PROMPT")
_COMMENTED = {
    "TRACE": "SELECT 1 FROM observations WHERE trace_id = ? LIMIT 1",
    "OBSERVATION": "SELECT 1 FROM observations WHERE id = ? LIMIT 1",
    "SESSION": "SELECT 1 FROM observations WHERE session_id = ? LIMIT 1",
    "PROMPT": "SELECT 1 FROM prompts WHERE id = ? LIMIT 1",
}

BODY: dict[str, Check] = {
    "projectId": string(),  # required, and ignored: the key says which project
    "content": trimmed(string(1, 5000)),
    "objectId": string(),
    "objectType": _object_type,
    "authorUserId": nullish(string()),
}


def add_routes(routes: Routes) -> None:
    routes.add("POST", "/api/public/comments", _create)
    routes.add("GET", "/api/public/comments", _list)
    routes.add("GET", "/api/public/comments/{commentId}", _get)


def _create(call: Call) -> Response:
    body = call.body(BODY, strict=True)
    author = body["authorUserId"]
    if author is not None and not call.settings.is_member(author):
        raise invalid_request("authorUserId must belong to a member of the organization")
    return json_reply({"id": write(call, body)})


def write(call: Call, body: dict[str, Any], comment_id: str | None = None) -> str:
    """Store a comment whose fields were checked; its id.

    Raises:
        ApiError: 404 when what it is about is not there.
    """
    object_type, object_id = body["objectType"], body["objectId"]
    if call.store.row(_COMMENTED[object_type], object_id) is None:
        raise not_found(f"Reference object, {object_type}: {object_id} not found. Skipping creating comment.")
    now = call.now_us()
    row = {
        "id": comment_id or str(uuid.uuid4()),
        "object_type": object_type,
        "object_id": object_id,
        "content": body["content"],
    }
    row |= {"author_user_id": body["authorUserId"]}
    call.store.insert("comments", row | {"created_us": now, "updated_us": now})
    return str(row["id"])


def _shown(call: Call, row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "projectId": call.settings.project_id,
        "createdAt": iso(row["created_us"]),
        "updatedAt": iso(row["updated_us"]),
        "objectType": row["object_type"],
        "objectId": row["object_id"],
        "content": row["content"],
        "authorUserId": row["author_user_id"],
    }


def _list(call: Call) -> Response:
    text = optional(string())
    filters = {"objectType": optional(_object_type), "objectId": text, "authorUserId": text}
    query = call.query(PAGING | filters, strict=True)
    if query["objectId"] is not None and query["objectType"] is None:
        raise invalid_data([custom("objectType is required when objectId is provided", ("objectType",))])
    where = Where()
    where.equal("object_type", query["objectType"])
    where.equal("object_id", query["objectId"])
    where.equal("author_user_id", query["authorUserId"])
    return page_reply(call, query, "comments", where, order=_ORDER, render=lambda row: _shown(call, row))


def _get(call: Call) -> Response:
    row = call.store.row("SELECT * FROM comments WHERE id = ?", call.params["commentId"])
    if row is None:
        raise not_found("Comment not found within authorized project")
    return json_reply(_shown(call, row))
