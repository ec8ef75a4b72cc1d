"""Dataset items: every write is a new version, and a list can be had as of any moment."""

import sqlite3
from collections.abc import Iterator
from typing import Any

from starlette.responses import Response

from local.langfuse.call import Call
from local.langfuse.clock import iso, new_id
from local.langfuse.json_schemas import complaint
from local.langfuse.paging import page_reply
from local.langfuse.problems import conflict, invalid_data, invalid_request, not_found
from local.langfuse.query_values import PAGING, iso_time
from local.langfuse.routing import Routes
from local.langfuse.store import Store, Where
from local.langfuse.validation import Check, anything, custom, nullish, one_of, optional, string
from local.langfuse.wire import from_json, json_reply, parsed_if_json, to_json, without_controls

_NEWEST_FIRST = "valid_from_us DESC, seq DESC"
# A version shows milliseconds: an item written within the same one belongs to it.
_MILLISECOND_US = 1000

_BODY: dict[str, Check] = {
    "datasetName": string(1),
    "id": nullish(string(1, 255, "ID must not be empty")),
    "input": anything,
    "expectedOutput": anything,
    "metadata": anything,
    "sourceTraceId": nullish(string()),
    "sourceObservationId": nullish(string()),
    "status": nullish(one_of("ACTIVE", "ARCHIVED")),
}


def add_routes(routes: Routes) -> None:
    routes.add("POST", "/api/public/dataset-items", _put)
    routes.add("GET", "/api/public/dataset-items", _list)
    routes.add("GET", "/api/public/dataset-items/{id}", _get)
    routes.add("DELETE", "/api/public/dataset-items/{id}", _delete)


def current(store: Store, item_id: str) -> sqlite3.Row | None:
    """The newest version, with the name of its dataset; None when there is none or it marks a deletion."""
    row = store.row(
        "SELECT v.*, d.name AS dataset_name, d.input_schema, d.expected_output_schema "
        "FROM dataset_item_versions v JOIN datasets d ON d.id = v.dataset_id "
        "WHERE item_id = ? ORDER BY seq DESC LIMIT 1",
        item_id,
    )
    return None if row is None or row["deleted"] else row


def active_items(store: Store, dataset_id: str) -> Iterator[sqlite3.Row]:
    source, where = _as_of(None, dataset_id)
    return store.select(source, where, _NEWEST_FIRST)


