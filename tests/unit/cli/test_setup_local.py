"""The local stack's Langfuse set up in one call: what it makes, where the stand-in's automations point."""

from dataclasses import replace
from typing import Any

import pytest

from cli.problems import CommandError
from cli.setup_local import local_address, point_automations, set_up
from flywheel.deliveries import SENDERS
from local.stack_info import Aws, Langfuse, StackInfo
from tests.fakes.langfuse_server import SETTINGS, LangfuseServer, refusal
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


def refusing_the_connection(method: str, path: str) -> Any:
    blocked = refusal(400, "Blocked IP address detected")
    return blocked if (method, path) == ("PUT", "llm-connections") else None


def test_what_only_langfuse_s_own_evaluators_need_is_reported_and_ends_nothing(
    server: LangfuseServer, session: DoubleSession
) -> None:
    server.before = refusing_the_connection
    said: list[str] = []

    rows = set_up(session, INFO, said.append)

    states = {row.part: row.state for row in rows}
    assert states["LLM connection"] == "refused"
    assert {states[part] for part in ("queue", "dataset", "score config")} == {"created"}
    (note,) = [line for line in said if "LLM connection" in line]
    assert "only evaluators that Langfuse runs itself need it" in note
    assert "LANGFUSE_LLM_CONNECTION_WHITELISTED_HOST=" in note
    assert set(session.ssm.texts) > {f"webhook-secrets/{sender}" for sender in SENDERS}


def test_all_that_is_lacking_is_said_in_one_list(server: LangfuseServer, session: DoubleSession) -> None:
    server.before = lambda method, path: (
        refusal(405, "Maximum number of annotation queues reached on Hobby plan.")
        if (method, path) == ("POST", "annotation-queues")
        else refusing_the_connection(method, path)
    )
    with pytest.raises(CommandError) as raised:
        set_up(session, INFO, lambda _: None)
    said = str(raised.value)
    assert said.count("no further queue") == 2
    assert "LANGFUSE_LLM_CONNECTION_WHITELISTED_HOST=" in said


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [(401, "Invalid credentials", "set its keys below"), (503, "down", "see whether it runs")],
)
def test_a_langfuse_that_takes_no_keys_or_does_not_answer_is_told_before_anything_is_made(
    server: LangfuseServer, session: DoubleSession, status: int, text: str, expected: str
) -> None:
    server.before = lambda _method, path: refusal(status, text) if path == "score-configs" else None
    with pytest.raises(CommandError, match=expected):
        set_up(session, INFO, lambda _: None)
    assert server.writes() == []


def test_a_langfuse_that_is_too_old_is_told_before_anything_is_made(session: DoubleSession) -> None:
    server = LangfuseServer(replace(SETTINGS, server_version="4.15.9"))
    session.__dict__["langfuse_api"] = server.api()
    with pytest.raises(CommandError, match=r"4\.15\.9 is too old; update it to 4\.16\.0 or newer"):
        set_up(session, INFO, lambda _: None)
    assert server.writes() == []


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
