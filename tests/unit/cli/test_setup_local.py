"""The local stack's Langfuse set up in one call: what it makes, where the stand-in's automations point."""

from typing import Any

import pytest

from cli.problems import CommandError
from cli.setup_local import local_address, point_automations, set_up
from flywheel.deliveries import SENDERS
from local.stack_info import Aws, Langfuse, StackInfo
from tests.fakes.langfuse_server import LangfuseServer, refusal
from tests.unit.cli.double_session import DoubleSession

AWS = Aws("http://127.0.0.1:4566", "us-east-1", "000000000000", "test", "test")
INFO = StackInfo(AWS, Langfuse("http://langfuse.test", "pk", "sk", "real", "4.16.0"), "", "", "", {})


@pytest.fixture
def server() -> LangfuseServer:
    return LangfuseServer()


@pytest.fixture
def session(server: LangfuseServer) -> DoubleSession:
    session = DoubleSession()
    session.__dict__["langfuse_api"] = server.api()
    session.ssm.texts["judge-api-key"] = "sk-of-the-judge"
    return session


def test_everything_is_there_afterwards_and_a_second_time_makes_nothing(
    server: LangfuseServer, session: DoubleSession
) -> None:
    said: list[str] = []
    set_up(session, INFO, said.append)
    first = dict(session.ssm.texts)
    server.seen.clear()
    rows = set_up(session, INFO, said.append)

    assert {row.state for row in rows} == {"exists"}
    assert server.writes() == []
    assert session.ssm.texts == first
    assert {f"webhook-secrets/{sender}" for sender in SENDERS} < set(first)
    assert "sk-of-the-judge" not in "".join(said)


def test_a_refusal_ends_it_with_the_next_step(server: LangfuseServer, session: DoubleSession) -> None:
    server.before = lambda method, path: (
        refusal(405, "Maximum number of annotation queues reached on Hobby plan.")
        if (method, path) == ("POST", "annotation-queues")
        else None
    )
    with pytest.raises(CommandError, match=r"no further queue.*larger plan"):
        set_up(session, INFO, lambda _: None)


def test_automations_bring_the_secret_as_each_sender_can() -> None:
    posted: list[tuple[str, dict[str, Any]]] = []
    secrets = {"prompt-version": "s-1", "web-callout": "s-2"}
    point_automations("http://langfuse.test", "http://aws/url/", secrets, lambda *call: posted.append(call))

    assert posted == [
        (
            "http://langfuse.test/_webhooks",
            {"sender": "prompt-version", "url": "http://aws/url/prompt-version", "secret": "s-1"},
        ),
        (
            "http://langfuse.test/_webhooks",
            {"sender": "web-callout", "url": "http://aws/url/web-callout", "headers": {"x-flywheel-secret": "s-2"}},
        ),
    ]


def test_the_function_s_address_is_that_of_the_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert local_address(DoubleSession()) == "http://127.0.0.1:4566/_aws/lambda-url/abc123/"
