"""The root span of a request, and what happens when Langfuse cannot be reached."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from opentelemetry import propagate, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from agent.answering import Answer, ToolCall
from agent.errors import ModelFailedError
from agent.langfuse_access import CredentialsUnavailableError, LangfuseAccess, LangfuseCredentials
from agent.request import AgentRequest
from agent.settings import RuntimeSettings
from agent.stamps import StampProcessor
from agent.telemetry import Telemetry, record_answer, record_failure, trace_id_of
from tests.unit.agent.doubles import FIXED

CREDENTIALS = LangfuseCredentials("http://langfuse", "pk", "sk")
RUNTIME = RuntimeSettings(mcp_url="http://tools/mcp", langfuse_tracing_environment="dev", langfuse_release="abc")
CALLER = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "baggage": "langfuse.experiment.id=e1,private=x"}


@pytest.fixture(autouse=True)
def _w3c() -> None:
    propagate.set_global_textmap(CompositePropagator([W3CBaggagePropagator(), TraceContextTextMapPropagator()]))


class Langfuse(SpanExporter):
    """Keeps what is exported; fails when told to."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.fails = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self.fails:
            return SpanExportResult.FAILURE
        self.spans += spans
        return SpanExportResult.SUCCESS


def telemetry(langfuse: Langfuse, access: LangfuseAccess | None = None) -> Telemetry:
    provider = TracerProvider()
    provider.add_span_processor(StampProcessor())
    return Telemetry(RUNTIME, provider, access or LangfuseAccess(lambda: CREDENTIALS), lambda _: langfuse)


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def test_a_request_joins_the_callers_trace_with_input_output_and_stamps() -> None:
    langfuse = Langfuse()
    traced = telemetry(langfuse)

    async def scenario() -> bool:
        await traced.prepare()
        request = AgentRequest("What?", FIXED, "u", ("t",))
        with traced.request_span(request, CALLER, "session-1", "header-user") as span:
            assert trace_id_of(span) == "a" * 32
            record_answer(span, Answer("That.", "end_turn", "m", (ToolCall("search", {"query": "x"}, error=False),)))
        return await traced.delivered()

    assert asyncio.run(scenario()) is True
    traced.shutdown()
    (span,) = langfuse.spans
    assert span.name == "answer_question"
    assert span.parent is not None
    assert f"{span.parent.span_id:x}" == "b" * 16
    assert attributes(span) == {
        "langfuse.experiment.id": "e1",
        "langfuse.environment": "dev",
        "langfuse.release": "abc",
        "session.id": "session-1",
        "user.id": "u",
        "langfuse.trace.tags": ("t",),
        "langfuse.observation.type": "agent",
        "langfuse.observation.input": json.dumps({"question": "What?"}),
        "langfuse.observation.output": "That.",
        "langfuse.observation.metadata.stop_reason": "end_turn",
        "langfuse.observation.metadata.model_id": "m",
        "langfuse.observation.metadata.trajectory": '["search"]',
        "langfuse.observation.metadata.usage": '{"input_tokens": 0, "output_tokens": 0, "model_calls": 0}',
    }


def test_baggage_goes_no_further_than_our_spans() -> None:
    carrier: dict[str, str] = {}
    with telemetry(Langfuse()).request_span(None, CALLER, None, None):
        propagate.inject(carrier)

    assert "baggage" not in carrier
    assert carrier["traceparent"].startswith(f"00-{'a' * 32}-")


def test_nothing_of_a_request_stays_for_the_next() -> None:
    langfuse = Langfuse()
    traced = telemetry(langfuse)

    async def scenario() -> None:
        await traced.prepare()
        with traced.request_span(AgentRequest("q", FIXED, "u", ("t",)), CALLER, "s", None):
            pass
        with traced.request_span(None, {}, None, None):
            pass
        await traced.delivered()

    asyncio.run(scenario())
    traced.shutdown()
    assert attributes(langfuse.spans[1]) == {
        "langfuse.environment": "dev",
        "langfuse.release": "abc",
        "langfuse.observation.type": "agent",
    }
    assert not trace.get_current_span().get_span_context().is_valid


@pytest.mark.parametrize(
    "headers",
    [{"traceparent": "garbage", "baggage": "=;,,%%%"}, {"traceparent": "00-" + "0" * 32 + "-" + "0" * 16 + "-01"}],
)
def test_headers_that_are_no_trace_start_a_new_one(headers: dict[str, str]) -> None:
    with telemetry(Langfuse()).request_span(None, headers, None, None) as span:
        assert int(trace_id_of(span), 16) > 0


def test_a_failure_marks_the_span_with_its_code() -> None:
    langfuse = Langfuse()
    traced = telemetry(langfuse)

    async def scenario() -> None:
        await traced.prepare()
        with traced.request_span(None, {}, None, None) as span:
            record_failure(span, ModelFailedError("The model failed."))
        await traced.delivered()

    asyncio.run(scenario())
    traced.shutdown()
    (span,) = langfuse.spans
    assert span.status.description == "model_failed"
    assert attributes(span)["langfuse.observation.level"] == "ERROR"


def test_without_credentials_a_request_goes_untraced_and_without_a_wait() -> None:
    def read() -> LangfuseCredentials:
        raise CredentialsUnavailableError("SSM has no /l/LANGFUSE_HOST")

    traced = telemetry(Langfuse(), LangfuseAccess(read))

    async def scenario() -> bool:
        await traced.prepare()
        with traced.request_span(None, {}, None, None):
            pass
        return await traced.delivered()

    assert asyncio.run(scenario()) is False


def test_a_refused_export_is_noticed() -> None:
    langfuse = Langfuse()
    langfuse.fails = True
    traced = telemetry(langfuse)

    async def scenario() -> bool:
        await traced.prepare()
        with traced.request_span(None, {}, None, None):
            pass
        return await traced.delivered()

    assert asyncio.run(scenario()) is False
    traced.shutdown()


def test_many_first_requests_make_one_exporter() -> None:
    made: list[int] = []

    def make(_: LangfuseCredentials) -> SpanExporter:
        made.append(1)
        return Langfuse()

    traced = Telemetry(RUNTIME, TracerProvider(), LangfuseAccess(lambda: CREDENTIALS), make)

    async def scenario() -> None:
        await asyncio.gather(*(traced.prepare() for _ in range(30)))

    asyncio.run(scenario())
    traced.shutdown()
    assert made == [1]