def _as_of(version_us: int | None, dataset_id: str | None) -> tuple[str, Where]:
    """Active items at that moment (None: now) as a table, and its conditions."""
    inner = Where()
    inner.equal("dataset_id", dataset_id)
    if version_us is not None:
        end_us = (version_us // _MILLISECOND_US + 1) * _MILLISECOND_US
        inner.add("valid_from_us < ?", end_us)
    newest = f"SELECT max(seq) FROM dataset_item_versions{inner} GROUP BY item_id"  # noqa: S608 - literals of ours
    where = Where("deleted = 0", "status = 'ACTIVE'")
    where.parameters = inner.parameters
    # The parameters of the inner select come first, because it is part of the table's own text.
    source = (
        "(SELECT v.*, d.name AS dataset_name FROM dataset_item_versions v "  # noqa: S608 - literals of ours
        f"JOIN datasets d ON d.id = v.dataset_id WHERE v.seq IN ({newest}))"
    )
    return source, where


def shown(row: sqlite3.Row, dataset_name: str) -> dict[str, Any]:
    written = iso(row["valid_from_us"])
    return {
        "id": row["item_id"],
        "datasetId": row["dataset_id"],
        "status": row["status"],
        "sourceTraceId": row["source_trace_id"],
        "sourceObservationId": row["source_observation_id"],
        "createdAt": written,
        "updatedAt": written,
        "input": from_json(row["input"]),
        "expectedOutput": from_json(row["expected_output"]),
        "metadata": from_json(row["metadata"]),
        "datasetName": dataset_name,
        "mediaReferences": [],
    }


def _put(call: Call) -> Response:
    body = call.body(_BODY)
    store = call.store
    dataset = store.row("SELECT * FROM datasets WHERE name = ?", body["datasetName"])
    if dataset is None:
        raise not_found(f"Dataset {body['datasetName']} not found for project {call.settings.project_id}")
    item_id = body["id"] or new_id()
    before = current(store, item_id)
    if before is not None and before["dataset_id"] != dataset["id"]:
        raise conflict(f"Dataset item with id {item_id} already exists in another dataset of this project")

    def kept(key: str, column: str, default: Any) -> Any:
        """Null and absent both leave what is there: a field cannot be cleared."""
        if body[key] is not None:
            return body[key]
        return before[column] if before is not None else default

    def kept_json(key: str, column: str) -> str:
        if body[key] is not None:
            return to_json(without_controls(parsed_if_json(body[key])))
        return str(before[column]) if before is not None else "null"

    values = {
        "item_id": item_id,
        "dataset_id": dataset["id"],
        "valid_from_us": call.now_us(),
        "deleted": 0,
        "status": kept("status", "status", "ACTIVE"),
        "source_trace_id": kept("sourceTraceId", "source_trace_id", None),
        "source_observation_id": kept("sourceObservationId", "source_observation_id", None),
        "input": kept_json("input", "input"),
        "expected_output": kept_json("expectedOutput", "expected_output"),
        "metadata": kept_json("metadata", "metadata"),
    }
    _check_schemas(dataset, values)
    store.insert("dataset_item_versions", values)
    return _reply(store, item_id)


def _check_schemas(dataset: sqlite3.Row, values: dict[str, Any]) -> None:
    complaints = []
    for label, schema, text in (
        ("Input", dataset["input_schema"], values["input"]),
        ("Expected output", dataset["expected_output_schema"], values["expected_output"]),
    ):
        said = complaint(from_json(schema), from_json(text)) if schema != "null" else None
        if said is not None:
            complaints.append(f"{label} validation failed: {said}")
    if complaints:
        raise invalid_request(f"Dataset item validation failed: {'; '.join(complaints)}")


def _reply(store: Store, item_id: str) -> Response:
    row = current(store, item_id)
    if row is None:
        raise not_found("Dataset item not found")
    return json_reply(shown(row, row["dataset_name"]))


def _get(call: Call) -> Response:
    return _reply(call.store, call.params["id"])


def _delete(call: Call) -> Response:
    item_id = call.params["id"]
    row = current(call.store, item_id)
    if row is None:
        raise not_found(f"Dataset item with id {item_id} not found for project {call.settings.project_id}")
    columns = ("item_id", "dataset_id", "status", "source_trace_id", "source_observation_id", "input")
    marker = {column: row[column] for column in (*columns, "expected_output", "metadata")}
    call.store.insert("dataset_item_versions", marker | {"valid_from_us": call.now_us(), "deleted": 1})
    return json_reply({"message": "Dataset item successfully deleted"})


def _list(call: Call) -> Response:
    text = optional(string())
    query = call.query(
        PAGING
        | {"datasetName": text, "sourceTraceId": text, "sourceObservationId": text, "version": optional(iso_time)}
    )
    if query["version"] is not None and query["datasetName"] is None:
        message = "datasetName is required when version parameter is provided"
        raise invalid_data([custom(message, ("datasetName",))])
    dataset_id = None
    if query["datasetName"] is not None:
        dataset = call.store.row("SELECT id FROM datasets WHERE name = ?", query["datasetName"])
        if dataset is None:
            raise not_found("Dataset not found")
        dataset_id = dataset["id"]
    source, where = _as_of(query["version"], dataset_id)
    where.equal("source_trace_id", query["sourceTraceId"])
    where.equal("source_observation_id", query["sourceObservationId"])
    return page_reply(
        call, query, source, where, order=_NEWEST_FIRST, render=lambda row: shown(row, row["dataset_name"])
    )
