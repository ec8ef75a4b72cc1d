"""Experiments and their items, read out of spans that carry `langfuse.experiment.*` attributes.

An experiment is every span with its id; an item is the span whose own id is the `item.root_observation_id`.
"""

import hashlib
import json
import sqlite3
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from starlette.responses import Response

from local.langfuse import dataset_items, filters, scores_read
from local.langfuse.call import Call
from local.langfuse.clock import iso, parse_time
from local.langfuse.paging import cursor_of, encode_cursor, versioned
from local.langfuse.problems import invalid_data, invalid_request, not_found
from local.langfuse.query_values import comma_list, groups, iso_time, whole_number
from local.langfuse.routing import Routes
from local.langfuse.store import Where
from local.langfuse.validation import Check, anything, custom, nullish, optional, string
from local.langfuse.wire import from_json, json_reply, parsed_if_json, to_json

_EXPERIMENT_GROUPS = ("core", "metadata", "scores")
_ITEM_GROUPS = ("core", "dataset", "io", "metadata", "itemMetadata", "experimentMetadata", "scores")
# Times are written in microseconds: a page never ends within one.
_CURSOR: dict[str, Check] = dict.fromkeys(("lastTime", "lastTraceId", "lastId", "lastExperimentId"), string())
_WINDOW: dict[str, Check] = {
    "limit": whole_number(50, 1, 100),
    "scoreLimit": whole_number(50, 1, 50),
    "cursor": optional(cursor_of(versioned(_CURSOR))),
    "fromStartTime": iso_time,
    "toStartTime": optional(iso_time),
    "filter": optional(string()),
}
_ITEM_COLUMNS = {
    "experimentId": "experiment_id",
    "experimentName": "experiment_name",
    "experimentItemId": "experiment_item_id",
    "datasetId": "experiment_dataset_id",
}
_COLUMNS = {"id": "experiment_id", "name": "experiment_name", "datasetId": "experiment_dataset_id"}


def add_routes(routes: Routes) -> None:
    routes.add("GET", "/api/public/experiments", _list)
    routes.add("GET", "/api/public/experiment-items", _list_items)
    routes.add("POST", "/api/public/dataset-run-items", _post_run_item)


def experiment_id(project_id: str, dataset_id: str, run_name: str) -> str:
    """The id that the SDK and the server both give a run: 16 hex digits."""
    identity = json.dumps(
        ["langfuse-experiment-v1", project_id, dataset_id, run_name], separators=(",", ":"), ensure_ascii=False
    )
    return hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:16]


def _conditions(call: Call, query: dict[str, Any], columns: dict[str, str]) -> Where:
    """Readable spans of experiments within the window that pass the parameters and the `filter`."""
    where = Where("experiment_id IS NOT NULL")
    where.add("visible_us <= ?", call.now_us())
    where.between("start_us", query["fromStartTime"], query["toStartTime"])
    for parameter, column in columns.items():
        where.among(column, query[parameter])
    return where


def _tests(query: dict[str, Any], columns: dict[str, str]) -> Callable[[sqlite3.Row], bool]:
    text = query["filter"]
    conditions = filters.read_filter(text, frozenset(columns)) if text else []
    return lambda row: all(filters.holds(condition, row[columns[condition["column"]]]) for condition in conditions)


def _after(query: dict[str, Any]) -> tuple[int, str] | None:
    """Time and id of the last row of the page before; None: this is the first page."""
    cursor = query["cursor"]
    if cursor is None:
        return None
    text = cursor["lastTime"]
    if not (text.isascii() and text.isdigit() and len(text) < 19):  # noqa: PLR2004 - what SQLite's integers hold
        raise invalid_request("Invalid cursor format")
    return int(text), cursor["lastId"]


def _reply(query: dict[str, Any], rows: Sequence[tuple[int, str, Callable[[], dict[str, Any]]]]) -> Response:
    """`rows` as (time, id, how to show it), newest first, from the cursor on."""
    limit = query["limit"]
    meta = {}
    if len(rows) > limit:
        time_us, last_id, _ = rows[limit - 1]
        meta["cursor"] = encode_cursor(
            {"v": 1, "lastTime": str(time_us), "lastTraceId": "", "lastId": last_id, "lastExperimentId": ""}
        )
    return json_reply({"data": [show() for _, _, show in rows[:limit]], "meta": meta})


