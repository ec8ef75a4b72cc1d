"""Lists -> pages by number, and cursors of the endpoints that have no numbers."""

import base64
import binascii
import json
import sqlite3
from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from local.langfuse.call import Call
from local.langfuse.store import Where
from local.langfuse.wire import json_reply

type Render = Callable[[sqlite3.Row], dict[str, Any]]


def meta(page: int, limit: int, total: int) -> dict[str, int]:
    return {"page": page, "limit": limit, "totalItems": total, "totalPages": -(-total // limit)}


def page_reply(call: Call, query: dict[str, Any], source: str, where: Where, *, order: str, render: Render) -> Response:
    """One page of `source`, after `query["page"]` and `query["limit"]`."""
    page, limit = query["page"], query["limit"]
    rows = call.store.select(source, where, order, limit, (page - 1) * limit)
    data = [render(row) for row in rows]
    return json_reply({"data": data, "meta": meta(page, limit, call.store.count(source, where))})


def encode_cursor(position: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(position, separators=(",", ":")).encode()).decode()


def decode_cursor(cursor: str) -> dict[str, Any]:
    """The position in a cursor.

    Raises:
        ValueError: not base64 of a JSON object.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        position = json.loads(base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise ValueError(cursor) from error
    if not isinstance(position, dict):
        raise ValueError(cursor)  # noqa: TRY004 - the same to the caller
    return position
