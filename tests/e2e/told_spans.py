"""Spans of the small agents, as Strands sends them: agent, model call, tool call. It travels in their image as it is.

Sent after the answer, from a thread of its own: an agent that cannot reach Langfuse answers all the same.
"""

import base64
import json
import os
import secrets
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote

TOOL = "searchLangfuseDocs"
_SESSION = "x-amzn-bedrock-agentcore-runtime-session-id"


def send(headers: Mapping[str, str], request: Mapping[str, Any], answer: str, started_ns: int) -> None:
    """Send the spans of one answer; `headers` of the request say in which trace they are."""
    spans = spans_of(headers, request, answer, started_ns, time.time_ns())
    threading.Thread(target=_post, args=(spans,)).start()


def spans_of(
    headers: Mapping[str, str], request: Mapping[str, Any], answer: str, started_ns: int, ended_ns: int
) -> list[dict[str, Any]]:
    """OTLP/JSON of the three spans, below the caller's span where there is one."""
    _, trace, parent, *_ = [*headers.get("traceparent", "").split("-"), "", "", ""]
    trace, root = trace or secrets.token_hex(16), secrets.token_hex(8)
    stamps = _stamps(headers, request)
    query = json.dumps({"query": request["question"]})

    def span(name: str, span_id: str, parent_id: str, **attributes: str) -> dict[str, Any]:
        named = stamps | {key.replace("__", "."): value for key, value in attributes.items()}
        wire = {
            "traceId": trace,
            "spanId": span_id,
            "name": name,
            "kind": 1,
            "startTimeUnixNano": str(started_ns),
            "endTimeUnixNano": str(ended_ns),
            "attributes": [{"key": key, "value": _value(value)} for key, value in named.items()],
        }
        return wire | ({"parentSpanId": parent_id} if parent_id else {})

    return [
        span(
            "answer_question",
            root,
            parent,
            langfuse__observation__type="agent",
            langfuse__observation__input=json.dumps({"question": request["question"]}),
            langfuse__observation__output=answer,
        ),
        span(
            "chat",
            secrets.token_hex(8),
            root,
            gen_ai__operation__name="chat",
            gen_ai__request__model=os.environ.get("MODEL_ID", "told"),
        ),
        span(
            f"execute_tool {TOOL}",
            secrets.token_hex(8),
            root,
            gen_ai__operation__name="execute_tool",
            gen_ai__tool__name=TOOL,
            gen_ai__tool__call__arguments=query,
        ),
    ]


def _stamps(headers: Mapping[str, str], request: Mapping[str, Any]) -> dict[str, Any]:
    baggage = (entry.partition("=") for entry in headers.get("baggage", "").split(","))
    stamps: dict[str, Any] = {
        name.strip(): unquote(value) for name, _, value in baggage if name.strip().startswith("langfuse.")
    }
    of_process = (
        ("langfuse.environment", "LANGFUSE_TRACING_ENVIRONMENT"),
        ("langfuse.release", "LANGFUSE_RELEASE"),
    )
    stamps |= {name: os.environ[variable] for name, variable in of_process if os.environ.get(variable)}
    if headers.get(_SESSION):
        stamps["session.id"] = headers[_SESSION]
    if request.get("user_id"):
        stamps["user.id"] = request["user_id"]
    if request.get("tags"):
        stamps["langfuse.trace.tags"] = list(request["tags"])
    return stamps


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {"arrayValue": {"values": [{"stringValue": one} for one in value]}}
    return {"stringValue": value}


@cache
def _langfuse() -> tuple[str, str]:
    """Address and `Authorization`, from SSM as the real agent reads them."""
    import boto3  # noqa: PLC0415 - half a second, which no answer waits for

    prefix = os.environ["LANGFUSE_PARAMETER_PREFIX"]
    names = [f"{prefix}/LANGFUSE_{name}" for name in ("HOST", "PUBLIC_KEY", "SECRET_KEY")]
    found = boto3.client("ssm").get_parameters(Names=names, WithDecryption=True)["Parameters"]
    values = {parameter["Name"]: parameter["Value"] for parameter in found}
    host, public, secret = (values[name] for name in names)
    return host, "Basic " + base64.b64encode(f"{public}:{secret}".encode()).decode()


def _post(spans: list[dict[str, Any]]) -> None:
    try:
        host, authorization = _langfuse()
        body = json.dumps({"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": spans}]}]})
        headers = {
            "authorization": authorization,
            "content-type": "application/json",
            "x-langfuse-ingestion-version": "4",
        }
        asked = urllib.request.Request(f"{host}/api/public/otel/v1/traces", body.encode(), headers)  # noqa: S310
        with urllib.request.urlopen(asked, timeout=10) as reply:  # noqa: S310
            reply.read()
    except Exception as error:  # noqa: BLE001 - an answer is worth more than its trace
        sys.stderr.write(f"no spans: {type(error).__name__}: {error}\n")
