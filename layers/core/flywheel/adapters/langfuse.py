"""Langfuse's public REST API over urllib3: one request, retried within a deadline -> its reply, or a named error.

No SDK: the functions that read Langfuse stay light (boto3 carries urllib3 anyway, the SDK takes 0.7 s to import), and
one form of retry, with one deadline, holds for every call.
"""

import json
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Lock
from typing import Any, Final, Protocol
from urllib.parse import quote, urlencode

import urllib3

from flywheel.errors import ConflictError, InvalidRequestError, LangfuseAccessError, NotFoundError, TransientError

type Query = Sequence[tuple[str, str | int]]

_RETRIED: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_FIRST_BACKOFF_S = 0.25
_LONGEST_BACKOFF_S = 8.0
_MESSAGE_LIMIT = 500
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


class LangfuseTooMuchError(InvalidRequestError):
    """Langfuse answered 422: the query took too long or its answer is too large. A narrower one may do."""


@dataclass(frozen=True, slots=True)
class LangfuseCredentials:
    """One project of one Langfuse. The secret key never shows in a repr.

    Raises:
        ValueError: the host is not an http(s) URL, or has a user name in it, or a key is empty.
    """

    host: str
    public_key: str
    secret_key: str = field(repr=False)

    def __post_init__(self) -> None:
        if "@" in self.host:
            # Messages, logs and reports name the host: it must have nothing in it that only we may know.
            raise ValueError("LANGFUSE_HOST has a user name or password in it, and must be https://HOST alone")
        if not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", self.host):
            raise ValueError(f"LANGFUSE_HOST is not an http(s) URL: {self.host[:200]!r}")
        if not self.public_key or not self.secret_key:
            raise ValueError("LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY must not be empty")


def credentials(parameter: Callable[[str], str]) -> LangfuseCredentials:
    """Read host and keys by their names, LANGFUSE_HOST and so on, from wherever `parameter` looks.

    Raises:
        InvalidRequestError: what was found cannot be credentials.
    """
    try:
        return LangfuseCredentials(
            parameter("LANGFUSE_HOST"), parameter("LANGFUSE_PUBLIC_KEY"), parameter("LANGFUSE_SECRET_KEY")
        )
    except ValueError as error:
        raise InvalidRequestError(f"{error}; set it in the SSM parameters of this stack") from error


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP response; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Decode the body.

        Raises:
            TransientError: not JSON (a proxy's page, a cut answer).
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise TransientError(f"Langfuse answered something that is not JSON: {self.body[:120]!r}") from error


class Transport(Protocol):
    """Sends one request; raises `OSError` or `urllib3.exceptions.HTTPError` when there is no response."""

    def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout_s: float
    ) -> Reply:
        """Give the response whatever its status; no retries, no redirects."""
        ...


def urllib3_transport(pool_size: int) -> Transport:
    """Keep-alive connections, at most `pool_size` kept; callers beyond that open their own for one request."""
    pool = urllib3.PoolManager(maxsize=pool_size, retries=False)

    def send(method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout_s: float) -> Reply:
        timeout = urllib3.Timeout(connect=min(timeout_s, 5.0), read=timeout_s)
        response = pool.request(method, url, headers=dict(headers), body=body, timeout=timeout, redirect=False)
        return Reply(response.status, {name.lower(): value for name, value in response.headers.items()}, response.data)

    return send


