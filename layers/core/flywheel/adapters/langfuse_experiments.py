"""Experiments as Langfuse has them: what arrived of the spans we sent."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flywheel.adapters.langfuse import LangfuseApi

_PAGE = 100


@dataclass(frozen=True, slots=True)
class ExperimentSummary:
    """`item_count` counts item root spans, so an item with two trials counts twice."""

    experiment_id: str
    name: str
    dataset_id: str
    item_count: int


@dataclass(frozen=True, slots=True)
class ExperimentItem:
    """One item root span; `observation_id` is what item scores attach to. `level` is ERROR for an errored trial."""

    observation_id: str
    trace_id: str
    item_id: str
    level: str
    environment: str


class LangfuseExperimentReader:
    """Experiments of one project. Spans are readable about a second after they were accepted."""

    def __init__(self, api: LangfuseApi) -> None:
        self._api = api

    def find(self, name: str, since: datetime) -> list[ExperimentSummary]:
        """Experiments of that name which started at or after `since`.

        By a filter: the parameter `name` is a list that commas part, and names of ours have commas.
        """
        named = [{"type": "string", "column": "name", "operator": "=", "value": name}]
        return [
            ExperimentSummary(
                str(row["id"]), str(row["name"]), str(row.get("datasetId") or ""), int(row.get("itemCount", 0))
            )
            for row in self._rows("experiments", since, ("filter", json.dumps(named)))
        ]

    def items(self, experiment_id: str, since: datetime) -> list[ExperimentItem]:
        """Item root spans of the experiment that started at or after `since`."""
        return [
            ExperimentItem(
                str(row["id"]),
                str(row["traceId"]),
                str(row["experimentItemId"]),
                str(row.get("level", "")),
                str(row.get("environment", "")),
            )
            for row in self._rows("experiment-items", since, ("experimentId", experiment_id))
        ]

    def _rows(self, path: str, since: datetime, by: tuple[str, str]) -> Iterator[dict[str, Any]]:
        start = since.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        cursor: str | None = None
        while True:
            query: list[tuple[str, str | int]] = [("fromStartTime", start), by, ("fields", "core"), ("limit", _PAGE)]
            if cursor:
                query.append(("cursor", cursor))
            page = self._api.get(path, query)
            yield from page["data"]
            following = page.get("meta", {}).get("cursor")
            if not following or following == cursor:
                return
            cursor = following
