"""The stand-in of Langfuse inside this process: the adapters' transport, without a socket and without waiting."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from flywheel.adapters.langfuse import LangfuseApi, LangfuseCredentials, Reply
from local.langfuse.app import StandIn
from local.langfuse.evaluation_calls import ModelCalls
from local.langfuse.evaluations import Evaluations
from local.langfuse.outbound_addresses import Allowed
from local.langfuse.settings import Settings

SETTINGS = Settings(models_allowed=Allowed(("127.0.0.1",)))
# Answers instead of the server, or raises; None lets the request through.
type Before = Callable[[str, str], Reply | None]


class LangfuseServer:
    """`before` sees method and path first. `lost` names requests whose reply is lost once: `POST score-configs`."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.stand_in = StandIn(settings)
        calls = ModelCalls(httpx.MockTransport(_judge))
        self.stand_in.evaluations = Evaluations(settings, self.stand_in.store, calls)
        self.before: Before = lambda _method, _path: None
        self.lost: list[str] = []
        self.seen: list[str] = []
        self.bodies: list[bytes] = []

    def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout_s: float
    ) -> Reply:
        parts = urlsplit(url)
        asked = f"{method} {parts.path.removeprefix('/api/public/')}"
        self.seen.append(asked)
        self.bodies.append(body or b"")
        answered = self.before(method, parts.path.removeprefix("/api/public/"))
        if answered is not None:
            return answered
        reply = self._ask(method, parts.path, parts.query, headers, body or b"")
        if asked in self.lost:
            self.lost.remove(asked)
            raise ConnectionResetError
        return reply

    def writes(self) -> list[str]:
        return [asked for asked in self.seen if not asked.startswith("GET ")]

    def api(self) -> LangfuseApi:
        now = [0.0]

        def sleep(seconds: float) -> None:
            now[0] += seconds

        credentials = LangfuseCredentials("http://langfuse.test", SETTINGS.public_key, SETTINGS.secret_key)
        return LangfuseApi(credentials, transport=self, monotonic=lambda: now[0], sleep=sleep)

    def get(self, path: str) -> Any:
        return self.api().get(path)

    def _ask(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Reply:
        sent: list[dict[str, Any]] = []
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "server": ("langfuse.test", 80),
            "scheme": "http",
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        _run(self.stand_in(scope, receive, send))
        start = next(message for message in sent if message["type"] == "http.response.start")
        named = {name.decode(): value.decode() for name, value in start["headers"]}
        content = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
        return Reply(start["status"], named, content)


def _run(served: Coroutine[Any, Any, None]) -> None:
    """To its end. In a running loop by hand: there the stand-in waits for nothing that is not there at once."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(served)
        return
    with contextlib.suppress(StopIteration):
        served.send(None)


def _judge(request: httpx.Request) -> httpx.Response:
    """A model that answers whatever evaluator with the lowest score or the first label."""
    schema = json.loads(request.content)["response_format"]["json_schema"]["schema"]["properties"]["score"]
    label = schema.get("items", schema).get("enum", [None])[0]
    scores = {"number": schema.get("minimum", 0), "boolean": False, "array": [label], "string": label}
    content = json.dumps({"reasoning": "r", "score": scores[schema["type"]]})
    return httpx.Response(200, json={"choices": [{"message": {"content": content}}]})


def refusal(status: int, message: str) -> Reply:
    return Reply(status, {}, json.dumps({"message": message}).encode())