class LangfuseApi:
    """Calls of one project. Safe to share between threads."""

    def __init__(
        self,
        credentials: LangfuseCredentials,
        *,
        pool_size: int = 16,
        request_timeout_s: float = 10.0,
        transport: Transport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.credentials = credentials
        self.host = credentials.host.rstrip("/")
        self._headers = urllib3.make_headers(basic_auth=f"{credentials.public_key}:{credentials.secret_key}")
        self._request_timeout_s = request_timeout_s
        self._send = transport or urllib3_transport(pool_size)
        self.monotonic = monotonic
        self.sleep = sleep
        self._version: tuple[int, int, int] | None = None
        self._version_lock = Lock()

    def get(self, path: str, query: Query = (), *, deadline_s: float = 30.0) -> Any:
        """GET `/api/public/<path>`; path segments are escaped by the caller (`segment`)."""
        url = f"{path}?{urlencode(query)}" if query else path
        return self.request("GET", url, deadline_s=deadline_s).json()

    def post(self, path: str, content: Any, *, deadline_s: float = 30.0) -> Any:
        """POST JSON; a repetition after a lost reply is possible, so use it where ids make that harmless."""
        return self.request("POST", path, json_bytes(content), deadline_s=deadline_s).json()

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        deadline_s: float,
        headers: Mapping[str, str] | None = None,
        repeat: bool = True,
    ) -> Reply:
        """Send until it succeeds, fails for good, or `deadline_s` seconds are over.

        With `repeat` False it is sent once: for what must not happen twice when only its reply was lost.

        Raises:
            TransientError: no good answer within the deadline, or none to be had: the wait that a rate limit asks
                for is longer. Its `retry_after_s` is that wait.
            InvalidRequestError: refused as it is (400, 401, 403, 405, 413, 422).
            NotFoundError, ConflictError: 404, 409.
        """
        end = self.monotonic() + deadline_s
        url = f"{self.host}/api/public/{path}"
        sent = {**self._headers, "accept": "application/json", **(headers or {})}
        if body is not None:
            sent.setdefault("content-type", "application/json")
        attempt = 0
        while True:
            left_s = end - self.monotonic()
            wait_s = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2 ** min(attempt, 16)) * random.uniform(0.5, 1.0)  # noqa: S311
            cause: Exception | None = None
            asked_s = 0.0
            try:
                reply = self._send(method, url, sent, body, max(0.05, min(self._request_timeout_s, left_s)))
            except (OSError, urllib3.exceptions.HTTPError) as error:
                trouble, cause = f"{self.host} does not answer ({type(error).__name__})", error
            else:
                if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
                    return reply
                if reply.status not in _RETRIED:
                    raise _refusal(method, path, reply, self.host)
                trouble = f"{method} {path.partition('?')[0]} answered {reply.status}"
                asked_s = _retry_after_s(reply)
                wait_s = max(wait_s, asked_s)
            attempt += 1
            if not repeat or self.monotonic() + wait_s >= end:
                raise TransientError(
                    f"Langfuse: {trouble}; gave up after {attempt} attempt{'s' * (attempt > 1)} in {deadline_s:g} s",
                    retry_after_s=asked_s,
                ) from cause
            self.sleep(wait_s)

    def server_version(self, *, deadline_s: float = 30.0) -> tuple[int, int, int] | None:
        """Version from `/health`, asked once; None when the server does not tell one."""
        with self._version_lock:
            if self._version is None:
                found = _VERSION.match(str(self.get("health", deadline_s=deadline_s).get("version", "")))
                self._version = (int(found[1]), int(found[2]), int(found[3])) if found else None
            return self._version


def segment(text: str) -> str:
    """One path segment, escaped whole: a slash in a dataset's name is part of the name."""
    return quote(text, safe="")


def json_bytes(content: Any) -> bytes:
    """Compact UTF-8 JSON; NaN and infinity are refused, they are no JSON."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _retry_after_s(reply: Reply) -> float:
    """Seconds the server asked to wait, 0 when it said nothing usable (an HTTP date counts as nothing)."""
    said = reply.headers.get("retry-after", "").strip()
    return float(said) if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", said) else 0.0


def _refusal(method: str, path: str, reply: Reply, host: str) -> Exception:
    said = f"Langfuse {method} {path.partition('?')[0]} answered {reply.status}: {_message(reply.body)}"
    match reply.status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return LangfuseAccessError(f"{said}. Check LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY for {host}")
        case HTTPStatus.NOT_FOUND:
            return NotFoundError(said)
        case HTTPStatus.CONFLICT:
            return ConflictError(said)
        case HTTPStatus.UNPROCESSABLE_ENTITY:
            return LangfuseTooMuchError(said)
        case _:
            return InvalidRequestError(said)


def _message(body: bytes) -> str:
    try:
        content = json.loads(body)
    except ValueError:
        return body[:_MESSAGE_LIMIT].decode(errors="replace")
    if not isinstance(content, dict):
        return str(content)[:_MESSAGE_LIMIT]
    details = content.get("error")
    text = str(content.get("message", ""))
    return (f"{text} {json.dumps(details)}" if isinstance(details, list) else text or str(details))[:_MESSAGE_LIMIT]
