"""Pages for a person: what this is, a trace as a tree, experiments of a dataset, items of an experiment, of a queue."""

import json
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from starlette.responses import HTMLResponse, RedirectResponse, Response

from local.langfuse import experiments, scores_read
from local.langfuse.call import Call
from local.langfuse.clock import iso
from local.langfuse.routing import Routes
from local.langfuse.store import Where
from local.langfuse.wire import from_json, parsed_if_json

_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
}
_PROJECT = "/project/{projectId}"
_MAXIMUM_SPANS = 2000
_MAXIMUM_ROWS = 200
_SHOWN_LENGTH = 20_000


def add_routes(routes: Routes) -> None:
    routes.add("GET", "", _about)
    routes.add("GET", "/trace/{traceId}", _to_trace)
    routes.add("GET", _PROJECT, _project)
    routes.add("GET", f"{_PROJECT}/traces", _traces)
    routes.add("GET", f"{_PROJECT}/traces/{{traceId}}", _trace)
    routes.add("GET", f"{_PROJECT}/datasets", _project)
    routes.add("GET", f"{_PROJECT}/datasets/{{datasetId}}", _dataset)
    routes.add("GET", f"{_PROJECT}/experiments/{{experimentId}}", _experiment)
    routes.add("GET", f"{_PROJECT}/annotation-queues/{{queueId}}", _queue)


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = _pretty
    return environment


def _template(name: str) -> Template:
    return _templates().get_template(name)


def page(
    call: Call, template: str, status: int = 200, headers: dict[str, str] | None = None, **values: Any
) -> Response:
    """One of the templates; `headers` instead of those that forbid every script."""
    html = _template(template).render(settings=call.settings, base=f"/project/{call.settings.project_id}", **values)
    return HTMLResponse(html.encode("utf-8", "replace"), status, headers=headers or _HEADERS)


def not_found_page() -> Response:
    html = "<!doctype html><title>404: This page could not be found</title><h1>404</h1><p>This page could not be found."
    return HTMLResponse(html, 404, headers=_HEADERS)


def _pretty(text: str | None) -> str:
    """Input or output for reading: JSON indented, the rest as it is, never endless."""
    value = parsed_if_json(text)
    if isinstance(value, dict | list):
        try:
            text = json.dumps(value, indent=2, ensure_ascii=False)
        except RecursionError:
            text = str(text)
    text = text or ""
    cut = len(text) - _SHOWN_LENGTH
    return text if cut <= 0 else f"{text[:_SHOWN_LENGTH]}\n… {cut} more characters"


def _to_trace(call: Call) -> Response:
    """Langfuse's short link to a trace, for whoever does not know the project."""
    path = f"/project/{call.settings.project_id}/traces/{quote(call.params['traceId'], safe='')}"
    return RedirectResponse(path, 307, headers=_HEADERS)


def _about(call: Call) -> Response:
    return page(call, "about.html")


def other_project(call: Call) -> bool:
    return call.params["projectId"] != call.settings.project_id


def _project(call: Call) -> Response:
    if other_project(call):
        return not_found_page()
    rows = call.store.select("datasets", Where(), "created_us DESC", _MAXIMUM_ROWS)
    datasets = [{"id": row["id"], "name": row["name"], "description": row["description"]} for row in rows]
    return page(call, "project.html", datasets=datasets)


def _traces(call: Call) -> Response:
    if other_project(call):
        return not_found_page()
    where = Where("is_root = 1")
    rows = call.store.select("observations", where, "start_us DESC", _MAXIMUM_ROWS)
    return page(call, "traces.html", traces=[dict(row) | {"started": iso(row["start_us"])} for row in rows])


