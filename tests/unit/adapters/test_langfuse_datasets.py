from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from jsonschema import Draft7Validator

from flywheel.adapters.langfuse_datasets import EXPECTED_OUTPUT_SCHEMA, INPUT_SCHEMA, LangfuseDatasetStore
from flywheel.domain.exchange import Turn
from flywheel.domain.golden import GoldenItem, item_to_langfuse
from flywheel.domain.unreadable_items import read_stored, refusal
from flywheel.errors import ConflictError, InvalidRequestError, NotFoundError, TransientError
from tests.unit.adapters.langfuse_double import Answer, FakeLangfuse, Request, answer, scripted

NOW = datetime(2026, 5, 4, 12, 0, 0, 123_456, tzinfo=UTC)


def golden(number: int) -> GoldenItem:
    return GoldenItem(f"i-{number:03}", f"Question {number}?", response_facts=("a fact",))


def page(
    items: list[GoldenItem], number: int, pages: int, total: int, by_hand: Sequence[dict[str, Any]] = ()
) -> Answer:
    rows = [item_to_langfuse(item) | {"id": item.item_id, "datasetName": "d"} for item in items] + [*by_hand]
    return answer({"data": rows, "meta": {"page": number, "limit": 100, "totalItems": total, "totalPages": pages}})


class Dataset:
    """Versions of items, as Langfuse keeps them."""

    def __init__(self, count: int, page_size: int = 100) -> None:
        self.items = [golden(n) for n in range(count)]
        self.page_size = page_size

    def __call__(self, request: Request) -> Answer:
        number = int(request.query["page"][0])
        start = (number - 1) * self.page_size
        pages = -(-len(self.items) // self.page_size)
        return page(self.items[start : start + self.page_size], number, pages, len(self.items))


def store(langfuse: FakeLangfuse) -> LangfuseDatasetStore:
    return LangfuseDatasetStore(langfuse.api(), now=lambda: NOW)


def test_every_page_is_read_as_of_one_moment() -> None:
    langfuse = FakeLangfuse(Dataset(250))

    snapshot = store(langfuse).snapshot("d")

    assert [item.item_id for item in snapshot.items] == [f"i-{n:03}" for n in range(250)]
    assert snapshot.version == NOW.replace(microsecond=123_000)
    assert [request.query["version"] for request in langfuse.requests] == [["2026-05-04T12:00:00.123Z"]] * 3


def test_an_older_version_is_asked_for_in_utc() -> None:
    langfuse = FakeLangfuse(Dataset(1))
    version = datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=1)))

    assert store(langfuse).snapshot("d", version).version == version
    assert langfuse.requests[0].query["version"] == ["2026-01-01T00:30:00.000Z"]


def test_an_empty_dataset_has_no_items() -> None:
    assert store(FakeLangfuse(Dataset(0))).snapshot("d").items == ()


def test_an_item_that_is_on_two_pages_counts_once_and_the_pages_are_read_again() -> None:
    shifted = [page([golden(0), golden(1)], 1, 2, 3), page([golden(1)], 2, 2, 3)]
    right = [page([golden(0), golden(1)], 1, 2, 3), page([golden(2)], 2, 2, 3)]

    snapshot = store(scripted(*shifted, *right)).snapshot("d")

    assert [item.item_id for item in snapshot.items] == ["i-000", "i-001", "i-002"]


def test_a_dataset_that_keeps_changing_is_not_taken() -> None:
    with pytest.raises(TransientError, match="changes while it is read: 1 of 7 items"):
        store(scripted(page([golden(0)], 1, 1, 7))).snapshot("d")


def test_an_unknown_dataset_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="Dataset not found"):
        store(scripted(answer({"message": "Dataset not found"}, 404))).snapshot("nosuch")


