"""An OTLP trace export, protobuf or JSON -> spans with plain attributes. One bad span refuses the whole export."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from local.langfuse.problems import ApiError

_NANOSECONDS_OF_64_BITS = 2**64
_MAXIMUM_DEPTH = 20

type Attributes = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SpanEvent:
    name: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Scope:
    """What the spans of one batch share."""

    name: str
    version: str
    attributes: Attributes
    resource: Attributes


@dataclass(frozen=True, slots=True)
class Span:
    """Times in nanoseconds since the epoch; `parent_id` None at the root of a trace; ids in lower-case hex."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start_ns: int
    end_ns: int
    failed: bool
    status_message: str
    attributes: Attributes
    events: list[SpanEvent]
    scope: Scope


def refused(message: str) -> ApiError:
    return ApiError(400, {"error": message})


# --- protobuf -----------------------------------------------------------------------------------------------------


def from_protobuf(body: bytes) -> list[Span]:
    """Spans of an ExportTraceServiceRequest.

    Raises:
        ApiError: 400, not such a message, or a span without ids.
    """
    try:
        export = ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        raise refused("Failed to parse OTel Protobuf Trace") from error
    spans = []
    broken: dict[str, int] = {}
    for resource in export.resource_spans:
        shared = _plain(resource.resource.attributes)
        for scoped in resource.scope_spans:
            scope = Scope(scoped.scope.name, scoped.scope.version, _plain(scoped.scope.attributes), shared)
            for span in scoped.spans:
                for name, value in (("traceId", span.trace_id), ("spanId", span.span_id)):
                    if not value:
                        broken[f"{name}:absent"] = broken.get(f"{name}:absent", 0) + 1
                spans.append(
                    Span(
                        trace_id=span.trace_id.hex(),
                        span_id=span.span_id.hex(),
                        parent_id=span.parent_span_id.hex() or None,
                        name=span.name,
                        start_ns=span.start_time_unix_nano,
                        end_ns=span.end_time_unix_nano,
                        failed=span.status.code == span.status.STATUS_CODE_ERROR,
                        status_message=span.status.message,
                        attributes=_plain(span.attributes),
                        events=[SpanEvent(event.name, _plain(event.attributes)) for event in span.events],
                        scope=scope,
                    )
                )
    if broken:
        raise _incomplete(broken, len(spans), {span.scope.name for span in spans})
    return spans


def _plain(attributes: Iterable[KeyValue]) -> Attributes:
    return {pair.key: _plain_value(pair.value) for pair in attributes}


def _plain_value(value: AnyValue, depth: int = 0) -> Any:  # noqa: PLR0911 - one line a type
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "int_value":
            return value.int_value
        case "double_value":
            return value.double_value if math.isfinite(value.double_value) else None
        case "bytes_value":
            return value.bytes_value.hex()
        case "array_value" if depth < _MAXIMUM_DEPTH:
            return [_plain_value(entry, depth + 1) for entry in value.array_value.values]
        case "kvlist_value" if depth < _MAXIMUM_DEPTH:
            return {pair.key: _plain_value(pair.value, depth + 1) for pair in value.kvlist_value.values}
        case _:
            return None


# --- JSON ---------------------------------------------------------------------------------------------------------


def from_json(body: Any) -> list[Span]:
    """Spans of an export in OTLP's JSON form, whose ids are hex.

    Raises:
        ApiError: 400, not an object, lists that are none, or spans without ids.
    """
    if not isinstance(body, dict):
        raise refused("Failed to parse OTel JSON Trace")
    reader = _JsonReader()
    spans = [span for resource in reader.items(body, "resourceSpans") for span in reader.resource(resource)]
    if reader.broken:
        raise _incomplete(reader.broken, reader.seen, reader.scopes)
    return spans


