"""Credentials from SSM: read once, never shown, and asked for again only after a while."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError

from agent.langfuse_access import (
    CredentialsUnavailableError,
    LangfuseAccess,
    LangfuseCredentials,
    read_credentials,
    unthrottled,
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


class Refuses(Ssm):
    """Refuses so many times, as SSM does above its rate."""

    def __init__(self, times: int, code: str = "ThrottlingException") -> None:
        super().__init__(VALUES)
        self.left, self.code, self.asked = times, code, 0

    def get_parameters(self, *, Names: Sequence[str], WithDecryption: bool) -> Any:  # noqa: N803
        self.asked += 1
        self.left -= 1
        if self.left >= 0:
            raise ClientError({"Error": {"Code": self.code, "Message": "Rate exceeded"}}, "GetParameters")
        return super().get_parameters(Names=Names, WithDecryption=WithDecryption)


@pytest.mark.parametrize("times", [0, 1, 5])
def test_an_ssm_that_is_asked_too_often_is_asked_again_with_growing_pauses(times: int) -> None:
    ssm, pauses = Refuses(times), list[float]()

    assert unthrottled(lambda: read_credentials(ssm, "/l"), pauses.append).host == "https://lf"
    assert (ssm.asked, len(pauses)) == (times + 1, times)
    assert all(0 <= pause <= longest for pause, longest in zip(pauses, (0.5, 1, 2, 4, 8), strict=False))


def test_any_other_refusal_is_not_repeated() -> None:
    ssm = Refuses(3, "AccessDeniedException")

    with pytest.raises(ClientError):
        unthrottled(lambda: read_credentials(ssm, "/l"), lambda _: None)
    assert ssm.asked == 1


def test_an_ssm_that_refuses_to_the_end_costs_the_traces_and_says_so() -> None:
    ssm = Refuses(100)
    access = LangfuseAccess(lambda: unthrottled(lambda: read_credentials(ssm, "/l"), lambda _: None))

    with pytest.raises(CredentialsUnavailableError, match="SSM could not be asked"):
        asyncio.run(access.credentials())
    assert ssm.asked == 6


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