def _attribute(row: sqlite3.Row, name: str) -> str | None:
    value: str | None = from_json(row["document"])["experiment"].get(name)
    return value


def _flat(text: str | None) -> dict[str, str]:
    """Metadata as the real server keeps it: one level, every value as text."""
    value = parsed_if_json(text)
    if not isinstance(value, dict):
        return {} if value is None else {"metadata": str(value)}
    return {key: entry if isinstance(entry, str) else to_json(entry) for key, entry in value.items()}


# --- experiments --------------------------------------------------------------------------------------------------


def summaries(call: Call, where: Where) -> list[sqlite3.Row]:
    """One row an experiment, the one with the latest activity first."""
    table = (
        "(SELECT experiment_id, max(experiment_name) AS experiment_name,"  # noqa: S608 - literals of ours
        " max(experiment_dataset_id) AS experiment_dataset_id, min(start_us) AS first_us, max(end_us) AS last_us,"
        " count(DISTINCT CASE WHEN id = experiment_root_id THEN trace_id || ':' || id END) AS items,"
        " sum(level = 'ERROR') AS errors"
        f" FROM observations{where} GROUP BY experiment_id)"
    )
    outer = Where()
    outer.parameters = where.parameters
    return list(call.store.select(table, outer, "last_us DESC, experiment_id DESC"))


def _list(call: Call) -> Response:
    checks = _WINDOW | dict.fromkeys(_COLUMNS, optional(comma_list))
    query = call.query(checks | {"fields": groups(_EXPERIMENT_GROUPS, ("core",))})
    after = _after(query)
    passes = _tests(query, _COLUMNS)
    rows: list[tuple[int, str, Callable[[], dict[str, Any]]]] = [
        (row["last_us"], row["experiment_id"], lambda row=row: _shown(call, row, query))  # type: ignore[misc]
        for row in summaries(call, _conditions(call, query, _COLUMNS))
        if passes(row) and (after is None or (row["last_us"], row["experiment_id"]) < after)
    ]
    return _reply(query, rows)


def _described(call: Call, experiment_id: str) -> tuple[str | None, str | None]:
    """Description and metadata of the experiment.

    The server takes those of any span with the id, in an order that is its table's. Here it is always the worst one: a
    single span of an item's own work that lacks them leaves the experiment without. What runs beside the work, as the
    SDK's evaluators do, came after it in every recording.
    """
    where = Where()
    where.equal("experiment_id", experiment_id)
    spans = {(row["trace_id"], row["id"]): row for row in call.store.select("observations", where, "start_us, id")}
    said: list[set[str | None]] = [set(), set()]
    for row in spans.values():
        for found, name in zip(said, ("description", "metadata"), strict=True):
            value = _attribute(row, name) or None
            if value is not None or _is_work(row, spans):
                found.add(value)
    description, metadata = (None if None in found else min(filter(None, found), default=None) for found in said)
    return description, metadata


def _is_work(row: sqlite3.Row, spans: dict[tuple[str, str], sqlite3.Row]) -> bool:
    """At or below the root of an item, or below a span that is not known."""
    current: sqlite3.Row | None = row
    for _ in range(len(spans)):
        if current is None or current["id"] == current["experiment_root_id"]:
            return True
        if current["parent_id"] is None:
            return False
        current = spans.get((current["trace_id"], current["parent_id"]))
    return True


def _shown(call: Call, row: sqlite3.Row, query: dict[str, Any]) -> dict[str, Any]:
    description, metadata = _described(call, row["experiment_id"])
    shown: dict[str, Any] = {
        "id": row["experiment_id"],
        "name": row["experiment_name"] or "",
        "description": description,
        "startTime": iso(row["first_us"]),
        "endTime": iso(row["last_us"]),
        "itemCount": row["items"],
        "datasetId": row["experiment_dataset_id"],
    }
    if "metadata" in query["fields"]:
        shown["metadata"] = _flat(metadata)
    if "scores" in query["fields"]:
        shown["scores"] = scores_read.of_experiment(call, row["experiment_id"], query["scoreLimit"])
    return shown


