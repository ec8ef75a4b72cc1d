"""What the measured sides talk to: an agent that sleeps 1 s, a judge that sleeps 0.3 s, and the AWS services they need.

Each is a process of its own, the same for all sides, and counts what it was asked. `GET /counts` tells, `POST /reset`
starts over; times are seconds of the machine's monotonic clock, which all processes share.
"""

import argparse
import asyncio
import base64
import json
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

type Scope = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
type Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
type App = Callable[[Scope, Receive, Send], Awaitable[None]]
type Answer = tuple[int, bytes]

AGENT_S, JUDGE_S = 1.0, 0.3
# All sides post scores as arrays then: SDK 5 knows no other form, and an older server refuses it.
SERVER_VERSION = "4.59.0"


class Counts:
    """Calls, how many were in flight at once, and when the first came and the last was answered."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.calls = self.in_flight = self.most_in_flight = 0
        self.first_s: float | None = None
        self.last_s: float | None = None

    def begin(self) -> None:
        self.first_s = self.first_s or time.monotonic()
        self.calls += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def end(self) -> None:
        self.in_flight -= 1
        self.last_s = time.monotonic()

    def to_json(self) -> bytes:
        return json.dumps(
            {"calls": self.calls, "most_in_flight": self.most_in_flight, "first_s": self.first_s, "last_s": self.last_s}
        ).encode()


def serving(answer: Callable[[Scope, bytes], Awaitable[Answer | None]], counts: Counts) -> App:
    """ASGI application around `answer`, which gives None for paths that it does not know."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        if scope["path"] == "/counts":
            found: Answer | None = 200, counts.to_json()
        elif scope["path"] == "/reset":
            counts.reset()
            found = 200, b"{}"
        else:
            found = await answer(scope, body)
        status, content = found or (404, b'{"message": "unknown path"}')
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    return app


def agent_app() -> App:
    """AgentCore's data plane in front of an agent that takes 1 s, as an asynchronous sleep."""
    counts = Counts()

    async def answer(scope: Scope, body: bytes) -> Answer | None:
        if scope["path"].endswith("/stopruntimesession"):
            return 200, b"{}"
        if not scope["path"].endswith("/invocations"):
            return None
        counts.begin()
        try:
            question = str(json.loads(body)["question"])
            await asyncio.sleep(AGENT_S)
        finally:
            counts.end()
        return 200, json.dumps(
            {
                "answer": f"{question} Fact one and fact two hold.",
                "stop_reason": "end_turn",
                "trajectory": [{"tool": "searchLangfuseDocs", "input": {"query": question}, "error": False}],
                "usage": {"input_tokens": 900, "output_tokens": 60, "model_calls": 2},
                "tool_errors": [],
                "latency_ms": 1000,
                "model_id": "bench-model",
                "trace_id": "",
            }
        ).encode()

    return serving(answer, counts)


def judge_app() -> App:
    """An OpenAI-compatible model that makes the forced tool call after 0.3 s."""
    counts = Counts()

    async def answer(scope: Scope, body: bytes) -> Answer | None:
        if not scope["path"].endswith("/chat/completions"):
            return None
        counts.begin()
        try:
            model = json.loads(body)["model"]
            await asyncio.sleep(JUDGE_S)
        finally:
            counts.end()
        arguments = json.dumps({"reasons": "The answer has the fact and more.", "choice": "B"})
        call = {"id": "call-1", "type": "function", "function": {"name": "select_choice", "arguments": arguments}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        return 200, json.dumps(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 0,
                "model": model,
                "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
                "usage": {"prompt_tokens": 400, "completion_tokens": 40, "total_tokens": 440},
            }
        ).encode()

    return serving(answer, counts)


def aws_app() -> App:
    """S3 objects, DynamoDB items and SSM parameters, in memory: only what evaluate_shard asks for.

    DynamoDB items are put by `PUT /dynamodb/<base64 of pk, NUL, sk>`, SSM parameters by `PUT /ssm/<base64 of name>`.
    """
    counts = Counts()
    stored: dict[str, bytes] = {}

    def path_of(kind: str, *parts: str) -> str:
        return f"/{kind}/" + base64.urlsafe_b64encode("\0".join(parts).encode()).decode()

    async def answer(scope: Scope, body: bytes) -> Answer | None:
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        target = headers.get("x-amz-target", "").partition(".")[2]
        if target == "GetItem":
            key = json.loads(body)["Key"]
            item = stored.get(path_of("dynamodb", key["pk"]["S"], key["sk"]["S"]))
            return 200, b'{"Item":' + item + b"}" if item else b"{}"
        if target == "GetParameter":
            name = json.loads(body)["Name"]
            value = stored[path_of("ssm", name)].decode()
            return 200, json.dumps({"Parameter": {"Name": name, "Type": "String", "Value": value}}).encode()
        path = scope["path"]
        if scope["method"] == "PUT":
            if headers.get("if-none-match") == "*" and path in stored:
                return 412, b"<Error><Code>PreconditionFailed</Code></Error>"
            stored[path] = body
            return 200, b""
        if scope["method"] == "GET" and path in stored:
            return 200, stored[path]
        return 404, b"<Error><Code>NoSuchKey</Code></Error>"

    return serving(answer, counts)


def langfuse_app(database: str) -> App:
    """The Langfuse stand-in as it is, counting the scores it accepts: the last of them ends a measurement."""
    from local.langfuse.app import StandIn  # noqa: PLC0415 - only this process needs it
    from local.langfuse.settings import Settings  # noqa: PLC0415

    counts = Counts()
    inner = StandIn(Settings(database=database, server_version=SERVER_VERSION))
    scores = re.compile(r"/api/public/scores/?")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in {"/counts", "/reset"}:
            await serving(_nothing, counts)(scope, receive, send)
            return
        scoring = scope["type"] == "http" and scope["method"] == "POST" and scores.fullmatch(scope["path"])
        if scoring:
            counts.begin()
        try:
            await inner(scope, receive, send)
        finally:
            if scoring:
                counts.end()

    return app


async def _nothing(_scope: Scope, _body: bytes) -> Answer | None:
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["agent", "judge", "aws", "langfuse"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", default=":memory:")
    arguments = parser.parse_args()
    apps: dict[str, Callable[[], App]] = {
        "agent": agent_app,
        "judge": judge_app,
        "aws": aws_app,
        "langfuse": lambda: langfuse_app(arguments.database),
    }
    uvicorn.run(
        apps[arguments.kind](),
        host="127.0.0.1",
        port=arguments.port,
        log_level="error",
        access_log=False,
        lifespan="auto",
    )


if __name__ == "__main__":
    main()
