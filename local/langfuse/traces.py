"""Traces, the writing side: OTLP in, observations stored; and deletion of whole traces."""

import secrets
import uuid
from typing import Any

from starlette.responses import Response

from local.langfuse import otlp
from local.langfuse.call import Call
from local.langfuse.clock import iso
from local.langfuse.observations import Observation, document, observe
from local.langfuse.problems import ApiError
from local.langfuse.routing import Routes
from local.langfuse.validation import Check, array, string
from local.langfuse.wire import inflate, json_reply, read_json

_INGESTION_VERSION = "4"
_DELETED: dict[str, Check] = {"traceIds": array(string(1), 1)}
_UPSERT = """
INSERT INTO observations (trace_id, id, start_us, end_us, parent_id, is_root, type, name, level, environment, user_id,
  session_id, version, experiment_id, experiment_name, experiment_dataset_id, experiment_item_id, experiment_root_id,
  document, created_us, updated_us, visible_us)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (trace_id, id) DO UPDATE SET start_us = excluded.start_us, end_us = excluded.end_us,
  parent_id = excluded.parent_id, is_root = excluded.is_root, type = excluded.type, name = excluded.name,
  level = excluded.level, environment = excluded.environment, user_id = excluded.user_id,
  session_id = excluded.session_id, version = excluded.version, experiment_id = excluded.experiment_id,
  experiment_name = excluded.experiment_name, experiment_dataset_id = excluded.experiment_dataset_id,
  experiment_item_id = excluded.experiment_item_id, experiment_root_id = excluded.experiment_root_id,
  document = excluded.document, updated_us = excluded.updated_us
"""


def add_routes(routes: Routes) -> None:
    routes.add("POST", "/api/public/otel/v1/traces", _export)
    routes.add("DELETE", "/api/public/traces", _delete_many)
    routes.add("DELETE", "/api/public/traces/{traceId}", _delete_one)


def _export(call: Call) -> Response:
    version = call.headers.get("x-langfuse-ingestion-version", "")
    if version and not (version.isascii() and version.isdigit() and int(version[:4]) <= int(_INGESTION_VERSION)):
        raise otlp.refused(
            f'Unsupported x-langfuse-ingestion-version: "{version}". Maximum supported: "{_INGESTION_VERSION}".'
        )
    spans = _spans(call)
    if not spans:
        return json_reply({})
    if not call.lateness.dropped:
        now = call.now_us()
        with call.store.together():
            for span in spans:
                _store(call, observe(span), now)
        call.stored_observations.extend((span.trace_id, span.span_id) for span in spans)
    return json_reply(_job(call, version))


def _spans(call: Call) -> list[otlp.Span]:
    body = call.raw_body
    if "gzip" in call.headers.get("content-encoding", ""):
        try:
            body = inflate(body)
        except ValueError as error:
            raise otlp.refused("Failed to decompress request body") from error
    content_type = call.headers.get("content-type", "").lower()
    if "application/x-protobuf" in content_type:
        return otlp.from_protobuf(body)
    if "application/json" not in content_type:
        raise otlp.refused("Invalid content type")
    try:
        return otlp.from_json(read_json(body) if body else {})
    except ApiError as error:
        if error.body is not None:
            raise
        raise otlp.refused("Failed to parse OTel JSON Trace") from error


def _store(call: Call, seen: Observation, now: int) -> None:
    experiment = seen.experiment.get
    call.store.run(
        _UPSERT,
        *(seen.trace_id, seen.id, seen.start_us, seen.end_us, seen.parent_id, seen.is_root, seen.type, seen.name),
        *(seen.level, seen.environment, seen.user_id, seen.session_id, seen.version),
        *(experiment("id"), experiment("name"), experiment("dataset.id"), experiment("item.id")),
        *(experiment("item.root_observation_id"), document(seen), now, now, call.visible_from(now)),
    )


def _job(call: Call, version: str) -> dict[str, Any]:
    """What 4.16 answers: its queue's job, of which no client should read anything."""
    settings = call.settings
    now = call.now_us()
    moment = iso(now)
    folder = "/".join((moment[:4], moment[5:7], moment[8:10], moment[11:13], moment[14:16]))
    name = "otel-ingestion-job"
    payload = {
        "data": {
            "fileKey": f"events/otel/{settings.project_id}/{folder}/{uuid.uuid4()}.json",
            "publicKey": settings.public_key,
        },
        "authCheck": {
            "validKey": True,
            "scope": {
                "projectId": settings.project_id,
                "accessLevel": "project",
                "orgId": settings.organization_id,
            },
        },
        "sdkName": call.headers.get("x-langfuse-sdk-name", "unknown"),
        "sdkVersion": call.headers.get("x-langfuse-sdk-version", "unknown"),
        "ingestionVersion": version,
    }
    options = {
        "attempts": 6,
        "removeOnComplete": True,
        "removeOnFail": 100_000,
        "backoff": {"type": "exponential", "delay": 5000},
        "traceparent": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01",
        "baggage": f"langfuse.project.id={settings.project_id}",
    }
    return {
        "name": name,
        "data": {"id": str(uuid.uuid4()), "timestamp": moment, "name": name, "payload": payload},
        "opts": options,
        "id": str(now),
        "progress": 0,
        "returnvalue": None,
        "stacktrace": None,
        "priority": 0,
        "attemptsStarted": 0,
        "attemptsMade": 0,
        "stalledCounter": 0,
        "timestamp": now // 1000,
        "queueQualifiedName": "bull:otel-ingestion-queue",
    }


def _delete(call: Call, trace_ids: list[str]) -> None:
    with call.store.together():
        for trace_id in trace_ids:
            call.store.run("DELETE FROM observations WHERE trace_id = ?", trace_id)
            call.store.run("DELETE FROM scores WHERE trace_id = ?", trace_id)


def _delete_one(call: Call) -> Response:
    _delete(call, [call.params["traceId"]])
    return json_reply({"message": "Trace deleted successfully"})


def _delete_many(call: Call) -> Response:
    _delete(call, call.body(_DELETED)["traceIds"])
    return json_reply({"message": "Traces deleted successfully"})
