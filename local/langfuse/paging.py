"""Lists -> pages by number, and cursors of the endpoints that have no numbers."""

import base64
import binascii
import json
import re
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response

from local.langfuse.call import Call
from local.langfuse.problems import invalid_request
from local.langfuse.store import Where
from local.langfuse.validation import Check, Issue, Path, anything, fields, no_discriminator, wrong_type
from local.langfuse.wire import json_reply

_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")

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


def cursor_of(fields_of: Check, parameter: str = "cursor") -> Check:
    """A check for a cursor: base64 of JSON with these fields. What is no JSON is refused in words of its own."""

    def check(value: Any, path: Path, issues: list[Issue]) -> Any:
        if not isinstance(value, str):
            issues.append(wrong_type("string", value, path))
            return None
        return fields_of(_decoded(value), (parameter,), issues)

    return check


def versioned(checks: Mapping[str, Check]) -> Check:
    """The cursors that name their version, of which there is one."""
    inner = fields({"v": anything, **checks})

    def check(value: Any, path: Path, issues: list[Issue]) -> Any:
        if isinstance(value, dict) and value.get("v") != 1:
            issues.append(no_discriminator("v", (*path, "v")))
            return None
        return inner(value, path, issues)

    return check


def _decoded(cursor: str) -> Any:
    # JavaScript's decoder reads both alphabets and passes over everything else.
    plain = _NOT_BASE64.sub("", cursor.partition("=")[0].replace("-", "+").replace("_", "/"))
    try:
        return json.loads(base64.b64decode(plain + "=" * (-len(plain) % 4)))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise invalid_request("Invalid cursor format") from error
