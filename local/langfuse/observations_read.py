"""Observations, the reading side: GET /v2/observations, newest first, by cursor."""

from typing import Any

from starlette.responses import Response

from local.langfuse import filters
from local.langfuse.call import Call
from local.langfuse.clock import iso
from local.langfuse.observation_groups import shown
from local.langfuse.observation_rows import COLUMNS, EQUAL, Row
from local.langfuse.observations import LEVELS
from local.langfuse.otel_types import TYPES
from local.langfuse.paging import cursor_of, encode_cursor
from local.langfuse.query_values import comma_list, date, iso_time, whole_number
from local.langfuse.routing import Routes
from local.langfuse.store import Where
from local.langfuse.validation import Check, Issue, Path, anything, custom, fields, one_of, optional, string
from local.langfuse.wire import json_reply

NEWEST_FIRST = "start_us DESC, trace_id DESC, id DESC"
_true_or_false = one_of("true", "false")


def add_routes(routes: Routes) -> None:
    routes.add("GET", "/api/public/v2/observations", _list)


def _retired(value: Any, path: Path, issues: list[Issue]) -> Any:
    if value == "true":
        message = (
            "parseIoAsJson=true is no longer supported on the v2 observations endpoint. Input/output fields are "
            "always returned as raw strings. Remove the parseIoAsJson parameter or set it to false."
        )
        issues.append(custom(message, path))
    return value


def _repeated(value: Any, _path: Path, _issues: list[Issue]) -> list[str]:
    return [value] if isinstance(value, str) else value


_CURSOR: dict[str, Check] = {
    "lastStartTimeTo": date,
    "lastTraceId": string(),
    "lastId": string(),
    "lastStartUs": anything,  # the stand-in's own: what is below a millisecond
}
_QUERY: dict[str, Check] = {
    **dict.fromkeys(EQUAL, optional(string())),
    "type": optional(one_of(*TYPES)),
    "limit": whole_number(50, 0, 1000),
    "cursor": optional(cursor_of(fields(_CURSOR))),
    "fields": optional(comma_list),
    "expandMetadata": optional(comma_list),
    "parseIoAsJson": optional(_retired),
    "level": optional(one_of(*LEVELS)),
    "isRootObservation": optional(_true_or_false),
    "environment": optional(_repeated),
    "fromStartTime": optional(iso_time),
    "toStartTime": optional(iso_time),
    "filter": optional(string()),
}


def _list(call: Call) -> Response:
    query = call.query(_QUERY)
    text = query["filter"]
    conditions = filters.read_filter(text, frozenset(COLUMNS)) if text else []
    where = _where(call, query, {condition["column"] for condition in conditions})
    if query["cursor"] is not None:
        where.add("(start_us, trace_id, id) < (?, ?, ?)", *_position(query["cursor"]))
    limit: int = query["limit"]
    found: list[Row] = []
    for raw in call.store.select("observations", where, NEWEST_FIRST):
        row = Row(raw)
        if all(filters.holds(condition, COLUMNS[condition["column"]](row)) for condition in conditions):
            found.append(row)
            if len(found) > limit:
                break
    meta = {}
    if limit and len(found) > limit:
        last = found[limit - 1].row
        position = {"lastStartTimeTo": iso(last["start_us"]), "lastStartUs": last["start_us"]}
        meta["cursor"] = encode_cursor(position | {"lastTraceId": last["trace_id"], "lastId": last["id"]})
    groups = frozenset(query["fields"] or ("core", "basic"))
    expanded = frozenset(query["expandMetadata"] or ())
    data = [shown(call, row, groups, expanded) for row in found[:limit]]
    return json_reply({"data": data, "meta": meta})


def _where(call: Call, query: dict[str, Any], filtered: set[str]) -> Where:
    """The simple parameters; one whose column is also in `filter` gives way."""
    where = Where()
    where.add("visible_us <= ?", call.now_us())
    for parameter, column in EQUAL.items():
        if parameter not in filtered:
            value = query[parameter]
            if parameter == "parentObservationId" and value == "":
                where.add("parent_id IS NULL")
            else:
                where.equal(column, value)
    if "level" not in filtered:
        where.equal("level", query["level"])
    if "environment" not in filtered:
        where.among("environment", query["environment"])
    if "isRootObservation" not in filtered and query["isRootObservation"] is not None:
        where.equal("is_root", query["isRootObservation"] == "true")
    if "startTime" not in filtered:
        where.between("start_us", query["fromStartTime"], query["toStartTime"])
    return where


def _position(cursor: dict[str, Any]) -> tuple[int, str, str]:
    start_us = cursor["lastStartUs"]
    if not isinstance(start_us, int) or abs(start_us) >= 2**63:
        start_us = cursor["lastStartTimeTo"]
    return start_us, cursor["lastTraceId"], cursor["lastId"]
