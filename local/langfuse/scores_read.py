"""Scores, the reading side: GET /v3/scores, and the scores shown beside experiments and traces."""

import math
import sqlite3
from typing import Any

from starlette.responses import Response

from local.langfuse.call import Call
from local.langfuse.clock import iso
from local.langfuse.paging import cursor_of, encode_cursor, versioned
from local.langfuse.problems import invalid_data
from local.langfuse.query_values import as_number, comma_list, date, decimal, filled, groups, whole_number
from local.langfuse.routing import Routes
from local.langfuse.store import Where
from local.langfuse.validation import Check, Issue, Path, custom, optional, string
from local.langfuse.wire import from_json, json_reply, plain_number

_NEWEST_FIRST = "timestamp_us DESC, id DESC"
_DATA_TYPES = ("NUMERIC", "BOOLEAN", "CATEGORICAL", "TEXT", "CORRECTION")
_SOURCES = ("API", "EVAL", "ANNOTATION")
# Known of old, and refused: scores do not have them.
_OF_TRACES = ("userId", "traceTags")
_COLUMNS = {
    "id": "id",
    "name": "name",
    "source": "source",
    "dataType": "data_type",
    "environment": "environment",
    "configId": "config_id",
    "queueId": "queue_id",
    "authorUserId": "author_user_id",
    "traceId": "trace_id",
    "sessionId": "session_id",
    "observationId": "observation_id",
    "experimentId": "run_id",
}


def add_routes(routes: Routes) -> None:
    routes.add("GET", "/api/public/v3/scores", _list)


def _choices(field: str, allowed: tuple[str, ...]) -> Check:
    def check(value: Any, path: Path, issues: list[Issue]) -> list[str]:
        names = [name.upper() for name in comma_list(value, path, issues)]
        issues += [
            custom(f'Invalid {field} value: "{name}". Allowed: {", ".join(allowed)}', path)
            for name in names
            if name not in allowed
        ]
        return names

    return check


def _timestamp(value: Any, path: Path, issues: list[Issue]) -> int | None:
    """Microseconds: a time as people write it, or a number of ours, which also has what is below a millisecond."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return value
    return date(value, path, issues)


_QUERY: dict[str, Check] = {
    **dict.fromkeys(_COLUMNS, optional(comma_list)),
    "source": optional(_choices("source", _SOURCES)),
    "dataType": optional(_choices("dataType", _DATA_TYPES)),
    "limit": whole_number(50, 1, 100),
    "cursor": optional(cursor_of(versioned({"lastTimestamp": _timestamp, "lastId": string()}))),
    "fields": groups(("core", "details", "subject", "annotation"), ("core",)),
    "value": optional(comma_list),
    "valueMin": filled(decimal),
    "valueMax": filled(decimal),
    "fromTimestamp": filled(date),
    "toTimestamp": filled(date),
    **dict.fromkeys(_OF_TRACES, filled(string())),
}


def _list(call: Call) -> Response:
    query = call.query(_QUERY, strict=True)
    _check_combination(query)
    where = readable(call)
    for key, column in _COLUMNS.items():
        where.among(column, query[key])
    where.between("timestamp_us", query["fromTimestamp"], query["toTimestamp"])
    _add_values(where, query)
    if query["cursor"] is not None:
        where.add("(timestamp_us, id) < (?, ?)", query["cursor"]["lastTimestamp"], query["cursor"]["lastId"])
    limit = query["limit"]
    rows = list(call.store.select("scores", where, _NEWEST_FIRST, limit + 1))
    meta: dict[str, Any] = {"limit": limit}
    if len(rows) > limit:
        last = rows[limit - 1]
        meta["cursor"] = encode_cursor({"v": 1, "lastTimestamp": last["timestamp_us"], "lastId": last["id"]})
    return json_reply({"data": [shown(call, row, query["fields"]) for row in rows[:limit]], "meta": meta})


def readable(call: Call) -> Where:
    """Neither late nor deleted, at this moment."""
    now = call.now_us()
    where = Where()
    where.add("visible_us <= ?", now)
    where.add("(gone_us IS NULL OR gone_us > ?)", now)
    return where


def _check_combination(query: dict[str, Any]) -> None:
    """What fits together, in the server's order; a list without entries counts as not sent here."""
    said = [
        f"{name} filter requires a trace JOIN and is not supported in v3 — use v2 or omit this filter"
        for name in _OF_TRACES
        if query[name]
    ]
    types = query["dataType"] or []
    if query["value"]:
        said += _value_refusals(query["value"], types)
    if (query["valueMin"] is not None or query["valueMax"] is not None) and types != ["NUMERIC"]:
        said.append("valueMin and valueMax require dataType=NUMERIC as a single value")
    if query["observationId"] and not query["traceId"]:
        said.append("observationId filter requires traceId — observation IDs are scoped to a trace")
    if sum(bool(query[key]) for key in ("traceId", "sessionId", "experimentId")) > 1:
        said.append("At most one of traceId, sessionId, experimentId may be specified")
    if said:
        raise invalid_data([custom(message) for message in said])