# --- items --------------------------------------------------------------------------------------------------------


def _list_items(call: Call) -> Response:
    checks = _WINDOW | dict.fromkeys(_ITEM_COLUMNS, optional(comma_list))
    query = call.query(checks | {"fields": groups(_ITEM_GROUPS, ("core", "dataset"))})
    after = _after(query)
    passes = _tests(query, _ITEM_COLUMNS)
    where = _conditions(call, query, _ITEM_COLUMNS)
    where.add("id = experiment_root_id")
    if after is not None:
        where.add("(start_us, id) < (?, ?)", *after)
    rows: list[tuple[int, str, Callable[[], dict[str, Any]]]] = []
    for row in call.store.select("observations", where, "start_us DESC, id DESC"):
        if passes(row):
            rows.append((row["start_us"], row["id"], lambda row=row: _shown_item(call, row, query)))  # type: ignore[misc]
        if len(rows) > query["limit"]:
            break
    return _reply(query, rows)


def _shown_item(call: Call, row: sqlite3.Row, query: dict[str, Any]) -> dict[str, Any]:
    document = from_json(row["document"])
    attributes = document["experiment"]
    wanted = query["fields"]
    shown: dict[str, Any] = {
        "id": row["id"],
        "traceId": row["trace_id"],
        "startTime": iso(row["start_us"]),
        "endTime": iso(row["end_us"]),
        "level": row["level"],
        "environment": row["environment"],
        "experimentId": row["experiment_id"],
        "experimentName": row["experiment_name"] or "",
        "experimentItemId": row["experiment_item_id"] or "",
    }
    if "dataset" in wanted:
        shown |= {"experimentDatasetId": row["experiment_dataset_id"], "experimentItemVersion": _version(attributes)}
    if "io" in wanted:
        expected = attributes.get("item.expected_output")
        shown |= {"input": document["input"], "output": document["output"], "expectedOutput": expected}
    if "metadata" in wanted:
        shown["metadata"] = document["metadata"]
    if "itemMetadata" in wanted:
        shown["experimentItemMetadata"] = _flat(attributes.get("item.metadata"))
    if "experimentMetadata" in wanted:
        metadata = _flat(attributes.get("metadata"))
        shown |= {"experimentMetadata": metadata, "experimentDescription": attributes.get("description")}
    if "scores" in wanted:
        shown["scores"] = scores_read.of_item(call, row["trace_id"], row["id"], query["scoreLimit"])
    return shown


def _version(attributes: dict[str, str]) -> str | None:
    try:
        return iso(parse_time(attributes.get("item.version", ""), loose=True))
    except ValueError:
        return None


# --- dataset-run-items, which events_only keeps for old clients ---------------------------------------------------

_RUN_ITEM: dict[str, Check] = {
    "runName": string(1),
    "runDescription": nullish(string()),
    "metadata": anything,
    "datasetItemId": string(),
    "observationId": nullish(string()),
    "traceId": nullish(string()),
    "datasetVersion": nullish(iso_time),
    "createdAt": nullish(iso_time),
}


def _post_run_item(call: Call) -> Response:
    """Answers as if it had been written; nothing is: in events_only mode experiments exist only in spans."""
    body = call.body(_RUN_ITEM, strict=True)
    if not body["traceId"] and not body["observationId"]:
        raise invalid_data([custom("observationId or traceId must be provided", ("observationId", "traceId"))])
    item = dataset_items.current(call.store, body["datasetItemId"])
    if item is None:
        raise not_found("Dataset item not found")
    trace_id = body["traceId"]
    if not trace_id:
        found = call.store.row("SELECT trace_id FROM observations WHERE id = ?", body["observationId"])
        if found is None:
            raise not_found("Observation not found")
        trace_id = found["trace_id"]
    written = iso(call.now_us() if body["createdAt"] is None else body["createdAt"])
    run_item = {
        "id": str(uuid.uuid4()),
        "datasetRunId": experiment_id(call.settings.project_id, item["dataset_id"], body["runName"]),
        "datasetRunName": body["runName"],
        "datasetItemId": item["item_id"],
        "traceId": trace_id,
        "observationId": body["observationId"],
    }
    return json_reply(run_item | {"createdAt": written, "updatedAt": written})
