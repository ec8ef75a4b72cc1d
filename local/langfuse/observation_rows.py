"""One stored observation: what is read out of it, and the columns that a `filter` may name."""

import sqlite3
from collections.abc import Callable
from typing import Any

from local.langfuse import filters
from local.langfuse.wire import from_json, plain_number

# Parameter -> column of the table, compared for equality.
EQUAL = {
    "name": "name",
    "userId": "user_id",
    "sessionId": "session_id",
    "type": "type",
    "traceId": "trace_id",
    "version": "version",
    "parentObservationId": "parent_id",
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
    **{parameter: _in_row(column) for parameter, column in EQUAL.items()},
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