def _value_refusals(values: list[str], types: list[str]) -> list[str]:
    if len(types) != 1:
        return ["value filter requires a single dataType from: NUMERIC, BOOLEAN, CATEGORICAL"]
    (kind,) = types
    match kind:
        case "CATEGORICAL":
            return []
        case "NUMERIC":
            rule, bad = "be a finite number", [one for one in values if not math.isfinite(as_number(one))]
        case "BOOLEAN":
            rule, bad = 'be "true" or "false"', [one for one in values if one not in ("true", "false")]
        case _:
            return [f'value filter requires dataType to be NUMERIC, BOOLEAN, or CATEGORICAL (got "{kind}")']
    return [f'value filter with dataType={kind} requires each value to {rule} (got "{one}")' for one in bad]


def _add_values(where: Where, query: dict[str, Any]) -> None:
    if query["valueMin"] is not None:
        where.add("number >= ?", query["valueMin"])
    if query["valueMax"] is not None:
        where.add("number <= ?", query["valueMax"])
    texts = query["value"]
    if not texts:
        return
    match query["dataType"]:
        case ["CATEGORICAL"]:
            where.among("text", texts)
        case ["BOOLEAN"]:
            where.among("number", [float(text == "true") for text in texts])
        case _:
            where.among("number", [as_number(text) for text in texts])


def shown(call: Call, row: sqlite3.Row, wanted: frozenset[str]) -> dict[str, Any]:
    score: dict[str, Any] = {
        "id": row["id"],
        "projectId": call.settings.project_id,
        "name": row["name"],
        "source": row["source"],
        "timestamp": iso(row["timestamp_us"]),
        "environment": row["environment"],
        "createdAt": iso(row["created_us"]),
        "updatedAt": iso(row["updated_us"]),
        "dataType": row["data_type"],
        "value": _value(row),
    }
    if "details" in wanted:
        metadata = from_json(row["metadata"])
        score |= {"comment": row["comment"], "configId": row["config_id"], "metadata": metadata}
    if "annotation" in wanted:
        score |= {"authorUserId": row["author_user_id"], "queueId": row["queue_id"]}
    if "subject" in wanted:
        score["subject"] = _subject(row)
    return score


def _value(row: sqlite3.Row) -> float | bool | str:
    match row["data_type"]:
        case "NUMERIC":
            return plain_number(row["number"])
        case "BOOLEAN":
            return bool(row["number"])
        case _:
            return str(row["text"])


def _subject(row: sqlite3.Row) -> dict[str, str]:
    if row["observation_id"] is not None:
        return {"kind": "observation", "id": row["observation_id"], "traceId": row["trace_id"]}
    if row["trace_id"] is not None:
        return {"kind": "trace", "id": row["trace_id"]}
    if row["session_id"] is not None:
        return {"kind": "session", "id": row["session_id"]}
    return {"kind": "experiment", "id": row["run_id"]}


def of_experiment(call: Call, experiment_id: str, limit: int) -> list[dict[str, Any]]:
    """Scores given to the experiment as a whole, newest first."""
    where = readable(call)
    where.equal("run_id", experiment_id)
    return _some(call, where, limit)


def of_item(call: Call, trace_id: str, observation_id: str, limit: int) -> list[dict[str, Any]]:
    """Scores of one experiment item: of its root span and of its trace as a whole, newest first."""
    where = readable(call)
    where.equal("trace_id", trace_id)
    where.add("(observation_id = ? OR observation_id IS NULL)", observation_id)
    return _some(call, where, limit)


def _some(call: Call, where: Where, limit: int) -> list[dict[str, Any]]:
    rows = call.store.select("scores", where, _NEWEST_FIRST, limit)
    return [shown(call, row, frozenset({"subject"})) for row in rows]
