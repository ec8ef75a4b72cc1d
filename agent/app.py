"""HTTP of an AgentCore container -> the agent: `POST /invocations`, `GET /ping`."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from bedrock_agentcore import BedrockAgentCoreApp
from bedrock_agentcore.runtime.context import RequestContext
from starlette.middleware import Middleware
from starlette.responses import JSONResponse

from agent.errors import AgentError
from agent.request import AgentRequest, parse_request
from agent.request_guard import RequestGuard, error_response
from agent.settings import Settings

if TYPE_CHECKING:  # Strands takes most of the start; `load` imports it
    from agent.answering import Answer
    from agent.telemetry import Telemetry

logger = logging.getLogger(__name__)

_BLOCKING_CALLS = 128
"""Threads for boto3 and MCP clients, made when needed. asyncio's own pool has 6 on two processors."""

_USER_HEADER = "x-amzn-bedrock-agentcore-runtime-user-id"


class Answers(Protocol):
    """Answers one checked request; raises `AgentError` for what has a defined status."""

    async def answer(self, request: AgentRequest) -> "Answer": ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What answers a request."""

    answering: Answers
    telemetry: "Telemetry"


def create_app(settings: Settings, load: Callable[[Settings], Parts]) -> BedrockAgentCoreApp:
    """The AgentCore app. `load` runs once, in a thread, before the server listens.

    So `/ping` answers when everything is loaded and not before: platform version V2 takes its snapshot then, and what
    is loaded later would be loaded anew in every session.
    """
    parts: list[Parts] = []

    @contextlib.asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        started = time.monotonic()
        try:
            parts.append(await asyncio.to_thread(load, settings))
        except Exception:  # a broken image must not stay up and answer: AgentCore replaces a container that ends
            logger.exception("the agent cannot be loaded")
            raise
        logger.info("agent is loaded", extra={"load_ms": _ms_since(started)})
        yield
        await asyncio.to_thread(parts[0].telemetry.shutdown)

    app = BedrockAgentCoreApp(lifespan=lifespan, middleware=[Middleware(RequestGuard)])
    handler = InvocationHandler(settings, parts)

    # An `async def`: the app runs synchronous entry points in a pool of 40 threads.
    async def invoke(payload: object, context: RequestContext) -> JSONResponse:
        return await handler.handle(payload, context)

    app.entrypoint(invoke)
    return app


class InvocationHandler:
    """One invocation: request, span, answer or failure, delivery of the trace, response, one log line."""

    def __init__(self, settings: Settings, parts: Sequence[Parts]) -> None:
        """`parts`: one, from before the first request on."""
        self._settings = settings
        self._parts = parts
        self._pool: ThreadPoolExecutor | None = None

    async def handle(self, payload: object, context: RequestContext) -> JSONResponse:
        self._begin()
        (parts,) = self._parts
        try:
            await parts.telemetry.prepare()
            return await self._answered(parts, payload, context)
        except AgentError as error:
            return error_response(error)

    def _begin(self) -> None:
        """What the first request of a process, or of a copy of it, does for all."""
        if self._pool is None:
            # Not before: in a snapshot all sessions would share the state, and pause alike between their retries.
            random.seed()
            self._pool = ThreadPoolExecutor(_BLOCKING_CALLS, thread_name_prefix="blocking")
            asyncio.get_running_loop().set_default_executor(self._pool)

    async def _answered(self, parts: Parts, payload: object, context: RequestContext) -> JSONResponse:
        from agent.telemetry import record_answer, record_failure, trace_id_of  # noqa: PLC0415 (loaded long since)

        started = time.monotonic()
        request, refusal = _parsed(payload, self._settings)
        headers: Mapping[str, str] = context.request_headers or {}
        all_headers: Mapping[str, str] = context.request.headers if context.request else {}
        body: dict[str, Any] = {}
        failure: AgentError | None = refusal
        with parts.telemetry.request_span(request, headers, context.session_id, all_headers.get(_USER_HEADER)) as span:
            trace_id = trace_id_of(span)
            if request is not None:
                try:
                    answer = await parts.answering.answer(request)
                    record_answer(span, answer)
                    body = {**answer.to_dict(), "latency_ms": _ms_since(started), "trace_id": trace_id}
                except AgentError as error:
                    failure = error
                except Exception:  # the app would answer with the exception's own text
                    logger.exception("unexpected failure", extra={"trace_id": trace_id})
                    failure = AgentError("The agent failed. Its log has the place, its trace the request.")
            if failure is not None:
                record_failure(span, failure)
        latency_ms = _ms_since(started)
        await parts.telemetry.delivered()
        logger.info(
            "request ended",
            extra={
                "status": failure.status if failure else 200,
                "code": failure.code if failure else body["stop_reason"],
                "latency_ms": latency_ms,
                "flush_ms": _ms_since(started) - latency_ms,
                "trace_id": trace_id,
                "session_id": context.session_id,
            },
        )
        if failure is not None:
            raise failure
        return JSONResponse(body)


def _parsed(payload: object, settings: Settings) -> tuple[AgentRequest | None, AgentError | None]:
    try:
        return parse_request(payload, settings), None
    except AgentError as error:
        return None, error


def _ms_since(started: float) -> int:
    """Whole milliseconds since `started` of the monotonic clock."""
    return round((time.monotonic() - started) * 1000)
