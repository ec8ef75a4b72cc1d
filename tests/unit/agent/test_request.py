"""Payload -> request, with everything a caller can get wrong."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import (
    AgentError,
    InvalidPayloadError,
    InvalidRequestError,
    OverrideRefusedError,
    QuestionTooLongError,
)
from agent.request import MAX_QUESTION_CHARS, AgentRequest, parse_request
from agent.settings import Hyperparameters, RuntimeSettings, Settings

FIXED = Hyperparameters(model_id="m", temperature=0.5)


def settings(*, allow_overrides: bool = True) -> Settings:
    return Settings(
        runtime=RuntimeSettings(mcp_url="http://tools/mcp", allow_overrides=allow_overrides), hyperparameters=FIXED
    )


def test_a_question_is_enough() -> None:
    assert parse_request({"question": " What is a trace?\n"}, settings()) == AgentRequest("What is a trace?", FIXED)


def test_user_tags_and_overrides_are_taken() -> None:
    request = parse_request(
        {"question": "q", "user_id": "u", "tags": ["a", "b"], "overrides": {"temperature": 0, "top_k": 2}}, settings()
    )

    assert (request.user_id, request.tags) == ("u", ("a", "b"))
    assert request.hyperparameters == FIXED.model_copy(update={"temperature": 0.0, "top_k": 2})


@pytest.mark.parametrize("payload", [[], ["question"], "question", 1, None, True])
def test_anything_but_an_object_is_refused_with_400(payload: object) -> None:
    with pytest.raises(InvalidPayloadError, match="JSON object") as caught:
        parse_request(payload, settings())

    assert (caught.value.status, caught.value.code) == (400, "invalid_payload")


@pytest.mark.parametrize("question", ["", "  \n\t "])
def test_an_empty_question_is_refused_with_422(question: str) -> None:
    with pytest.raises(InvalidRequestError, match="empty") as caught:
        parse_request({"question": question}, settings())

    assert caught.value.status == 422


@pytest.mark.parametrize("question", [None, 1, ["a"], {"a": 1}, True])
def test_a_question_that_is_no_text_is_refused_with_422(question: object) -> None:
    with pytest.raises(InvalidRequestError, match="question"):
        parse_request({"question": question}, settings())


def test_a_question_at_the_limit_is_taken_and_one_over_it_is_refused_with_413() -> None:
    assert len(parse_request({"question": "x" * MAX_QUESTION_CHARS}, settings()).question) == MAX_QUESTION_CHARS
    with pytest.raises(QuestionTooLongError, match="8001 characters; 8000 are allowed") as caught:
        parse_request({"question": "x" * (MAX_QUESTION_CHARS + 1)}, settings())

    assert caught.value.status == 413


@pytest.mark.parametrize(
    "fields",
    [
        {"override": {"top_k": 1}},
        {"user_id": 7},
        {"user_id": "u" * 201},
        {"tags": "a"},
        {"tags": [1]},
        {"tags": [""]},
        {"tags": ["t"] * 51},
        {"overrides": [1]},
    ],
)
def test_a_field_that_does_not_fit_is_refused_with_422(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError, match=next(iter(fields))):
        parse_request({"question": "q"} | fields, settings())


def test_overrides_are_refused_where_the_runtime_does_not_allow_them() -> None:
    with pytest.raises(OverrideRefusedError, match="ALLOW_OVERRIDES is false") as caught:
        parse_request({"question": "q", "overrides": {"top_k": 1}}, settings(allow_overrides=False))

    assert (caught.value.status, caught.value.code) == (422, "override_refused")


def test_no_overrides_are_fine_where_none_are_allowed() -> None:
    for payload in ({"question": "q", "overrides": {}}, {"question": "q", "overrides": None}):
        assert parse_request(payload, settings(allow_overrides=False)).hyperparameters == FIXED


@pytest.mark.parametrize(
    "overrides",
    [
        {"mcp_url": "http://elsewhere"},
        {"allow_overrides": True},
        {"top_k": 0},
        {"top_k": "3"},
        {"tools": ["search_docs"]},
        {"tools": ""},
        {"tools": "search_docs;rm -rf /"},
        {"top_k": True},
        {"temperature": "0.1"},
        {"temperature": float("nan")},
        {"model_id": None},
        {"model_id": ""},
        {"prompt_name": "p"},
    ],
)
def test_an_override_that_is_unknown_or_out_of_range_is_refused(overrides: dict[str, Any]) -> None:
    with pytest.raises(OverrideRefusedError, match="Known are: model_id, system_prompt"):
        parse_request({"question": "q", "overrides": overrides}, settings())


def test_a_thousand_wrong_fields_give_a_short_message() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_request({"question": "q"} | {f"f{n}" * 100: n for n in range(1000)}, settings())

    assert "and 990 more" in str(caught.value)
    assert len(str(caught.value)) < 3000


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.dictionaries(st.text(), x)))
def test_no_payload_raises_anything_but_a_defined_error(payload: object) -> None:
    try:
        parse_request(payload, settings())
    except AgentError as error:
        assert error.status in {400, 413, 422}  # noqa: PT017 (either outcome is right)
