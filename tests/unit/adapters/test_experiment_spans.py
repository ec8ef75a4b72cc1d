import gzip
import json
from typing import Any

import pytest

from flywheel.adapters.experiment_spans import LangfuseSpanSink
from flywheel.adapters.langfuse import Reply
from flywheel.errors import InvalidRequestError, TransientError
from flywheel.evaluation.ports import Span
from tests.unit.adapters.langfuse_double import answer, scripted


def span(number: int = 1, parent: str | None = None, **more: Any) -> Span:
    attributes = more.pop("attributes", {"langfuse.experiment.id": "e1", "langfuse.trace.tags": ("gate", "candidate")})
    return Span("a" * 32, f"{number:016x}", parent, "gate trial", 1_000, 2_000, attributes, **more)


def sent(body: bytes | None) -> list[dict[str, Any]]:
    content = json.loads(gzip.decompress(body or b""))
    spans: list[dict[str, Any]] = content["resourceSpans"][0]["scopeSpans"][0]["spans"]
    return spans


def test_spans_go_as_otlp_json_over_the_direct_path() -> None:
    langfuse = scripted(answer({}))

    LangfuseSpanSink(langfuse.api()).export([span(), span(2, parent="0" * 15 + "1")], deadline_s=5)

    request = langfuse.requests[0]
    assert langfuse.paths() == ["POST otel/v1/traces"]
    assert request.headers["x-langfuse-ingestion-version"] == "4"
    assert request.headers["content-encoding"] == "gzip"
    assert request.headers["content-type"] == "application/json"
    root, child = sent(request.body)
    assert root == {
        "traceId": "a" * 32,
        "spanId": "0" * 15 + "1",
        "name": "gate trial",
        "kind": 1,
        "startTimeUnixNano": "1000",
        "endTimeUnixNano": "2000",
        "attributes": [
            {"key": "langfuse.experiment.id", "value": {"stringValue": "e1"}},
            {
                "key": "langfuse.trace.tags",
                "value": {"arrayValue": {"values": [{"stringValue": "gate"}, {"stringValue": "candidate"}]}},
            },
            {"key": "langfuse.observation.type", "value": {"stringValue": "span"}},
        ],
        "status": {},
    }
    assert child["parentSpanId"] == "0" * 15 + "1"


def test_a_failed_span_stands_at_level_error_with_its_reason() -> None:
    langfuse = scripted(answer({}))

    LangfuseSpanSink(langfuse.api()).export([span(failed="invoke: timeout: no answer")], deadline_s=5)

    wire = sent(langfuse.requests[0].body)[0]
    attributes = {attribute["key"]: attribute["value"]["stringValue"] for attribute in wire["attributes"][2:]}
    assert attributes["langfuse.observation.level"] == "ERROR"
    assert attributes["langfuse.observation.status_message"] == "invoke: timeout: no answer"
    assert wire["status"] == {"code": 2, "message": "invoke: timeout: no answer"}


def test_a_batch_stays_below_what_the_server_takes() -> None:
    langfuse = scripted(answer({}))
    spans = [span(number, attributes={"langfuse.observation.output": "x" * 190_000}) for number in range(40)]

    LangfuseSpanSink(langfuse.api()).export(spans, deadline_s=5)

    sizes = [len(gzip.decompress(request.body or b"")) for request in langfuse.requests]
    assert len(sizes) > 1
    assert max(sizes) < 4_500_000
    assert sum(len(sent(request.body)) for request in langfuse.requests) == 40


def test_an_answer_of_many_megabytes_is_cut_for_the_trace() -> None:
    langfuse = scripted(answer({}))

    LangfuseSpanSink(langfuse.api()).export([span(attributes={"x": "y" * 10_000_000})], deadline_s=5)

    assert len(sent(langfuse.requests[0].body)[0]["attributes"][0]["value"]["stringValue"]) == 200_000


def test_the_body_of_the_answer_is_not_looked_at() -> None:
    langfuse = scripted(Reply(200, {}, b"not json at all"))

    LangfuseSpanSink(langfuse.api()).export([span()], deadline_s=5)

    assert len(langfuse.requests) == 1


def test_no_spans_are_no_request() -> None:
    langfuse = scripted(answer({}))

    LangfuseSpanSink(langfuse.api()).export([], deadline_s=5)

    assert langfuse.requests == []


def test_a_langfuse_that_stays_down_is_transient_and_a_refusal_is_final() -> None:
    with pytest.raises(TransientError):
        LangfuseSpanSink(scripted(ConnectionRefusedError("down")).api()).export([span()], deadline_s=2)
    with pytest.raises(InvalidRequestError):
        LangfuseSpanSink(scripted(answer({"error": "Invalid OTLP"}, 400)).api()).export([span()], deadline_s=2)


def test_a_deadline_that_ends_between_batches_is_transient() -> None:
    langfuse = scripted(answer({}))
    langfuse.takes_s = 3.0
    spans = [span(number, attributes={"x": "x" * 200_000}) for number in range(40)]

    with pytest.raises(TransientError, match="only a part of 40 spans"):
        LangfuseSpanSink(langfuse.api()).export(spans, deadline_s=3)
