"""Health and projects, the batch ingestion of old clients, and the routes that events_only mode has closed."""

import json
import uuid
from typing import Any

from starlette.responses import Response

from local.langfuse import scores
from local.langfuse.call import Call
from local.langfuse.clock import parse_time
from local.langfuse.problems import ApiError, forbidden, not_in_events_only
from local.langfuse.routing import Routes
from local.langfuse.score_bodies import score_body
from local.langfuse.validation import Issue
from local.langfuse.wire import json_reply

_CLOSED = (
    "GET /traces",
    "GET /traces/{traceId}",
    "GET /observations",
    "GET /observations/{observationId}",
    "GET /sessions",
    "GET /sessions/{sessionId}",
    "GET /scores",
    "GET /scores/{scoreId}",
    "GET /v2/scores",
    "GET /v2/scores/{scoreId}",
    "GET /metrics",
    "GET /metrics/daily",
    "GET /datasets/{datasetName}/runs",
    "GET /datasets/{datasetName}/runs/{runName}",
    "DELETE /datasets/{datasetName}/runs/{runName}",
    "POST /traces",
    "POST /spans",
    "PATCH /spans",
    "POST /generations",
    "PATCH /generations",
    "POST /events",
)
_ACCEPTED = ("score-create", "sdk-log")
_REFUSED = (
    'Event type "{type}" is not accepted by /api/public/ingestion when LANGFUSE_MIGRATION_V4_WRITE_MODE is '
    "events_only. This endpoint only accepts score and log events. Upgrade the client or integration to a "
    "v4-compatible SDK or OTLP ingestion path. As a temporary migration bridge, set "
    "LANGFUSE_MIGRATION_V4_WRITE_MODE=dual on both the web and worker services and redeploy. "
    "Docs: https://langfuse.com/self-hosting/upgrade/upgrade-guides/upgrade-v3-to-v4"
)


def add_routes(routes: Routes) -> None:
    routes.add("GET", "/api/public/health", _health)
    routes.add("GET", "/api/public/projects", _projects)
    routes.add("POST", "/api/public/projects", _create_project)
    routes.add("POST", "/api/public/ingestion", _ingest)
    for entry in _CLOSED:
        method, path = entry.split()
        routes.add(method, f"/api/public{path}", _closed)


def _health(call: Call) -> Response:
    return json_reply({"status": "OK", "version": call.settings.server_version})


def _projects(call: Call) -> Response:
    settings = call.settings
    organization = {"id": settings.organization_id, "name": settings.organization_name}
    project = {"id": settings.project_id, "name": settings.project_name, "organization": organization, "metadata": {}}
    return json_reply({"data": [project]})


def _create_project(_call: Call) -> Response:
    raise forbidden("Invalid API key. Organization-scoped API key required for this operation.")


def _closed(_call: Call) -> Response:
    raise not_in_events_only()


def _ingest(call: Call) -> Response:
    body = call.json()
    batch = body.get("batch") if isinstance(body, dict) else None
    if not isinstance(batch, list):
        said = "Invalid input: expected array, received undefined"
        raise ApiError(400, {"message": "Invalid request data", "errors": [said]})
    successes: list[dict[str, Any]] = []
    malformed: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    with call.store.together():
        for event in batch:
            event_id, event_type = _identity(event)
            if event_type not in _ACCEPTED:
                said = _REFUSED.format(type=event_type)
                refused.append({"id": event_id, "status": 400, "message": "Event type not accepted", "error": said})
            elif issues := _take(call, event):
                error = json.dumps(issues, indent=2)
                malformed.append({"id": event_id, "status": 400, "message": "Invalid request data", "error": error})
            else:
                successes.append({"id": event_id, "status": 201})
    return json_reply({"successes": successes, "errors": malformed + refused}, 207)


def _identity(event: Any) -> tuple[str, str]:
    about = event if isinstance(event, dict) else {}
    return str(about.get("id") or "unknown"), str(about.get("type") or "")


def _take(call: Call, event: dict[str, Any]) -> list[Issue]:
    """Store a score event; a log event is only acknowledged."""
    if event["type"] == "sdk-log":
        return []
    issues: list[Issue] = []
    posted = score_body(event.get("body"), ("body",), issues)
    if posted is not None:
        try:
            timestamp_us = parse_time(str(event.get("timestamp")))
        except ValueError:
            timestamp_us = None
        scores.accept(call, posted, posted.id or str(uuid.uuid4()), timestamp_us)
    return issues
