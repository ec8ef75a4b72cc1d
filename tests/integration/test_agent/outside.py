"""Everything an agent's process talks to, on one port: SSM, Bedrock, Langfuse and the tool server, with faults."""

import asyncio
import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from mcp.server import MCPServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PUBLIC_KEY, SECRET_KEY = "pk-lf-test", "sk-lf-test-secret"


class Outside:
    """State and faults. Set them from the test; the server's thread reads them at each request."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[dict[str, Any]] = []
        self.otlp_requests: list[dict[str, str]] = []
        self.langfuse_hangs_s = 0.0
        self.langfuse_status = 200
        self.ssm_status = 200
        self.prompts: dict[tuple[str, str], Any] = {}
        self.prompt_reads = 0
        self.model_status: list[int] = []
        self.model_requests: list[dict[str, Any]] = []
        self.model_delay_s = 0.0
        self.tool_hangs_s = 0.0
        self.parameters = {"LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "LANGFUSE_SECRET_KEY": SECRET_KEY}

    def heal(self) -> None:
        """No faults."""
        self.langfuse_hangs_s = self.model_delay_s = self.tool_hangs_s = 0.0
        self.langfuse_status = self.ssm_status = 200
        self.model_status = []

    async def ssm(self, request: Request) -> Response:
        if self.ssm_status != 200:
            return JSONResponse({"__type": "InternalServerError", "message": "down"}, self.ssm_status)
        names = (await request.json())["Names"]
        known = {f"/langfuse/{name}": value for name, value in self.parameters.items()}
        known["/langfuse/LANGFUSE_HOST"] = self.url + "/"
        found = [{"Name": name, "Type": "String", "Value": known[name]} for name in names if name in known]
        return JSONResponse({"Parameters": found, "InvalidParameters": []})

    async def converse(self, request: Request) -> Response:
        body = await request.json()
        self.model_requests.append(body)
        await asyncio.sleep(self.model_delay_s)
        status = self.model_status.pop(0) if self.model_status else 200
        if status == 429:
            kind = {"x-amzn-errortype": "ThrottlingException"}
            return JSONResponse({"message": "slow down, raw-model-text"}, 429, kind)
        if status != 200:
            return JSONResponse({"message": "raw-model-text"}, status, {"x-amzn-errortype": "ValidationException"})
        return JSONResponse(_converse(body))

    async def otlp(self, request: Request) -> Response:
        body = await request.body()
        await asyncio.sleep(self.langfuse_hangs_s)
        if self.langfuse_status != 200:
            return Response(status_code=self.langfuse_status)
        self.otlp_requests.append(dict(request.headers))
        message = ExportTraceServiceRequest.FromString(gzip.decompress(body))
        for resource in message.resource_spans:
            for scope in resource.scope_spans:
                self.spans += [_span(span) for span in scope.spans]
        return JSONResponse({})

    async def prompt(self, request: Request) -> Response:
        self.prompt_reads += 1
        key = (request.path_params["name"], request.query_params["version"])
        if key not in self.prompts:
            return JSONResponse({"message": "Prompt not found"}, 404)
        return JSONResponse({"name": key[0], "version": int(key[1]), "type": "text", "prompt": self.prompts[key]})

    def spans_of(self, trace_id: str) -> list[dict[str, Any]]:
        return [span for span in self.spans if span["trace_id"] == trace_id]


def _converse(body: dict[str, Any]) -> dict[str, Any]:
    """Calls the overview and then the search, then answers with what the tools said; the question steers the rest."""
    blocks = [block for message in body["messages"] for block in message["content"]]
    question = next(block["text"] for block in blocks if "text" in block)
    results = [block["toolResult"] for block in blocks if "toolResult" in block]
    usage = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}
    if "endless" in question or len(results) < 2:
        name = "getLangfuseOverview" if not results else "searchLangfuseDocs"
        given = {} if not results else {"query": question}
        use = {"toolUseId": f"call_{len(results)}", "name": name, "input": given}
        content, reason = [{"text": "Looking."}, {"toolUse": use}], "tool_use"
    else:
        said = " ".join(block["text"] for result in results for block in result["content"])
        system = body["system"][0]["text"]
        content, reason = [{"text": f"{said} [{system[:40]}]"}], "end_turn"
        if "truncated" in question:
            reason = "max_tokens"
    message = {"role": "assistant", "content": content}
    return {"output": {"message": message}, "stopReason": reason, "usage": usage, "metrics": {"latencyMs": 1}}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(item) for item in value.array_value.values] if kind == "array_value" else getattr(value, kind)


def _span(span: Any) -> dict[str, Any]:
    return {
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "name": span.name,
        "start_ms": span.start_time_unix_nano / 1e6,
        "end_ms": span.end_time_unix_nano / 1e6,
        "attributes": {attribute.key: _value(attribute.value) for attribute in span.attributes},
    }


def _tool_server(outside: Outside) -> MCPServer:
    server = MCPServer("docs")

    @server.tool()
    async def getLangfuseOverview() -> str:  # noqa: N802
        return "Topics: tracing, retention."

    @server.tool()
    async def searchLangfuseDocs(query: str) -> list[dict[str, str]]:  # noqa: N802
        await asyncio.sleep(outside.tool_hangs_s)
        if "broken" in query:
            raise ValueError("index is broken")
        return [{"title": f"page {rank}", "text": f"fact-{rank}"} for rank in range(1, 9)]

    return server


@contextmanager
def listening(app: Any, port: int = 0) -> Iterator[int]:
    """Serve `app` on 127.0.0.1 in a thread; gives the port."""
    # The protocol is named because asyncio turns off delayed packets (40 ms each) only for sockets that name it.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def tool_app(outside: Outside) -> Starlette:
    """The tool server alone: it comes and goes in a test."""
    return _tool_server(outside).streamable_http_app()


@contextmanager
def outside_world() -> Iterator[Outside]:
    """Everything but the tool server."""
    outside = Outside()
    app = Starlette(
        routes=[
            Route("/", outside.ssm, methods=["POST"]),
            Route("/model/{model_id:path}/converse", outside.converse, methods=["POST"]),
            Route("/api/public/otel/v1/traces", outside.otlp, methods=["POST"]),
            Route("/api/public/v2/prompts/{name:path}", outside.prompt),
        ]
    )
    with listening(app) as port:
        outside.url = f"http://127.0.0.1:{port}"
        yield outside
