"""One question and one answer, in the forms in which agents and integrations write them."""

import json
from typing import Any

import pytest

from flywheel.domain.exchange import read_answer, read_question
from tests.unit.domain.exchange_forms import (
    ANSWERED,
    ANSWERS,
    ASKED,
    BEFORE,
    CONVERSATIONS,
    QUESTIONS,
    UNREADABLE_ANSWERS,
    UNREADABLE_QUESTIONS,
)


@pytest.mark.parametrize("form", QUESTIONS)
def test_the_question_is_read_in_every_form(form: str) -> None:
    for given in (QUESTIONS[form], json.dumps(QUESTIONS[form])):
        asked = read_question(given)
        assert (asked.question, asked.turns, asked.unreadable) == (ASKED, (), "")


@pytest.mark.parametrize("form", CONVERSATIONS)
def test_the_turns_before_the_question_are_read_in_every_form(form: str) -> None:
    for given in (CONVERSATIONS[form], json.dumps(CONVERSATIONS[form])):
        asked = read_question(given)
        assert (asked.question, asked.turns, asked.unreadable) == (ASKED, BEFORE, "")


@pytest.mark.parametrize("form", UNREADABLE_QUESTIONS)
def test_an_input_without_a_question_says_why(form: str) -> None:
    asked = read_question(UNREADABLE_QUESTIONS[form])
    assert asked.question == ""
    assert asked.unreadable


@pytest.mark.parametrize("form", ANSWERS)
def test_the_answer_is_read_in_every_form(form: str) -> None:
    read = read_answer(ANSWERS[form])
    assert " ".join(read.text.split()) == ANSWERED
    assert read.unreadable == ""


@pytest.mark.parametrize("form", UNREADABLE_ANSWERS)
def test_an_output_without_an_answer_says_why(form: str) -> None:
    read = read_answer(UNREADABLE_ANSWERS[form])
    assert read.text == ""
    assert read.unreadable


@pytest.mark.parametrize(
    "prose",
    [
        "[urgent] How do I log in?",
        '{"a": 1} - is this valid JSON?',
        "{{name}} stays in my prompt, why?",
        '"Trace" or "span", what is the difference?',
        "data: where is it stored?",
        "[[1, 2], [3]] how do I score a list?",
    ],
)
def test_prose_that_begins_like_code_is_prose(prose: str) -> None:
    assert read_question(prose).question == prose


def test_fields_beside_the_question_are_kept_by_their_names() -> None:
    asked = read_question({"question": ASKED, "user_id": "u-1", "chat_history": []})
    assert asked.rest == {"user_id": "u-1"}


def test_a_reason_quotes_no_text_of_anybody() -> None:
    assert "s3cret" not in read_question({"token": "s3cret", "id": "s3cret"}).unreadable


def _deep(levels: int, name: str) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = {name: value}
    return value


@pytest.mark.parametrize(
    "hostile",
    [
        _deep(5_000, "input"),
        _deep(5_000, "messages"),
        "[" * 200_000,
        '{"input":' * 100_000,
        '{"messages": [' * 50_000 + "]}" * 50_000,
        {"messages": [[[[[[[[[[[[[[[[{}]]]]]]]]]]]]]]]]},
        {"messages": {"role": {"role": {"role": 1}}, "content": {"content": 2}}},
        {"args": 3, "kwargs": [None, 1.5]},
        [None, 1, {"role": None, "content": float("nan")}],
        {1: 2, None: "x"},
        "x" * 6_000_000,
        '{"question": ' + "9" * 20_000 + "}",
        {"choices": [None], "output": [[], [{}]]},
        {"role": "user", "content": _deep(3_000, "text")},
        "\ud800 half a character",
        {f"k{number}": {"a": {"b": number}} for number in range(50_000)},
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_hostile_values_are_read_or_refused_and_never_raise(hostile: Any) -> None:
    asked, answered = read_question(hostile), read_answer(hostile)
    assert bool(asked.question) != bool(asked.unreadable)
    assert bool(answered.text) != bool(answered.unreadable)
