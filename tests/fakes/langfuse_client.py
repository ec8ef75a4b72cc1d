"""Asks the stand-in in this process as any HTTP client would: status and answer, whatever they are."""

import base64
import json
from typing import Any

from tests.fakes.langfuse_server import SETTINGS, LangfuseServer

type Json = dict[str, Any]

JSON = "application/json"


def basic(public: str = SETTINGS.public_key, secret: str = SETTINGS.secret_key) -> str:
    return "Basic " + base64.b64encode(f"{public}:{secret}".encode()).decode()


class LangfuseClient:
    def __init__(self, server: LangfuseServer | None = None) -> None:
        self.server = server or LangfuseServer()

    def ask(
        self, method: str, path: str, body: Any = None, *, auth: str | None = None, content_type: str = JSON
    ) -> tuple[int, Any]:
        """`path` below /api/public, with its query. `auth` empty: no such header."""
        headers = {"content-type": content_type, "authorization": basic() if auth is None else auth}
        headers = {name: value for name, value in headers.items() if value}
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        reply = self.server(method, f"http://langfuse.test/api/public/{path}", headers, sent, 1.0)
        try:
            return reply.status, json.loads(reply.body) if reply.body else None
        except ValueError:
            return reply.status, reply.body.decode()

    def made(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = self.ask(method, path, body)
        assert status in (200, 201), answer
        return answer

    def issues(self, method: str, path: str, body: Any = None) -> list[Json]:
        """What the validator says of a request that is refused by it."""
        status, answer = self.ask(method, path, body)
        assert (status, answer["message"]) == (400, "Invalid request data"), answer
        found: list[Json] = answer["error"]
        return found


def pairs(attributes: Json) -> list[Json]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: Any) -> Json:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": value}
        case float():
            return {"doubleValue": value}
        case list():
            return {"arrayValue": {"values": [_value(entry) for entry in value]}}
        case _:
            return {"stringValue": value}


def export(*spans: Json, scope: str = "some.lib", version: str = "1.0", resource: Json | None = None) -> Json:
    """An OTLP export in its JSON form."""
    scoped = {"scope": {"name": scope, "version": version}, "spans": list(spans)}
    return {"resourceSpans": [{"resource": {"attributes": pairs(resource or {})}, "scopeSpans": [scoped]}]}


def otlp_span(attributes: Json, **more: Any) -> Json:
    """A root span of a second, called `step`; `more` replaces fields of it."""
    span = {"traceId": "a1" * 16, "spanId": "b2" * 8, "name": "step", "attributes": pairs(attributes)}
    times = {"startTimeUnixNano": "1795168800000000000", "endTimeUnixNano": "1795168801000000000"}
    return span | times | more


ALL_GROUPS = "core,basic,time,io,metadata,model,usage,prompt,metrics,trace_context"


def observed(client: LangfuseClient, exported: Json, query: str = f"fields={ALL_GROUPS}") -> list[Json]:
    """The observations that an export made, as the API shows them."""
    client.made("POST", "otel/v1/traces", exported)
    found: list[Json] = client.made("GET", f"v2/observations?{query}")["data"]
    return found


def seen(
    attributes: Json, scope: str = "some.lib", version: str = "1.0", resource: Json | None = None, **span: Any
) -> Json:
    """The observation that an empty server makes of one span."""
    sent = export(otlp_span(attributes, **span), scope=scope, version=version, resource=resource)
    (found,) = observed(LangfuseClient(), sent)
    return found
