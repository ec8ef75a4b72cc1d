"""ASGI middleware before the AgentCore app: a body that is too large or is no JSON gets the contract's answer."""

import json
from http import HTTPStatus

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.errors import AgentError, InvalidPayloadError, QuestionTooLongError

MAX_BODY_BYTES = 1_048_576


def error_response(error: AgentError) -> JSONResponse:
    """The one form that every failure has on the wire."""
    return JSONResponse({"error": error.code, "message": str(error)}, status_code=HTTPStatus(error.status))


class RequestGuard:
    """Reads the body of an invocation once, checks it, and hands it on unchanged.

    The AgentCore app answers 500 with Python's own words to a body nested too deeply or with a number of ten
    thousand digits, and reads a body of any size into memory; it also has its own form for a body that is no JSON.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/invocations":
            await self._app(scope, receive, send)
            return
        try:
            body = await self._checked_body(receive)
        except AgentError as error:
            await error_response(error)(scope, receive, send)
            return

        replayed = False

        async def replay() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    async def _checked_body(self, receive: Receive) -> bytes:
        chunks: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                break
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self._max_body_bytes:
                raise QuestionTooLongError(f"The body is over {self._max_body_bytes} bytes. Shorten the question.")
            chunks.append(chunk)
            more = message.get("more_body", False)
        body = b"".join(chunks)
        try:
            # Surrogates and other text that UTF-8 cannot carry would fail far away, in a model's client.
            json.dumps(json.loads(body), ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            raise InvalidPayloadError("The body is not valid JSON in UTF-8.") from None
        return body
