"""How search results are limited, whatever form the tool server gives them in."""

import json
from typing import Any

import pytest
from strands.types.tools import ToolResult

from agent.search import is_search, limit_results

PAGES = [{"title": f"page {n}", "tags": ["a", "b", "c"]} for n in range(1, 6)]


def result(*blocks: Any) -> ToolResult:
    return {"toolUseId": "t", "status": "success", "content": list(blocks)}


def texts(limited: ToolResult) -> list[Any]:
    return [json.loads(block["text"]) for block in limited["content"]]


def test_one_block_for_each_result_keeps_the_first_blocks_whole() -> None:
    assert texts(limit_results(result(*({"text": json.dumps(page)} for page in PAGES)), 2)) == PAGES[:2]


@pytest.mark.parametrize("key", ["results", "result", "documents", "hits", "data"])
def test_one_block_with_an_object_keeps_the_first_of_its_list(key: str) -> None:
    document = {"query": "q", key: PAGES}

    assert texts(limit_results(result({"text": json.dumps(document)}), 2)) == [{"query": "q", key: PAGES[:2]}]


def test_one_block_with_a_list_keeps_the_first() -> None:
    assert texts(limit_results(result({"text": json.dumps(PAGES)}), 3)) == [PAGES[:3]]


def test_a_json_block_is_limited_too() -> None:
    assert limit_results(result({"json": PAGES}), 1)["content"] == [{"json": PAGES[:1]}]


@pytest.mark.parametrize("text", ["", "Plain text.\n- a\n- b", "{broken", "[1, 2", '"text"', "{}", "[" * 100_000])
def test_text_in_any_other_form_is_left_as_it_is(text: str) -> None:
    assert limit_results(result({"text": text}), 1)["content"] == [{"text": text}]


def test_a_single_page_with_lists_of_its_own_is_left_as_it_is() -> None:
    block = {"text": json.dumps(PAGES[0])}

    assert limit_results(result(block), 1)["content"] == [block]


def test_fewer_results_than_asked_for_are_all_kept() -> None:
    assert texts(limit_results(result({"text": json.dumps(PAGES)}), 50)) == [PAGES]


def test_no_result_stays_no_result() -> None:
    assert limit_results(result(), 3)["content"] == []


def test_only_search_tools_are_ranked() -> None:
    assert is_search("searchLangfuseDocs")
    assert not is_search("getLangfuseOverview")