def _trace(call: Call) -> Response:
    trace_id = call.params["traceId"]
    where = Where()
    where.equal("trace_id", trace_id)
    rows = list(call.store.select("observations", where, "start_us, id", _MAXIMUM_SPANS))
    if other_project(call) or not rows:
        return not_found_page()
    spans = [span(dict(row)) for row in rows]
    readable = scores_read.readable(call)
    readable.equal("trace_id", trace_id)
    scores = [
        scores_read.shown(call, row, frozenset({"details", "subject"}))
        for row in call.store.select("scores", readable, "timestamp_us, id", _MAXIMUM_ROWS)
    ]
    # Who is about to judge is not told what others said.
    blind = "blind" in call.query_string.split("&")
    return page(call, "trace.html", trace_id=trace_id, tree=_tree(spans), scores=[] if blind else scores, blind=blind)


def span(row: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = from_json(row.pop("document"))
    times = {"started": iso(row["start_us"]), "milliseconds": (row["end_us"] - row["start_us"]) / 1000}
    return row | document | times


def _tree(spans: list[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    """Spans with their depth, each parent before its children; a span whose parent is unknown is a root."""
    children: dict[str | None, list[dict[str, Any]]] = {}
    known = {span["id"] for span in spans}
    for span in spans:
        parent = span["parent_id"]
        children.setdefault(parent if parent in known and parent != span["id"] else None, []).append(span)
    ordered: list[tuple[int, dict[str, Any]]] = []
    waiting = [(0, span) for span in reversed(children.get(None, []))]
    while waiting:
        depth, span = waiting.pop()
        ordered.append((depth, span))
        waiting += [(depth + 1, child) for child in reversed(children.pop(span["id"], []))]
    # Spans that are each other's parents hang nowhere: show them at the end.
    placed = {span["id"] for _, span in ordered}
    return ordered + [(0, span) for span in spans if span["id"] not in placed]


def _dataset(call: Call) -> Response:
    dataset = call.store.row("SELECT * FROM datasets WHERE id = ?", call.params["datasetId"])
    if other_project(call) or dataset is None:
        return not_found_page()
    where = Where()
    where.equal("experiment_dataset_id", dataset["id"])
    rows = [
        dict(row)
        | {"started": iso(row["first_us"]), "scores": scores_read.of_experiment(call, row["experiment_id"], 20)}
        for row in experiments.summaries(call, where)[:_MAXIMUM_ROWS]
    ]
    return page(call, "dataset.html", name=dataset["name"], experiments=rows)


def _experiment(call: Call) -> Response:
    # The link that the SDK prints is /experiments/results?baseline=<id>.
    experiment_id = call.params["experimentId"]
    if experiment_id == "results":
        baseline = dict(part.partition("=")[::2] for part in call.query_string.split("&")).get("baseline", "")
        experiment_id = str(baseline)
    where = Where("id = experiment_root_id")
    where.equal("experiment_id", experiment_id)
    rows = list(call.store.select("observations", where, "start_us, id", _MAXIMUM_SPANS))
    if other_project(call) or not rows:
        return not_found_page()
    items = [span(dict(row)) | {"scores": scores_read.of_item(call, row["trace_id"], row["id"], 20)} for row in rows]
    overall = scores_read.of_experiment(call, experiment_id, 50)
    return page(call, "experiment.html", name=rows[0]["experiment_name"], items=items, scores=overall)


def _queue(call: Call) -> Response:
    """What waits for review and what people said; where to review it."""
    queue = call.store.row("SELECT * FROM queues WHERE id = ?", call.params["queueId"])
    if other_project(call) or queue is None:
        return not_found_page()
    where = Where()
    where.equal("queue_id", queue["id"])
    items = [
        dict(row) | {"scores": _human_scores(call, row["object_id"])}
        for row in call.store.select("queue_items", where, "created_us, id", _MAXIMUM_ROWS)
    ]
    return page(call, "queue.html", id=queue["id"], name=queue["name"], description=queue["description"], items=items)


def _human_scores(call: Call, trace_id: str) -> list[dict[str, Any]]:
    where = scores_read.readable(call)
    where.equal("trace_id", trace_id)
    where.equal("source", "ANNOTATION")
    rows = call.store.select("scores", where, "timestamp_us DESC, id DESC", _MAXIMUM_ROWS)
    return [scores_read.shown(call, row, frozenset({"details"})) for row in rows]
