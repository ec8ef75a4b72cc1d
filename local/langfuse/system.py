"""Health and projects, the batch ingestion of old clients, and the routes that events_only mode has closed."""

import json
import uuid
from typing import Any

from starlette.responses import Response

from local.langfuse import organization_routes, scores
from local.langfuse.call import Call
from local.langfuse.clock import parse_time
from local.langfuse.problems import ApiError, not_in_events_only
from local.langfuse.refusals import Form, Refusal
from local.langfuse.routing import Routes
from local.langfuse.score_bodies import score_body
from local.langfuse.validation import Issue, anything, array, fields
from local.langfuse.wire import bare_reply, json_reply

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
    "GET /dataset-run-items",
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


# Answered whatever the method is, and without a key.
_PROBES = ("/api/public/health", "/api/public/ready")
_METRICS = "/api/public/otel/v1/metrics"
_PROMPTS = "/api/public/v2/prompts"


def words_of_refusal(method: str, route: str) -> Refusal:
    if route == _METRICS:
        denied = "Access denied: OTEL ingestion requires project-scoped API keys with BasicAuth"
        return Refusal(denied, Form.ERROR)
    if route == "/api/public/ingestion":
        return Refusal(form=Form.NAMED)
    if route.startswith(_PROMPTS) and method != "PATCH":
        return Refusal(f"Access denied - need to use basic auth with secret key to {method} prompts", Form.NAMED)
    return organization_routes.refusal(method, route) or Refusal()


def needs_no_key(method: str, route: str) -> bool:
    """Probes; and what is closed is closed to everybody: that is looked at before the key."""
    closed = f"{method} {route.removeprefix('/api/public')}" in _CLOSED
    return route in _PROBES or closed or organization_routes.is_refused_unseen(method, route)


def add_routes(routes: Routes) -> None:
    for path in _PROBES:
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
            routes.add(method, path, _health)
    routes.add("POST", _METRICS, _take_metrics)
    routes.add("GET", "/api/public/projects", _projects)
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


def _take_metrics(call: Call) -> Response:
    """Accepted and thrown away, as there. The answer is in the encoding of the request."""
    if "application/x-protobuf" in call.headers.get("content-type", ""):
        return bare_reply(200, headers={"content-type": "application/x-protobuf"})
    return json_reply({})


def _closed(_call: Call) -> Response:
    raise not_in_events_only()


def _ingest(call: Call) -> Response:
    body = call.json()
    issues: list[Issue] = []
    batch = fields({"batch": array(anything)})(body, (), issues).get("batch")
    if issues:
        raise ApiError(400, {"message": "Invalid request data", "errors": [issue["message"] for issue in issues]})
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
    named = (about.get("id"), about.get("type"))
    event_id, event_type = (one if isinstance(one, str) and one else "unknown" for one in named)
    return event_id, event_type


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
