"""A Langfuse that answers from a script, on a clock that nobody waits for."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flywheel.adapters.langfuse import LangfuseApi, LangfuseCredentials, Reply

SECRET = "sk-lf-very-secret"
CREDENTIALS = LangfuseCredentials("http://langfuse.test", "pk-lf-1", SECRET)

type Answer = Reply | OSError
type Respond = Callable[["Request"], Answer]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes | None
    timeout_s: float

    @property
    def content(self) -> Any:
        return json.loads(self.body or b"null")


def answer(content: Any, status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, named, json.dumps(content).encode())


@dataclass
class FakeLangfuse:
    """`respond` answers each request; every request takes `takes_s` of the fake clock."""

    respond: Respond
    takes_s: float = 0.0
    now_s: float = 0.0
    requests: list[Request] = field(default_factory=list)
    slept_s: list[float] = field(default_factory=list)

    def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout_s: float
    ) -> Reply:
        parts = urlsplit(url)
        path = parts.path.removeprefix("/api/public/")
        request = Request(method, path, parse_qs(parts.query), headers, body, timeout_s)
        self.requests.append(request)
        self.now_s += self.takes_s
        outcome = self.respond(request)
        if isinstance(outcome, OSError):
            raise outcome
        return outcome

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds

    def api(self) -> LangfuseApi:
        return LangfuseApi(CREDENTIALS, transport=self, monotonic=lambda: self.now_s, sleep=self.sleep)

    def paths(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]


def scripted(*answers: Answer) -> FakeLangfuse:
    """Answer in this order, the last one for ever."""
    left = list(answers)
    return FakeLangfuse(lambda _: left.pop(0) if len(left) > 1 else left[0])
