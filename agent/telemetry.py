"""Spans of a request -> Langfuse, joined to the caller's trace."""

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import requests
from opentelemetry import baggage, context, propagate
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, Status, StatusCode, format_trace_id
from requests.adapters import HTTPAdapter
from strands.telemetry import StrandsTelemetry
from urllib3 import Retry

from agent.errors import AgentError
from agent.flush import SharedFlush
from agent.langfuse_access import CredentialsUnavailableError, LangfuseAccess, LangfuseCredentials
from agent.request import AgentRequest
from agent.settings import RuntimeSettings
from agent.span_ids import OsIdGenerator
from agent.stamps import StampProcessor, request_stamps, stamped

if TYPE_CHECKING:
    from agent.answering import Answer

logger = logging.getLogger(__name__)

_EXPORT_TIMEOUT_S = 45.0
"""The exporter retries for this long in its own thread, so that spans outlive half a minute without Langfuse."""

type MakeExporter = Callable[[LangfuseCredentials], SpanExporter]


def start_tracing() -> TracerProvider:
    """Set the process's tracer provider. Once per process: a second one would be ignored and leak its threads."""
    # Content as attributes of the current GenAI conventions; as span events it is deprecated. Read at the first span.
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental,gen_ai_span_attributes_only")
    os.environ.setdefault("OTEL_SERVICE_NAME", "langfuse-docs-agent")
    provider = StrandsTelemetry().tracer_provider
    # Before the first tracer is made, which keeps what it finds. The SDK annotates its own default only.
    provider.id_generator = OsIdGenerator()  # type: ignore[assignment]
    provider.add_span_processor(StampProcessor())
    return provider


def langfuse_exporter(credentials: LangfuseCredentials) -> SpanExporter:
    """OTLP to Langfuse. Header version 4 makes spans readable in a second, without it that takes minutes."""
    session = requests.Session()
    # The exporter retries 429, 502, 503 and 504, but drops the batch on a 500, which Langfuse gives when it restarts.
    retry = Retry(3, status_forcelist=(500,), allowed_methods=None, backoff_factor=0.5, raise_on_status=False)
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    return OTLPSpanExporter(
        endpoint=f"{credentials.host}/api/public/otel/v1/traces",
        headers={"Authorization": credentials.authorization, "x-langfuse-ingestion-version": "4"},
        timeout=_EXPORT_TIMEOUT_S,
        compression=Compression.Gzip,
        session=session,
    )


class _CountingExporter(SpanExporter):
    """Counts failures: a batch processor does not tell whether its flush succeeded."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.failures = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self.failures += 1
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class Telemetry:
    """Opens the span of a request and sends what ended. It never raises: an answer is worth more than its trace."""

    def __init__(
        self,
        settings: RuntimeSettings,
        provider: TracerProvider,
        access: LangfuseAccess | None,
        make_exporter: MakeExporter = langfuse_exporter,
    ) -> None:
        self._settings = settings
        self._provider = provider
        self._access = access
        self._make_exporter = make_exporter
        self._tracer = provider.get_tracer("agent")
        self._flush: SharedFlush | None = None
        self._processor: BatchSpanProcessor | None = None

    async def prepare(self) -> None:
        """Connect to Langfuse unless that is done. Without its credentials this request goes untraced."""
        if self._flush is not None or self._access is None:
            return
        try:
            credentials = await self._access.credentials()
        except CredentialsUnavailableError as error:
            logger.warning("no traces: %s", error)
            return
        if self._flush is not None:  # another request was faster
            return
        exporter = _CountingExporter(self._make_exporter(credentials))
        processor = BatchSpanProcessor(exporter, max_queue_size=8192, max_export_batch_size=256)
        self._provider.add_span_processor(processor)

        def flush() -> bool:
            failures = exporter.failures
            processor.force_flush()
            return exporter.failures == failures

        self._processor, self._flush = processor, SharedFlush(flush)

    @contextmanager
    def request_span(
        self, request: AgentRequest | None, headers: Mapping[str, str], session_id: str | None, user_id: str | None
    ) -> Iterator[Span]:
        """The root span of this process for one request; `request` is None when the payload was refused."""
        caller = propagate.extract(headers)
        stamps = request_stamps(
            caller,
            environment=self._settings.langfuse_tracing_environment,
            release=self._settings.langfuse_release,
            session_id=session_id,
            user_id=(request.user_id if request else None) or user_id,
            tags=request.tags if request else (),
        )
        # The stamps hold what we need of the baggage; further on it would travel to the tool server.
        token = context.attach(baggage.clear(caller))
        try:
            with (
                stamped(stamps),
                self._tracer.start_as_current_span(
                    "answer_question", record_exception=False, set_status_on_exception=False
                ) as span,
            ):
                span.set_attribute("langfuse.observation.type", "agent")
                if request:
                    span.set_attribute("langfuse.observation.input", _json(request.asked()))
                yield span
        finally:
            context.detach(token)

    async def delivered(self) -> bool:
        """Wait up to 3 s until the ended spans have arrived; False when they have not, or none are sent."""
        return await self._flush.wait() if self._flush is not None else False

    def shutdown(self, budget_s: float = 3.0) -> None:
        """Send what is left, for `budget_s` at most: a Langfuse that hangs must not hold the end of the process."""
        if self._processor is not None:
            ending = threading.Thread(target=self._processor.shutdown, daemon=True)
            ending.start()
            ending.join(budget_s)


def trace_id_of(span: Span) -> str:
    """32 hex digits."""
    return format_trace_id(span.get_span_context().trace_id)


def record_answer(span: Span, answer: "Answer") -> None:
    """The answer as text is the output of the root span: reviewers correct just that. The rest is its metadata."""
    span.set_attribute("langfuse.observation.output", answer.answer)
    about = {
        "stop_reason": answer.stop_reason,
        "model_id": answer.model_id,
        "trajectory": _json([call.tool for call in answer.trajectory]),
        "usage": _json(asdict(answer.usage)),
    }
    for name, value in about.items():
        span.set_attribute(f"langfuse.observation.metadata.{name}", value)


def record_failure(span: Span, error: AgentError) -> None:
    """Mark the root span, so that failed requests are found by their level in Langfuse."""
    span.set_status(Status(StatusCode.ERROR, error.code))
    span.set_attribute("langfuse.observation.level", "ERROR")
    span.set_attribute("langfuse.observation.status_message", f"{error.code}: {error}")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
