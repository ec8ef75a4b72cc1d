"""Credentials from SSM: read once, never shown, and asked for again only after a while."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from agent.langfuse_access import CredentialsUnavailableError, LangfuseAccess, LangfuseCredentials, read_credentials

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