class _JsonReader:
    def __init__(self) -> None:
        self.broken: dict[str, int] = {}
        self.seen = 0
        self.scopes: set[str] = set()

    def break_(self, what: str) -> None:
        self.broken[what] = self.broken.get(what, 0) + 1

    def items(self, holder: dict[str, Any], key: str) -> list[dict[str, Any]]:
        value = holder.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.break_(f"{key}:not_an_array")
            return []
        return [entry for entry in value if isinstance(entry, dict)]

    def attributes(self, holder: Any) -> Attributes:
        if not isinstance(holder, dict):
            return {}
        pairs = self.items(holder, "attributes")
        return {str(pair.get("key")): _json_value(pair.get("value")) for pair in pairs}

    def resource(self, resource: dict[str, Any]) -> list[Span]:
        shared = self.attributes(resource.get("resource"))
        spans = []
        for scoped in self.items(resource, "scopeSpans"):
            raw = scoped.get("scope")
            about = raw if isinstance(raw, dict) else {}
            name = str(about.get("name") or "")
            scope = Scope(name, str(about.get("version") or ""), self.attributes(about), shared)
            self.scopes.add(name)
            spans += [self.span(entry, scope) for entry in self.items(scoped, "spans")]
        return spans

    def span(self, raw: dict[str, Any], scope: Scope) -> Span:
        self.seen += 1
        for name in ("traceId", "spanId"):
            if not raw.get(name):
                self.break_(f"{name}:absent")
            elif not isinstance(raw[name], str):
                self.break_(f"{name}:not_a_string")
        status = raw.get("status")
        status = status if isinstance(status, dict) else {}
        events = [
            SpanEvent(str(event.get("name") or ""), self.attributes(event)) for event in self.items(raw, "events")
        ]
        return Span(
            trace_id=str(raw.get("traceId")).lower(),
            span_id=str(raw.get("spanId")).lower(),
            parent_id=str(raw.get("parentSpanId") or "").lower() or None,
            name=str(raw.get("name") or ""),
            start_ns=_nanoseconds(raw.get("startTimeUnixNano")),
            end_ns=_nanoseconds(raw.get("endTimeUnixNano")),
            failed=status.get("code") in (2, "2", "STATUS_CODE_ERROR"),
            status_message=str(status.get("message") or ""),
            attributes=self.attributes(raw),
            events=events,
            scope=scope,
        )


def _nanoseconds(value: Any) -> int:
    """Zero for anything that is no 64-bit number of nanoseconds."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return 0
    return number if 0 <= number < _NANOSECONDS_OF_64_BITS else 0


def _json_value(value: Any, depth: int = 0) -> Any:  # noqa: PLR0911 - one line a type
    if not isinstance(value, dict) or depth > _MAXIMUM_DEPTH:
        return None
    for key, inner in value.items():
        match key:
            case "intValue":
                try:
                    return int(inner)
                except (TypeError, ValueError, OverflowError):
                    return None
            case "stringValue" | "boolValue" | "doubleValue" | "bytesValue":
                return inner
            case "arrayValue" | "kvlistValue" if isinstance(inner, dict):
                entries = inner.get("values")
                entries = entries if isinstance(entries, list) else []
                if key == "arrayValue":
                    return [_json_value(entry, depth + 1) for entry in entries]
                pairs = [entry for entry in entries if isinstance(entry, dict)]
                return {str(pair.get("key")): _json_value(pair.get("value"), depth + 1) for pair in pairs}
            case _:
                continue
    return None


def _incomplete(broken: dict[str, int], total: int, scopes: set[str]) -> ApiError:
    arrays = [what for what in broken if what.endswith("not_an_array")]
    needed = (
        "scopeSpans, spans, attributes and events must all be arrays — OTLP attributes are a list of {key, value} "
        "entries, not a JSON object."
        if arrays
        else "traceId and spanId are required on every span, and each must be a string or a byte array."
    )
    count = max(broken.values())
    return refused(
        f"Invalid OTLP trace export: {count} of {max(total, count)} span(s) cannot be processed "
        f"({', '.join(sorted(broken))}). {needed} The entire export was rejected and no spans were ingested. "
        f"Instrumentation scopes: {', '.join(sorted(scopes))}. This endpoint accepts OpenTelemetry traces only — "
        "if you are exporting OpenTelemetry logs, point your log exporter elsewhere."
    )