def test_an_item_that_is_no_golden_item_is_named() -> None:
    row: dict[str, Any] = {"id": "odd", "input": "text", "expectedOutput": None, "metadata": None}
    reply = answer({"data": [row], "meta": {"page": 1, "limit": 100, "totalItems": 1, "totalPages": 1}})

    with pytest.raises(InvalidRequestError, match="odd"):
        store(scripted(reply)).snapshot("d")


def test_a_dataset_gets_the_schemas_of_golden_items() -> None:
    langfuse = scripted(answer({"id": "ds-1"}))

    assert store(langfuse).ensure("folder/golden", description="what the agent must know") == "ds-1"
    body = langfuse.requests[0].content
    assert body["name"] == "folder/golden"
    assert body["inputSchema"]["required"] == ["question"]
    assert "metadata" not in body


@pytest.mark.parametrize("name", ["", "/lead", "trail/", "a//b"])
def test_a_name_that_langfuse_refuses_is_refused_before_it_is_sent(name: str) -> None:
    langfuse = scripted(answer({}))

    with pytest.raises(InvalidRequestError, match="not a dataset name"):
        store(langfuse).ensure(name)
    assert langfuse.requests == []


def test_items_are_written_whole_and_active() -> None:
    langfuse = scripted(answer({"id": "x"}))

    store(langfuse).upsert("d", [golden(1)], concurrency=1)

    body = langfuse.requests[0].content
    assert (body["id"], body["datasetName"], body["status"]) == ("i-001", "d", "ACTIVE")
    assert body["input"] == {"question": "Question 1?"}
    assert body["expectedOutput"]["response_facts"] == ["a fact"]


def test_two_writes_in_the_same_millisecond_are_tried_again() -> None:
    langfuse = scripted(answer({"message": "race"}, 409), answer({"datasetName": "d"}), answer({"id": "x"}))

    store(langfuse).upsert("d", [golden(1)], concurrency=1)

    assert langfuse.paths() == ["POST dataset-items", "GET dataset-items/i-001", "POST dataset-items"]


def test_an_id_that_another_dataset_has_is_a_conflict_that_names_both() -> None:
    langfuse = scripted(answer({"message": "conflict"}, 409), answer({"datasetName": "other"}))

    with pytest.raises(ConflictError, match=r"'i-001' is in dataset 'other' already.*choose another id"):
        store(langfuse).upsert("d", [golden(1)], concurrency=1)


def test_a_conflict_that_does_not_end_is_transient() -> None:
    langfuse = FakeLangfuse(
        lambda request: answer({}, 409) if request.method == "POST" else answer({"message": "gone"}, 404)
    )

    with pytest.raises(TransientError, match="written by somebody else"):
        store(langfuse).upsert("d", [golden(1)], concurrency=1)


def test_an_id_that_occurs_twice_is_refused_before_anything_is_written() -> None:
    langfuse = scripted(answer({"id": "x"}))

    with pytest.raises(InvalidRequestError, match="'i-001' occurs twice"):
        store(langfuse).upsert("d", [golden(1), golden(2), golden(1)])
    assert langfuse.requests == []


def test_an_item_that_breaks_the_schema_is_named() -> None:
    with pytest.raises(InvalidRequestError, match=r"item 'i-001': .*must be string"):
        store(scripted(answer({"message": "Input validation failed: must be string"}, 400))).upsert("d", [golden(1)])


def test_an_archived_item_keeps_its_content() -> None:
    langfuse = scripted(answer({"id": "x"}))

    store(langfuse).archive("d", ["i-001"])

    assert langfuse.requests[0].content == {"id": "i-001", "datasetName": "d", "status": "ARCHIVED"}


def test_names_of_all_pages_are_given_sorted() -> None:
    def names(*values: str, number: int) -> Answer:
        return answer({"data": [{"name": value} for value in values], "meta": {"page": number, "totalPages": 2}})

    assert store(scripted(names("b", "a", number=1), names("c", number=2))).names() == ["a", "b", "c"]


