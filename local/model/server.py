"""OpenAI-compatible HTTP -> answers of planner, judge or evaluator; the request alone says which of them is asked."""

import asyncio
from collections.abc import AsyncIterator

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from local.model import evaluator, structured
from local.model.chat import (
    BadRequestError,
    ChatRequest,
    Reply,
    count_usage,
    limit_reply,
    parse_request,
    write_chunks,
    write_completion,
)
from local.model.faults import CallRole, Fault, FaultPlan
from local.model.judge import judge
from local.model.pace import pace_s
from local.model.planner import plan

MODELS = ("flywheel-local-small-haiku", "flywheel-local-medium", "flywheel-local-large-sonnet")
"""Listed names; any model id is answered, its name giving the size."""

MAX_BODY_BYTES = 8 * 1024 * 1024


def _error(status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    body = {"error": {"message": message, "type": kind, "param": None, "code": kind}}
    return JSONResponse(body, status_code=status, headers=headers)


async def _read_body(request: Request) -> bytes:
    """Raises BadRequestError: the body is larger than MAX_BODY_BYTES."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise BadRequestError(f"the body is larger than {MAX_BODY_BYTES} bytes: send fewer or shorter messages")
    return bytes(body)


async def _stream(chunks: list[str]) -> AsyncIterator[str]:
    for chunk in chunks:
        yield chunk


def _answer(request: ChatRequest) -> Reply:
    if evaluator.is_evaluation(request):
        return evaluator.answer(request)
    if request.response_schema is not None and request.forced_tool is None:
        return structured.answer(request)
    return judge(request) if request.forced_tool else plan(request)


class ModelApi:
    """The routes, over one plan of faults."""

    def __init__(self, faults: FaultPlan) -> None:
        self._faults = faults

    async def complete(self, http: Request) -> Response:
        try:
            request = parse_request(await _read_body(http))
            role: CallRole = "judge" if request.forced_tool or request.response_schema else "agent"
            if failure := await self._fail(role):
                return failure
            reply = limit_reply(_answer(request), request.token_limit)
            if role == "agent":
                usage = count_usage(request, reply)
                await asyncio.sleep(pace_s(request.model, usage["prompt_tokens"], usage["completion_tokens"]))
        except BadRequestError as error:
            return _error(400, "invalid_request_error", str(error))
        if request.stream:
            return StreamingResponse(_stream(write_chunks(request, reply)), media_type="text/event-stream")
        return JSONResponse(write_completion(request, reply))

    async def _fail(self, role: CallRole) -> Response | None:
        for fault in self._faults.strike(role):
            match fault.kind:
                case "delay":
                    await asyncio.sleep(fault.delay_s)
                case "throttle":
                    headers = {"Retry-After": str(fault.retry_after_s)}
                    return _error(429, "rate_limit_exceeded", "injected fault: too many requests", headers)
                case "error":
                    return _error(500, "server_error", "injected fault: the model failed")
        return None

    async def list_models(self, _: Request) -> Response:
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "flywheel-local"} for name in MODELS]
        return JSONResponse({"object": "list", "data": models})

    async def report_health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok", "server": "flywheel-local-model"})

    async def add_fault(self, http: Request) -> Response:
        try:
            fault = Fault.model_validate_json(await _read_body(http))
        except (BadRequestError, ValidationError) as error:
            return _error(400, "invalid_request_error", f"not a fault: {error}")
        return JSONResponse({"number": self._faults.add(fault)}, status_code=201)

    async def list_faults(self, _: Request) -> Response:
        return JSONResponse(self._faults.to_json())

    async def clear_faults(self, _: Request) -> Response:
        self._faults.clear()
        return Response(status_code=204)


def make_app(faults: FaultPlan | None = None) -> Starlette:
    """The server; `faults` lets a test put faults in force without HTTP."""
    api = ModelApi(faults or FaultPlan())
    return Starlette(
        routes=[
            Route("/v1/chat/completions", api.complete, methods=["POST"]),
            Route("/v1/models", api.list_models, methods=["GET"]),
            Route("/health", api.report_health, methods=["GET"]),
            Route("/_faults", api.add_fault, methods=["POST"]),
            Route("/_faults", api.list_faults, methods=["GET"]),
            Route("/_faults", api.clear_faults, methods=["DELETE"]),
        ]
    )
