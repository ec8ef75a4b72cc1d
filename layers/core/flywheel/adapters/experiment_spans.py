"""Finished spans -> Langfuse's OTLP endpoint, as OTLP/JSON.

Not through the SDK: its ids are random, and its exporter drops what it could not deliver. Here ids are the trial's own,
so that a repeated trial overwrites its spans, and delivery is retried by the caller's deadline. It also spares the
functions that score 0.7 s of import and 20 MB.
"""

import gzip
from collections.abc import Iterator, Sequence
from typing import Any, Final

from flywheel.adapters.langfuse import LangfuseApi, json_bytes
from flywheel.errors import TransientError
from flywheel.evaluation.ports import Span

# Version 4 takes the direct path: readable after about a second instead of minutes.
_HEADERS: Final = {"content-type": "application/json", "content-encoding": "gzip", "x-langfuse-ingestion-version": "4"}
_BATCH_BYTES = 3_000_000  # before compression; Langfuse Cloud takes 5 MB
_ATTRIBUTE_CHARACTERS = 200_000
_KIND_INTERNAL = 1
_STATUS_ERROR = 2


class LangfuseSpanSink:
    """`SpanSink` of one project."""

    def __init__(self, api: LangfuseApi) -> None:
        self._api = api

    def export(self, spans: Sequence[Span], *, deadline_s: float) -> None:
        """Send the spans; ids make a repetition an overwrite.

        Raises:
            TransientError: the server did not take them in time.
            InvalidRequestError: the server refuses them as they are.
        """
        end = self._api.monotonic() + deadline_s
        for batch in _batches(spans):
            left_s = end - self._api.monotonic()
            if left_s <= 0:
                raise TransientError(f"Langfuse took only a part of {len(spans)} spans in {deadline_s:g} s")
            body = gzip.compress(b'{"resourceSpans":[' + _RESOURCE + b",".join(batch) + b"]}]}]}", compresslevel=1)
            # 4.16 answers with its queue job, newer ones with {}: the status is all that counts.
            self._api.request("POST", "otel/v1/traces", body, deadline_s=left_s, headers=_HEADERS)


def _attribute(key: str, value: str | tuple[str, ...]) -> dict[str, Any]:
    if isinstance(value, str):
        return {"key": key, "value": {"stringValue": value[:_ATTRIBUTE_CHARACTERS]}}
    return {"key": key, "value": {"arrayValue": {"values": [{"stringValue": one} for one in value]}}}


_RESOURCE: Final = (
    json_bytes({"resource": {"attributes": [_attribute("service.name", "flywheel")]}})[:-1]
    + b',"scopeSpans":[{"scope":{"name":"flywheel"},"spans":['
)


def _to_wire(span: Span) -> dict[str, Any]:
    attributes: dict[str, str | tuple[str, ...]] = {
        **span.attributes,
        "langfuse.observation.type": span.observation_type,
    }
    if span.failed is not None:
        attributes |= {"langfuse.observation.level": "ERROR", "langfuse.observation.status_message": span.failed}
    wire: dict[str, Any] = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "name": span.name,
        "kind": _KIND_INTERNAL,
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": [_attribute(key, value) for key, value in attributes.items()],
        "status": {} if span.failed is None else {"code": _STATUS_ERROR, "message": span.failed},
    }
    if span.parent_id is not None:
        wire["parentSpanId"] = span.parent_id
    return wire


def _batches(spans: Sequence[Span]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for span in spans:
        encoded = json_bytes(_to_wire(span))
        if batch and size + len(encoded) > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(encoded)
        size += len(encoded) + 1
    if batch:
        yield batch
