import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.outcome import ToolCall, TrialError, Usage
from flywheel.evaluation.reply import BODY_LIMIT, AgentAnswer, read_reply
from flywheel.ports import AgentReply, InvocationFailure
from tests.unit.evaluation.doubles import said


def reply(body: bytes, status: int = 200) -> AgentReply:
    return AgentReply(body, status, "application/json", 1)


def test_a_reply_of_the_contract_is_read() -> None:
    answer = read_reply(said("Thirty days.", more="ignored"))

    assert isinstance(answer, AgentAnswer)
    assert (answer.answer, answer.stop_reason, answer.latency_ms) == ("Thirty days.", "end_turn", 420)
    assert answer.tool_calls() == (ToolCall("search", '{"query": "q"}', error=False),)
    assert answer.tokens() == Usage(1_000_000, 0, 2)


def test_an_answer_alone_is_enough() -> None:
    answer = read_reply(reply(b'{"answer": ""}'))

    assert isinstance(answer, AgentAnswer)
    assert (answer.latency_ms, answer.tokens()) == (None, Usage())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b"<html>",
        b"\xff\xfe",
        b'{"answer": null}',
        b'{"answer": 5}',
        b'{"answer": "x", "latency_ms": -1}',
        b'{"answer": "x", "latency_ms": "soon"}',
        b'{"answer": "x", "latency_ms": 1e400}',
        b'{"answer": "x", "usage": {"input_tokens": -5}}',
        b'{"answer": "x", "trajectory": [{"input": {}}]}',
        b'{"answer": "x", "trajectory": "search"}',
        b"[" * 100_000,
    ],
)
def test_anything_else_is_an_invalid_reply(body: bytes) -> None:
    error = read_reply(reply(body))

    assert isinstance(error, TrialError)
    assert (error.stage, error.kind) == ("invoke", "invalid_reply")
    assert len(error.message) <= 500


def test_a_huge_reply_is_not_read() -> None:
    error = read_reply(reply(json.dumps({"answer": "x" * BODY_LIMIT}).encode()))

    assert isinstance(error, TrialError)
    assert error.kind == "invalid_reply"


def test_a_failed_invocation_keeps_its_name() -> None:
    assert read_reply(InvocationFailure("RuntimeClientError", "x" * 9_000, 424)) == TrialError(
        "invoke", "RuntimeClientError", "x" * 500
    )


def test_a_status_that_is_not_200_is_an_error() -> None:
    assert read_reply(reply(b'{"answer": "fine"}', 206)) == TrialError("invoke", "http_206", '{"answer": "fine"}')


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_json_comes_it_is_an_answer_or_a_named_error(content: Any) -> None:
    assert isinstance(read_reply(reply(json.dumps(content).encode())), AgentAnswer | TrialError)
    wrapped = {"answer": "x", "trajectory": [{"tool": "t", "input": content}]}
    assert isinstance(read_reply(reply(json.dumps(wrapped).encode())), AgentAnswer | TrialError)
