from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.docs_mcp.corpus import load_pages
from local.docs_mcp.index import MAX_QUERY_CHARS, DocsIndex, QueryError


@pytest.fixture(scope="module")
def index() -> Iterator[DocsIndex]:
    index = DocsIndex(load_pages())
    yield index
    index.close()


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("data retention", "Data retention"),
        ("roll back prompt", "Prompt versions and labels"),
        ("annotation queue", "Annotation queues"),
        ("webhook signature", "Webhooks"),
        ("gRPC", "OpenTelemetry"),
    ],
)
def test_the_page_about_the_words_comes_first(index: DocsIndex, query: str, page: str) -> None:
    assert index.search(query)[0].passage.title == page


@pytest.mark.parametrize("query", ["SCIM", "data retention", "sampling rate", "noeviction", "what is a trace"])
def test_at_least_eight_passages_come_best_first_and_each_once(index: DocsIndex, query: str) -> None:
    hits = index.search(query)
    assert len(hits) >= 8
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len({hit.passage for hit in hits}) == len(hits)


def test_inflections_find_the_same_page(index: DocsIndex) -> None:
    assert index.search("deleting projects")[0].passage == index.search("delete project")[0].passage


def test_a_misspelt_word_finds_what_was_meant(index: DocsIndex) -> None:
    assert index.search("webhok signatur")[0].passage == index.search("webhook signature")[0].passage


def test_unknown_words_find_nothing(index: DocsIndex) -> None:
    assert index.search("xyzzyq qqqqq") == []


def test_the_same_query_gives_the_same_hits(index: DocsIndex) -> None:
    assert index.search("trace") == DocsIndex(load_pages()).search("trace")


@pytest.mark.parametrize("query", ["", "  ", "?!", '"*"', "---"])
def test_a_query_without_words_is_refused(index: DocsIndex, query: str) -> None:
    with pytest.raises(QueryError, match="has no word"):
        index.search(query)


def test_a_query_over_the_limit_is_refused(index: DocsIndex) -> None:
    with pytest.raises(QueryError, match=f"at most {MAX_QUERY_CHARS}"):
        index.search("a" * (MAX_QUERY_CHARS + 1))


@pytest.mark.parametrize(
    "query", ['" OR 1', "NEAR(a b)", "title:x", "a* AND NOT b", "'; DROP TABLE passage; --", "a\0b"]
)
def test_query_syntax_is_only_text(index: DocsIndex, query: str) -> None:
    assert isinstance(index.search(query), list)


@given(st.text(min_size=1, max_size=100))
def test_any_text_is_searched_or_refused(text: str) -> None:
    index = DocsIndex(load_pages()[:3])
    try:
        hits = index.search(text)
    except QueryError:
        hits = []
    finally:
        index.close()
    assert len(hits) <= 10
