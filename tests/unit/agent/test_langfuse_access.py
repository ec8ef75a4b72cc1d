"""Credentials from SSM: read once, never shown, and asked for again only after a while."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from agent.langfuse_access import (
    CredentialsUnavailableError,
    LangfuseAccess,
    LangfuseCredentials,
    read_credentials,
    ssm_reader,
)

VALUES = {"/l/LANGFUSE_HOST": "https://lf/ ", "/l/LANGFUSE_PUBLIC_KEY": "pk", "/l/LANGFUSE_SECRET_KEY": "sk-secret"}


class Ssm:
    def __init__(self, values: dict[str, str]) -> None:
        self.values, self.decrypted = values, False

    def get_parameters(self, *, Names: Sequence[str], WithDecryption: bool) -> Any:  # noqa: N803
        self.decrypted = WithDecryption
        return {"Parameters": [{"Name": name, "Value": self.values[name]} for name in Names if name in self.values]}


def test_the_three_parameters_are_read_decrypted_and_tidied() -> None:
    ssm = Ssm(VALUES)

    credentials = read_credentials(ssm, "/l")

    assert credentials == LangfuseCredentials("https://lf", "pk", "sk-secret")
    assert credentials.authorization == "Basic cGs6c2stc2VjcmV0"
    assert ssm.decrypted


def test_the_secret_is_not_in_the_representation() -> None:
    assert "sk-secret" not in repr(read_credentials(Ssm(VALUES), "/l"))


def test_every_missing_parameter_is_named() -> None:
    with pytest.raises(CredentialsUnavailableError, match="/l/LANGFUSE_HOST, /l/LANGFUSE_SECRET_KEY"):
        read_credentials(Ssm({"/l/LANGFUSE_PUBLIC_KEY": "pk", "/l/LANGFUSE_SECRET_KEY": " "}), "/l")


def test_fifty_requests_read_them_once() -> None:
    reads: list[int] = []

    def read() -> LangfuseCredentials:
        reads.append(1)
        return LangfuseCredentials("h", "p", "s")

    access = LangfuseAccess(read)

    async def fifty() -> None:
        await asyncio.gather(*(access.credentials() for _ in range(50)))

    asyncio.run(fifty())

    assert len(reads) == 1


def test_what_was_read_counts_for_a_quarter_of_an_hour_and_longer_when_ssm_is_throttled() -> None:
    """A session that starts from a snapshot has what was read before the snapshot."""
    now, reads, throttled = [0.0], list[float](), [False]

    def read() -> LangfuseCredentials:
        reads.append(now[0])
        if throttled[0]:
            raise ConnectionError("ThrottlingException")
        return LangfuseCredentials(f"h{len(reads)}", "p", "s")

    access = LangfuseAccess(read, clock=lambda: now[0])

    async def scenario() -> list[str]:
        hosts = []
        for at, is_throttled in ((0, False), (899, True), (900, True), (910, True), (915, False), (1_500, False)):
            now[0], throttled[0] = at, is_throttled
            hosts.append((await access.credentials()).host)
        return hosts

    assert asyncio.run(scenario()) == ["h1", "h1", "h1", "h1", "h3", "h3"]
    assert reads == [0, 900, 915]


class ThrottlesSome:
    """Answers `ThrottlingException` so many times, as SSM does above its rate."""

    def __init__(self, times: int) -> None:
        self.left, self.asked = times, 0

    def send(self, _request: Any) -> AWSResponse:
        self.asked += 1
        self.left -= 1
        throttled = self.left >= 0
        body = json.dumps(
            {"__type": "ThrottlingException", "message": "Rate exceeded"}
            if throttled
            else {"Parameters": [{"Name": name, "Value": value} for name, value in VALUES.items()]}
        ).encode()
        return AWSResponse("https://ssm", 400 if throttled else 200, HTTPHeaders(), Raw(body))


class Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._body


@pytest.mark.parametrize(("times", "succeeds"), [(0, True), (4, True), (5, True), (6, False)])
def test_a_throttled_ssm_is_asked_six_times(monkeypatch: pytest.MonkeyPatch, times: int, succeeds: bool) -> None:
    http = ThrottlesSome(times)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setattr("time.sleep", lambda _s: None)
    monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", lambda _self, request: http.send(request))
    access = LangfuseAccess(ssm_reader("/l"))

    if succeeds:
        assert asyncio.run(access.credentials()).host == "https://lf"
    else:
        with pytest.raises(CredentialsUnavailableError):
            asyncio.run(access.credentials())
    assert http.asked == min(times + 1, 6)


def test_after_a_failure_ssm_is_left_alone_for_15_seconds_and_then_asked_again() -> None:
    now, reads = [100.0], list[float]()

    def read() -> LangfuseCredentials:
        reads.append(now[0])
        if now[0] < 110:
            raise ConnectionError("to 10.0.0.1 with token=abc")
        return LangfuseCredentials("h", "p", "s")

    access = LangfuseAccess(read, clock=lambda: now[0])

    async def scenario() -> LangfuseCredentials:
        with pytest.raises(CredentialsUnavailableError, match="ConnectionError") as caught:
            await access.credentials()
        assert "abc" not in str(caught.value)
        now[0] = 114.9
        with pytest.raises(CredentialsUnavailableError, match="a moment ago"):
            await access.credentials()
        now[0] = 115.0
        return await access.credentials()

    assert asyncio.run(scenario()).host == "h"
    assert reads == [100.0, 115.0]
