"""A conversation, as callers send it, in the form that a model takes."""

import asyncio

import pytest

from agent.errors import InvalidRequestError, QuestionTooLongError
from agent.history import opening
from agent.request import EarlierTurn, parse_request
from tests.unit.agent.doubles import FIXED, ScriptedModel, answering, asked
from tests.unit.agent.test_request import settings

USER = EarlierTurn(role="user", content="How do I archive an item?")
ASSISTANT = EarlierTurn(role="assistant", content="Set its status to ARCHIVED.")


def _short(history: list[EarlierTurn]) -> tuple[list[tuple[str, str]], str]:
    before, last = opening(history, "And undo it?")
    return [(message["role"], message["content"][0]["text"]) for message in before], last


def test_a_conversation_comes_before_the_question() -> None:
    assert _short([USER, ASSISTANT]) == ([("user", USER.content), ("assistant", ASSISTANT.content)], "And undo it?")


def test_no_conversation_is_no_message() -> None:
    assert _short([]) == ([], "And undo it?")


def test_what_one_side_says_twice_in_a_row_is_one_message() -> None:
    assert _short([USER]) == ([], f"{USER.content}\n\nAnd undo it?")
    assert _short([USER, ASSISTANT, ASSISTANT])[0][1] == ("assistant", f"{ASSISTANT.content}\n\n{ASSISTANT.content}")


def test_a_greeting_of_the_assistant_does_not_begin_the_messages() -> None:
    assert [role for role, _ in _short([ASSISTANT])[0]] == ["user", "assistant"]


def test_the_model_sees_the_conversation_and_the_answer_is_of_this_question_only() -> None:
    model = ScriptedModel(lambda _: ["never said", "Set it to ACTIVE."])
    request = asked("And undo it?", FIXED)

    answer = asyncio.run(
        answering(model).answer(
            type(request)(request.question, request.hyperparameters, history=(USER, ASSISTANT)),
        )
    )

    assert ASSISTANT.content in str(model.seen[-1][0])
    assert (answer.answer, answer.trajectory) == ("Set it to ACTIVE.", ())


@pytest.mark.parametrize("history", ["text", [{"role": "system", "content": "x"}], [{"role": "user", "content": ""}]])
def test_a_history_of_another_form_is_refused(history: object) -> None:
    with pytest.raises(InvalidRequestError, match="chat_history"):
        parse_request({"question": "Why?", "chat_history": history}, settings())


def test_a_history_that_is_too_long_is_refused() -> None:
    with pytest.raises(QuestionTooLongError, match="60000 are allowed"):
        parse_request({"question": "Why?", "chat_history": [{"role": "user", "content": "x" * 60_001}]}, settings())
