"""AgentCore's data plane on this machine: InvokeAgentRuntime and StopRuntimeSession over the pushed images."""

import asyncio
import contextlib
import json
import logging
import re
import time
import uuid
from collections.abc import AsyncIterator

import httpx
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from local.agentcore.control_plane import ControlPlaneError
from local.agentcore.faults import Fault, FaultError, parse_fault
from local.agentcore.fleet import Fleet
from local.agentcore.replies import SESSION_HEADER, DataPlaneError, client_error, invalid

logger = logging.getLogger("agentcore")

_ANSWER_LIMIT_S = 900.0  # AgentCore ends a synchronous request after 15 minutes
_PAYLOAD_LIMIT = 100_000_000
_IDLE_CHECK_S = 1.0
_SESSION_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{32,255}")
_RUNTIME_ARN = re.compile(
    r"arn:aws[a-z-]*:bedrock-agentcore:[a-z0-9-]+:\d{12}:runtime/([a-zA-Z][a-zA-Z0-9_]{0,99}-[a-zA-Z0-9]{10})"
)
_SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=\S+, ?SignedHeaders=\S+, ?Signature=[0-9a-f]{64}")
_PASSED = frozenset({"accept", "content-type", "traceparent", "tracestate", "baggage", "x-amzn-trace-id"})
_PASSED_PREFIXES = ("mcp-", "x-amzn-bedrock-agentcore-runtime-")
_RETURNED = frozenset({"content-type", "traceparent", "tracestate", "baggage", "x-amzn-trace-id", "mcp-session-id"})


class Host:
    """The routes of the host, over a fleet of containers."""

    def __init__(self, fleet: Fleet, client: httpx.AsyncClient) -> None:
        self._fleet, self._client = fleet, client
        self._faults: list[Fault] = []

    def application(self) -> Starlette:
        runtime = "/_control/runtimes/{runtime_id}"
        return Starlette(
            routes=[
                Route("/runtimes/{arn:path}/invocations", self.invoke, methods=["POST"]),
                Route("/runtimes/{arn:path}/stopruntimesession", self.stop_session, methods=["POST"]),
                Route(runtime + "/versions/{version}", self.start_version, methods=["PUT"]),
                Route(runtime + "/moved", self.forget_routes, methods=["POST"]),
                Route(runtime, self.stop_runtime, methods=["DELETE"]),
                Route("/_control/runtimes", self.list_containers, methods=["GET"]),
                Route("/_control/credentials", self.credentials, methods=["GET"]),
                Route("/_faults", self.faults, methods=["GET", "POST", "DELETE"]),
                Route("/_health", lambda _: JSONResponse({"status": "ok"}), methods=["GET"]),
            ],
            exception_handlers={DataPlaneError: lambda _, error: error.response()},
            lifespan=self._lifespan,
        )

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        idle = asyncio.create_task(self._stop_idle())
        try:
            yield
        finally:
            idle.cancel()
            await self._fleet.stop_all()
            await self._client.aclose()

    async def _stop_idle(self) -> None:
        while True:
            await asyncio.sleep(_IDLE_CHECK_S)
            await self._fleet.stop_idle()

    async def invoke(self, request: Request) -> Response:
        _require_signature(request)
        runtime_id = _runtime_id(request)
        session_id = request.headers.get(SESSION_HEADER) or str(uuid.uuid4())
        _check_session(session_id)
        payload = await _payload(request)
        await self._inject(runtime_id, session_id, payload)
        version = await self._fleet.route(runtime_id, request.query_params.get("qualifier") or "DEFAULT")
        async with contextlib.AsyncExitStack() as stack:
            container, settings = await stack.enter_async_context(self._fleet.use(runtime_id, version, session_id))
            headers = _passed_headers(request, session_id, settings.forwarded_headers)
            sent = self._client.build_request(
                "POST", f"{container.url}/invocations", content=payload, headers=headers, timeout=_ANSWER_LIMIT_S
            )
            try:
                answer = await self._client.send(sent, stream=True)
                stack.push_async_callback(answer.aclose)
                if not answer.is_success:
                    await answer.aread()
                    raise _container_error(answer)
                returned = {k: v for k, v in answer.headers.items() if k in _RETURNED} | {SESSION_HEADER: session_id}
                if answer.headers.get("content-type", "").startswith("text/event-stream"):
                    rest = stack.pop_all()
                    return StreamingResponse(_streamed(answer, rest), answer.status_code, returned)
                return Response(await answer.aread(), answer.status_code, returned)
            except httpx.HTTPError as error:
                raise client_error(f"the container did not answer: {type(error).__name__}") from error

    async def _inject(self, runtime_id: str, session_id: str, payload: bytes) -> None:
        for fault in self._faults:
            if fault.kind == "session_starts":
                if fault.refuses_start(runtime_id, session_id, time.monotonic()):
                    raise fault.error()
            elif fault.hits(runtime_id, payload):
                if fault.kind == "timeout":
                    await asyncio.sleep(fault.delay_s)
                raise fault.error()

    async def stop_session(self, request: Request) -> Response:
        _require_signature(request)
        runtime_id = _runtime_id(request)
        session_id = request.headers.get(SESSION_HEADER, "")
        _check_session(session_id)
        version = await self._fleet.route(runtime_id, request.query_params.get("qualifier") or "DEFAULT")
        if not self._fleet.end_session(runtime_id, version, session_id):
            raise DataPlaneError(404, "ResourceNotFoundException", f"Session {session_id} was not found")
        return JSONResponse({}, headers={SESSION_HEADER: session_id})

    async def start_version(self, request: Request) -> Response:
        try:
            wait_s = min(max(float(request.query_params.get("wait_s", "0")), 0.0), 60.0)
        except ValueError:
            return JSONResponse({"message": "wait_s is a number of seconds"}, 400)
        state, reason = await self._fleet.state(
            request.path_params["runtime_id"], request.path_params["version"], wait_s
        )
        return JSONResponse({"state": state, "reason": reason})

    async def stop_runtime(self, request: Request) -> Response:
        await self._fleet.stop_runtime(request.path_params["runtime_id"])
        return JSONResponse({"stopped": True})

    async def forget_routes(self, request: Request) -> Response:
        self._fleet.forget_routes(request.path_params["runtime_id"])
        return JSONResponse({"forgotten": True})

    async def list_containers(self, _: Request) -> Response:
        return JSONResponse({"containers": self._fleet.describe()})

    async def credentials(self, request: Request) -> Response:
        try:
            found = await self._fleet.credentials(request.headers.get("Authorization", ""))
        except ControlPlaneError as error:
            return JSONResponse({"code": "AssumeRoleFailed", "message": str(error)}, 500)
        if found is None:
            return JSONResponse({"code": "NotAuthorized", "message": "no container has this token"}, 403)
        return JSONResponse(found)

    async def faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._faults.clear()
        elif request.method == "POST":
            try:
                self._faults.append(parse_fault(json.loads(await request.body())))
            except (ValueError, RecursionError) as error:
                message = str(error) if isinstance(error, FaultError) else "the body is not JSON"
                return JSONResponse({"message": message}, 400)
        return JSONResponse({"faults": [fault.to_dict() for fault in self._faults]})


