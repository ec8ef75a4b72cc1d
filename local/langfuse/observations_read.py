"""Observations, the reading side: GET /v2/observations, newest first, by cursor."""

import sqlite3
from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from local.langfuse import filters
from local.langfuse.call import Call
from local.langfuse.clock import iso, parse_time
from local.langfuse.observations import LEVELS
from local.langfuse.paging import decode_cursor, encode_cursor
from local.langfuse.problems import invalid_request
from local.langfuse.routing import Routes
from local.langfuse.store import Where
from local.langfuse.validation import (
    Check,
    Issue,
    Path,
    comma_list,
    custom,
    iso_time,
    one_of,
    optional,
    string,
    whole_number,
)
from local.langfuse.wire import from_json, json_reply, parsed_if_json, plain_number

NEWEST_FIRST = "start_us DESC, trace_id DESC, id DESC"
_METADATA_LENGTH = 200
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


# Parameter -> column of the table, compared for equality.
_EQUAL = {
    "name": "name",
    "userId": "user_id",
    "sessionId": "session_id",
    "type": "type",
    "traceId": "trace_id",
    "version": "version",
    "parentObservationId": "parent_id",
}
_QUERY: dict[str, Check] = {
    **dict.fromkeys(_EQUAL, optional(string())),
    "limit": whole_number(50, 0, 1000),
    "cursor": optional(string()),
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


class Row:
    """One stored observation, its document read when it is needed."""

    def __init__(self, row: sqlite3.Row) -> None:
        self.row = row
        self._document: dict[str, Any] | None = None

    @property
    def document(self) -> dict[str, Any]:
        if self._document is None:
            self._document = from_json(self.row["document"])
        return self._document

    @property
    def latency_s(self) -> float:
        return float(self.row["end_us"] // 1000 - self.row["start_us"] // 1000) / 1000

    def seconds_to_first_token(self) -> float | None:
        first_us = self.document["completionStartUs"]
        return None if first_us is None else plain_number((first_us // 1000 - self.row["start_us"] // 1000) / 1000)

    def is_item_root(self) -> bool:
        return bool(self.row["experiment_root_id"] == self.row["id"])


def _in_document(key: str) -> Callable[[Row], filters.Value]:
    return lambda row: row.document[key]


def _in_row(column: str) -> Callable[[Row], filters.Value]:
    return lambda row: row.row[column]


def _usage(key: str) -> Callable[[Row], filters.Value]:
    return lambda row: row.document["usage"].get(key, 0)


def _cost(key: str) -> Callable[[Row], filters.Value]:
    return lambda row: row.document["cost"].get(key, 0)


# What a `filter` may name.
COLUMNS: dict[str, Callable[[Row], filters.Value]] = {
    **{parameter: _in_row(column) for parameter, column in _EQUAL.items()},
    "id": _in_row("id"),
    "level": _in_row("level"),
    "environment": _in_row("environment"),
    "startTime": _in_row("start_us"),
    "endTime": _in_row("end_us"),
    "isRootObservation": lambda row: bool(row.row["is_root"]),
    "hasParentObservation": lambda row: row.row["parent_id"] is not None,
    "experimentId": _in_row("experiment_id"),
    "experimentName": _in_row("experiment_name"),
    "experimentDatasetId": _in_row("experiment_dataset_id"),
    "isExperimentItemRootSpan": lambda row: row.is_item_root(),
    "latency": lambda row: row.latency_s,
    "timeToFirstToken": lambda row: row.seconds_to_first_token(),
    "statusMessage": _in_document("statusMessage"),
    "metadata": _in_document("metadata"),
    "tags": _in_document("tags"),
    "traceTags": _in_document("tags"),
    "traceName": _in_document("traceName"),
    "release": _in_document("release"),
    "input": _in_document("input"),
    "output": _in_document("output"),
    "model": _in_document("model"),
    "providedModelName": _in_document("model"),
    "promptName": _in_document("promptName"),
    "promptVersion": _in_document("promptVersion"),
    "inputTokens": _usage("input"),
    "outputTokens": _usage("output"),
    "totalTokens": _usage("total"),
    "inputCost": _cost("input"),
    "outputCost": _cost("output"),
    "totalCost": _cost("total"),
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
    data = [_shown(call, row, groups, expanded) for row in found[:limit]]
    return json_reply({"data": data, "meta": meta})


def _where(call: Call, query: dict[str, Any], filtered: set[str]) -> Where:
    """The simple parameters; one whose column is also in `filter` gives way."""
    where = Where()
    where.add("visible_us <= ?", call.now_us())
    for parameter, column in _EQUAL.items():
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


def _position(cursor: str) -> tuple[int, str, str]:
    try:
        position = decode_cursor(cursor)
        start_us = position.get("lastStartUs")
        if start_us is None:
            start_us = parse_time(str(position.get("lastStartTimeTo")))
    except ValueError as error:
        raise invalid_request("Invalid cursor format") from error
    trace_id, observation_id = position.get("lastTraceId"), position.get("lastId")
    if (
        not isinstance(start_us, int)
        or abs(start_us) >= 2**63
        or not isinstance(trace_id, str)
        or not isinstance(observation_id, str)
    ):
        raise invalid_request("Invalid cursor format")
    return start_us, trace_id, observation_id


def _shown(call: Call, row: Row, groups: frozenset[str], expanded: frozenset[str]) -> dict[str, Any]:
    raw = row.row
    shown: dict[str, Any] = {
        "id": raw["id"],
        "traceId": raw["trace_id"],
        "startTime": iso(raw["start_us"]),
        "endTime": iso(raw["end_us"]),
        "projectId": call.settings.project_id,
        "parentObservationId": raw["parent_id"],
        "type": raw["type"],
        # The groups `metrics` and `model` leave these behind whatever was asked for.
        "latency": plain_number(row.latency_s),
        "timeToFirstToken": row.seconds_to_first_token(),
        "modelId": None,
        "inputPrice": None,
        "outputPrice": None,
        "totalPrice": None,
    }
    for group, show in _GROUPS.items():
        if group in groups:
            shown |= show(row)
    if "metadata" in groups:
        metadata = row.document["metadata"]
        shown["metadata"] = {key: _cut(value, whole=key in expanded) for key, value in metadata.items()}
    return shown


def _cut(value: str, *, whole: bool) -> Any:
    return parsed_if_json(value if whole else value[:_METADATA_LENGTH])


def _basic(row: Row) -> dict[str, Any]:
    raw = row.row
    return {
        "name": raw["name"],
        "level": raw["level"],
        "statusMessage": row.document["statusMessage"],
        "version": raw["version"],
        "environment": raw["environment"],
        "userId": raw["user_id"],
        "sessionId": raw["session_id"],
        "isRootObservation": bool(raw["is_root"]),
        "bookmarked": False,
        "public": False,
    }


def _time(row: Row) -> dict[str, Any]:
    first_us = row.document["completionStartUs"]
    return {
        "completionStartTime": None if first_us is None else iso(first_us),
        "createdAt": iso(row.row["created_us"]),
        "updatedAt": iso(row.row["updated_us"]),
    }


def _model(row: Row) -> dict[str, Any]:
    document = row.document
    return {
        "providedModelName": document["model"],
        "internalModelId": None,
        "modelParameters": document["modelParameters"],
    }


def _usage_group(row: Row) -> dict[str, Any]:
    usage, cost = row.document["usage"], row.document["cost"]
    return {
        "usageDetails": usage,
        "inputUsage": usage.get("input", 0),
        "outputUsage": usage.get("output", 0),
        "totalUsage": usage.get("total", 0),
        "costDetails": cost,
        "inputCost": cost.get("input"),
        "outputCost": cost.get("output"),
        "totalCost": cost.get("total", 0),
        "usagePricingTierId": row.document["priceId"],
        "usagePricingTierName": row.document["priceName"],
    }


def _prompt(row: Row) -> dict[str, Any]:
    document = row.document
    return {"promptId": None, "promptName": document["promptName"], "promptVersion": document["promptVersion"]}


def _trace_context(row: Row) -> dict[str, Any]:
    document = row.document
    return {"traceName": document["traceName"], "release": document["release"], "tags": document["tags"]}


_GROUPS: dict[str, Callable[[Row], dict[str, Any]]] = {
    "basic": _basic,
    "time": _time,
    "io": lambda row: {"input": row.document["input"], "output": row.document["output"]},
    "model": _model,
    "usage": _usage_group,
    "prompt": _prompt,
    "trace_context": _trace_context,
}