def test_the_id_of_a_dataset_in_a_folder_is_found() -> None:
    langfuse = scripted(answer({"id": "ds-7"}))

    assert store(langfuse).dataset_id("folder/golden set") == "ds-7"
    assert langfuse.paths() == ["GET v2/datasets/folder%2Fgolden%20set"]


BY_HAND: list[dict[str, Any]] = [
    {"id": "ui-1", "input": {"question": "x"}, "expectedOutput": {"answer": "y"}},
    {"id": "ui-2", "input": {"order": 1}, "expectedOutput": {"response_facts": ["z"]}},
    {"id": "ui-3", "input": "Why?", "expectedOutput": None},
]


def test_all_items_that_are_none_are_named_with_what_mends_each() -> None:
    langfuse = FakeLangfuse(lambda _: page([golden(0)], 1, 1, 4, BY_HAND))

    with pytest.raises(InvalidRequestError) as caught:
        store(langfuse).snapshot("d")

    said = str(caught.value)
    assert all(f"item '{name}'" in said for name in ("ui-1", "ui-2", "ui-3"))
    assert said.count('{"response_facts": ["one fact"]}') == 2
    assert '{"question": "..."}' in said
    assert "flywheel dataset remove ui-1 ui-2 ui-3" in said
    assert type(caught.value) is InvalidRequestError  # its name is what the state machine compares


def test_a_look_goes_on_beside_items_that_are_none() -> None:
    found = store(FakeLangfuse(lambda _: page([golden(0)], 1, 1, 4, BY_HAND))).look("d")

    assert [item.item_id for item in found.items] == ["i-000"]
    assert [one.item_id for one in found.unreadable] == ["ui-1", "ui-2", "ui-3"]


def test_a_thousand_items_that_are_none_make_a_message_of_bounded_length() -> None:
    rows = [{**BY_HAND[0], "id": f"ui-{n}"} for n in range(100)]
    assert len(refusal("d", read_stored(rows * 10)[1])) < 10_000


@pytest.mark.parametrize(
    ("expected", "fits"),
    [
        ({"answer": "y"}, False),
        ({}, False),
        ("y", False),
        ({"response_facts": []}, False),
        ({"response_facts": [" "]}, False),
        ({"must_refuse": False}, False),
        ({"must_refuse": True, "response_facts": ["a"]}, False),
        ({"response_facts": ["a"]}, True),
        ({"trajectory": [], "response_facts": [], "must_refuse": True}, True),
        ({"response_facts": ["a"], "must_refuse": False, "search_term": None}, True),
    ],
)
def test_the_schema_refuses_an_expected_output_by_which_nothing_can_be_scored(expected: Any, *, fits: bool) -> None:
    assert Draft7Validator(EXPECTED_OUTPUT_SCHEMA).is_valid(expected) is fits


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        ({"question": "x"}, True),
        ({"question": "x", "user_id": "u"}, True),
        ({"question": "x", "chat_history": [{"role": "user", "content": "y"}]}, True),
        ({"question": "  "}, False),
        ({"prompt": "x"}, False),
        ("x", False),
        ([{"role": "user", "content": "x"}], False),
        ({"question": "x", "chat_history": [{"role": "system", "content": "y"}]}, False),
    ],
)
def test_the_schema_refuses_an_input_that_cannot_be_asked(given: Any, *, fits: bool) -> None:
    assert Draft7Validator(INPUT_SCHEMA).is_valid(given) is fits


def test_whatever_we_write_fits_the_schemas() -> None:
    turns = (Turn("user", "Before?"), Turn("assistant", "Yes."))
    for item in (
        GoldenItem("a", "Why?", response_facts=("b",), turns=turns),
        GoldenItem("b", "Give me a key.", "adversarial", must_refuse=True),
    ):
        written = item_to_langfuse(item)
        assert Draft7Validator(INPUT_SCHEMA).is_valid(written["input"])
        assert Draft7Validator(EXPECTED_OUTPUT_SCHEMA).is_valid(written["expectedOutput"])