def _require_signature(request: Request) -> None:
    # Its presence only: the emulator holds control-plane calls against IAM, the data plane is open on this machine.
    if not _SIGNED.fullmatch(request.headers.get("Authorization", "")):
        raise DataPlaneError(403, "AccessDeniedException", "Missing Authentication Token: the request is not signed")


def _runtime_id(request: Request) -> str:
    found = _RUNTIME_ARN.fullmatch(request.path_params["arn"])
    if not found:
        raise invalid(f"not the ARN of an agent runtime: {request.path_params['arn'][:200]!r}")
    return found[1]


def _check_session(session_id: str) -> None:
    if not _SESSION_ID.fullmatch(session_id):
        raise invalid("runtimeSessionId has 33 to 256 letters, digits, - and _, and starts with a letter or digit")


async def _payload(request: Request) -> bytes:
    received = bytearray()
    try:
        async for chunk in request.stream():
            received += chunk
            if len(received) > _PAYLOAD_LIMIT:
                raise invalid(f"the payload has more than {_PAYLOAD_LIMIT} bytes")
    except ClientDisconnect as error:
        raise invalid("the payload ended early") from error
    return bytes(received)


def _passed_headers(request: Request, session_id: str, allowed: frozenset[str]) -> dict[str, str]:
    """What reaches the container: never the caller's signature."""
    passed = {
        name: value
        for name, value in request.headers.items()
        if name in _PASSED or name.startswith(_PASSED_PREFIXES) or (name in allowed and name != "authorization")
    }
    request_id = {"X-Amzn-Bedrock-AgentCore-Runtime-Request-Id": str(uuid.uuid4())}
    return request_id | {k: v for k, v in passed.items() if k != SESSION_HEADER.lower()} | {SESSION_HEADER: session_id}


def _container_error(answer: httpx.Response) -> DataPlaneError:
    # AgentCore tells the status, never the container's body.
    logger.warning("a container answered %d: %.300s", answer.status_code, answer.text)
    return client_error(
        f"Received error ({answer.status_code}) from runtime. Please check your CloudWatch logs for more information."
    )


async def _streamed(answer: httpx.Response, stack: contextlib.AsyncExitStack) -> AsyncIterator[bytes]:
    async with stack:
        try:
            async for chunk in answer.aiter_bytes():
                yield chunk
        except httpx.HTTPError as error:
            logger.warning("a container's stream broke: %s", error)
