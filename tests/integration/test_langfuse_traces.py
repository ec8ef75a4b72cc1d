"""Production traces read from the stand-in: heads, texts and scores, in few requests."""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from flywheel.adapters.experiment_spans import LangfuseSpanSink
from flywheel.adapters.langfuse import LangfuseApi, LangfuseCredentials
from flywheel.adapters.langfuse_scores import LangfuseScoreStore
from flywheel.adapters.langfuse_traces import LangfuseTraces
from flywheel.domain.live_trace import TraceScore, TraceTexts, Window, once
from flywheel.domain.synthetic import SYNTHETIC_TAG
from flywheel.errors import TransientError
from flywheel.evaluation.ports import Score, Span
from local.langfuse.testing import RunningStandIn, running_stand_in

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
WINDOW = Window(AT, AT + timedelta(hours=1))


@pytest.fixture(scope="module")
def stand_in() -> Iterator[RunningStandIn]:
    with running_stand_in() as running:
        yield running


@pytest.fixture
def api(stand_in: RunningStandIn) -> Iterator[LangfuseApi]:
    yield LangfuseApi(LangfuseCredentials(stand_in.url, stand_in.public_key, stand_in.secret_key))
    httpx.delete(f"{stand_in.url}/_faults").raise_for_status()


@pytest.fixture
def environment() -> str:
    return f"env-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def traces(api: LangfuseApi, environment: str) -> LangfuseTraces:
    return LangfuseTraces(api, environment, patience_s=3)


def root(environment: str, second: float, **changes: Any) -> Span:
    started = int((AT + timedelta(seconds=second)).timestamp() * 1e9)
    attributes = {
        "langfuse.environment": environment,
        "langfuse.observation.input": json.dumps({"question": f"What is {second}?"}),
        "langfuse.observation.output": json.dumps({"answer": "That.", "stop_reason": "end"}),
        "session.id": f"s-{environment}",
    } | changes.pop("attributes", {})
    given: dict[str, Any] = {
        "trace_id": uuid.uuid4().hex,
        "span_id": uuid.uuid4().hex[:16],
        "parent_id": None,
        "name": "answer_question",
        "start_ns": started,
        "end_ns": started + 1_500_000_000,
        "attributes": attributes,
        "observation_type": "agent",
    } | changes
    return Span(**given)


def send(api: LangfuseApi, spans: list[Span]) -> None:
    LangfuseSpanSink(api).export(spans, deadline_s=10)


def heads(traces: LangfuseTraces, window: Window = WINDOW) -> list[Any]:
    return [head for page in traces.heads(window) for head in page]


def test_heads_come_page_by_page_without_texts_and_of_this_environment_only(
    api: LangfuseApi, traces: LangfuseTraces, environment: str
) -> None:
    spans = [root(environment, n / 2, attributes={"langfuse.trace.tags": (SYNTHETIC_TAG,)}) for n in range(1203)]
    send(api, spans)
    send(api, [root(f"{environment}-gate", 1), root("other", 2), root(environment, -1), root(environment, 3600)])
    pages = list(traces.heads(WINDOW))

    assert [len(page) for page in pages] == [1000, 203]
    assert {head.trace_id for page in pages for head in page} == {span.trace_id for span in spans}
    one = next(head for head in pages[1] if head.trace_id == spans[0].trace_id)
    assert (one.at, one.name, one.level, one.latency_s, one.environment) == (
        AT,
        "answer_question",
        "DEFAULT",
        1.5,
        environment,
    )
    assert one.synthetic


def test_failing_parts_are_found_and_a_failing_root_is_not_one_of_them(
    api: LangfuseApi, traces: LangfuseTraces, environment: str
) -> None:
    fine, broken, tool = root(environment, 1), root(environment, 2, failed="no"), root(environment, 3)
    call = root(environment, 3.5, trace_id=tool.trace_id, parent_id=tool.span_id, name="search", failed="no docs")
    send(api, [fine, broken, tool, call])

    assert traces.failing(WINDOW) == {tool.trace_id}
    assert {h.trace_id: h.level for h in heads(traces)} == {
        fine.trace_id: "DEFAULT",
        broken.trace_id: "ERROR",
        tool.trace_id: "DEFAULT",
    }


def test_texts_and_scores_are_read_for_those_that_are_named(
    api: LangfuseApi, traces: LangfuseTraces, environment: str
) -> None:
    spans = [root(environment, n) for n in range(130)]
    send(api, spans)
    named = [head for head in heads(traces) if head.trace_id != spans[0].trace_id]
    given = [
        Score(uuid.uuid4().hex, "user-feedback", 0, data_type="BOOLEAN", trace_id=spans[1].trace_id),
        Score(uuid.uuid4().hex, "tone", 0.25, trace_id=spans[1].trace_id, observation_id=spans[1].span_id),
        Score(uuid.uuid4().hex, "kind", "a word", data_type="CATEGORICAL", trace_id=spans[2].trace_id),
    ]
    LangfuseScoreStore(api).post(given)

    texts = traces.texts(named)
    assert set(texts) == {head.trace_id for head in named}
    assert texts[spans[3].trace_id] == TraceTexts("What is 3?", "That.")
    found = traces.scores([span.trace_id for span in spans])
    assert {trace: sorted(scores, key=lambda score: score.name) for trace, scores in found.items()} == {
        spans[1].trace_id: [TraceScore("tone", 0.25), TraceScore("user-feedback", 0.0)]
    }
    assert (traces.texts([]), traces.scores([])) == ({}, {})


def test_traces_and_sessions_that_were_called_out_are_found(
    api: LangfuseApi, traces: LangfuseTraces, environment: str
) -> None:
    spans = [root(environment, n) for n in range(3)]
    send(api, spans)
    found = traces.named([spans[0].trace_id, "f" * 32], [f"s-{environment}", "nobody's"])
    assert {head.trace_id for head in found} == {span.trace_id for span in spans}


def test_what_is_too_much_is_asked_for_in_halves(
    api: LangfuseApi, traces: LangfuseTraces, environment: str, stand_in: RunningStandIn
) -> None:
    spans = [root(environment, n * 300) for n in range(10)]
    send(api, spans)
    rule = {"path_prefix": "/api/public/v2/observations", "method": "GET", "status": 422, "times": 3}
    httpx.post(f"{stand_in.url}/_faults", json=rule).raise_for_status()
    assert set(once(heads(traces))) == {span.trace_id for span in spans}

    httpx.post(f"{stand_in.url}/_faults", json=rule).raise_for_status()
    assert len(traces.texts(list(once(heads(traces)).values()))) == 10


def test_a_limit_or_a_failure_midway_is_waited_for_and_a_long_one_is_an_error(
    api: LangfuseApi, traces: LangfuseTraces, environment: str, stand_in: RunningStandIn
) -> None:
    send(api, [root(environment, 1)])
    for fault in ({"status": 429, "retry_after_s": 1}, {"status": 503}):
        rule = {"path_prefix": "/api/public/v2/observations", "method": "GET", "times": 1} | fault
        httpx.post(f"{stand_in.url}/_faults", json=rule).raise_for_status()
        assert len(heads(traces)) == 1
    rule = {"path_prefix": "/api/public/v2/observations", "method": "GET", "status": 429, "retry_after_s": 30}
    httpx.post(f"{stand_in.url}/_faults", json=rule).raise_for_status()
    with pytest.raises(TransientError) as caught:
        heads(traces)
    assert caught.value.retry_after_s == 30
