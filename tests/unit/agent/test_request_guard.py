"""Bodies that the AgentCore app would answer in its own words, or not survive."""

import asyncio
import json
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from agent.request_guard import RequestGuard


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse({"got": await Request(scope, receive).json()})(scope, receive, send)


def post(chunks: list[bytes], *, path: str = "/invocations", limit: int = 1000) -> tuple[int, Any]:
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": index < len(chunks) - 1}
        for index, chunk in enumerate(chunks)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": []}
    asyncio.run(RequestGuard(echo, limit)(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


def test_a_good_body_reaches_the_app_unchanged_even_in_pieces() -> None:
    assert post([b'{"question"', b': "\xc3\xa4"}']) == (200, {"got": {"question": "ä"}})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"question=1",
        b"\xff\xfe\xff",
        b"[" * 900,
        b'{"question": ' + b"9" * 5000 + b"}",
        b'{"question": "\\ud800"}',
    ],
)
def test_a_body_that_is_no_json_is_answered_400(body: bytes) -> None:
    status, answer = post([body], limit=10_000)

    assert (status, answer["error"]) == (400, "invalid_payload")


def test_a_body_nested_too_deeply_is_answered_400() -> None:
    assert post([b"[" * 200_000 + b"]" * 200_000], limit=1_000_000)[0] == 400


def test_a_body_over_the_limit_is_answered_413_without_reading_the_rest() -> None:
    status, answer = post([b" " * 600, b" " * 600, b"never read"])

    assert (status, answer["error"]) == (413, "question_too_long")
    assert "1000 bytes" in answer["message"]


def test_other_paths_pass_untouched() -> None:
    assert post([b'{"a": 1}'], path="/other", limit=1) == (200, {"got": {"a": 1}})
