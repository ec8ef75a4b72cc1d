import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.model.passages import Passage, read_tool_answer

ONE = {"title": "T", "url": "/u", "text": "First.", "score": 2.0}
TWO = {"title": "S", "url": "/v", "text": "Second.", "score": 1.0}


@pytest.mark.parametrize(
    "content",
    [
        f"{json.dumps(ONE, indent=2)}\n{json.dumps(TWO, indent=2)}",
        json.dumps([ONE, TWO]),
        json.dumps({"result": [ONE, TWO]}),
        json.dumps({"data": {"hits": [[ONE], [TWO]]}}),
    ],
    ids=["one object a block", "list", "object with a list", "nested"],
)
def test_passages_are_found_in_any_usual_shape_in_their_order(content: str) -> None:
    assert read_tool_answer(content).passages == (Passage("T", "/u", "First."), Passage("S", "/v", "Second."))


def test_plain_text_is_read_by_paragraphs_without_headings() -> None:
    answer = read_tool_answer("# Title\n\nFirst paragraph.\n\nSecond one.")
    assert [passage.text for passage in answer.passages] == ["First paragraph.", "Second one."]


@pytest.mark.parametrize(
    "content",
    [
        "Error executing tool searchLangfuseDocs: query has no word",
        "Tool execution failed: timeout",
        "Connection to the MCP server was closed",
        "the client session is not running",
        json.dumps({"error": "boom"}),
    ],
)
def test_errors_of_tools_are_told_from_results(content: str) -> None:
    answer = read_tool_answer(content)
    assert answer.error
    assert not answer.passages


def test_a_passage_about_errors_is_no_error() -> None:
    content = json.dumps({"title": "Log levels", "url": "/l", "text": "Error is a level."})
    assert not read_tool_answer(content).error


@pytest.mark.parametrize("content", ["", "  ", "[]", "{}", "null", '{"text": ""}'])
def test_an_empty_result_has_neither_passages_nor_an_error(content: str) -> None:
    answer = read_tool_answer(content)
    assert (answer.passages, answer.error) == ((), "")


def test_a_deep_nest_is_read_as_text() -> None:
    assert len(read_tool_answer("[" * 200_000).passages) == 1


def test_a_huge_result_is_bounded() -> None:
    answer = read_tool_answer(json.dumps([{**ONE, "text": "x" * 100_000}] * 1000))
    assert len(answer.passages) == 200
    assert max(len(passage.text) for passage in answer.passages) == 4000


@given(st.text(max_size=300))
def test_any_text_can_be_read(content: str) -> None:
    assert read_tool_answer(content) == read_tool_answer(content)
