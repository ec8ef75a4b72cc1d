from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.golden import DatasetDiff, FieldChange, GoldenItem, ItemChange, dataset_hash, diff
from tests.unit.domain.samples import golden

A, B, C = golden("a"), golden("b"), golden("c")
some_items = st.lists(
    st.builds(
        GoldenItem,
        item_id=st.sampled_from("abcd"),
        question=st.sampled_from(["x?", "y?"]),
        metadata=st.sampled_from([{}, {"k": 1}, {"k": True}, {"k": None}, {"k": {"l": [1]}}, {"k.l": [1]}, {"k": {}}]),
    ),
    unique_by=lambda item: item.item_id,
)


def test_the_difference_says_what_an_import_would_do() -> None:
    changed = replace(B, question="Another?", response_facts=("x", "y"))
    found = diff([A, B, golden("old")], [changed, A, C])
    assert found == DatasetDiff(
        added=(C,),
        changed=(
            ItemChange(
                "b",
                (
                    FieldChange("input.question", "Question b?", "Another?"),
                    FieldChange("expected_output.response_facts", ["a fact"], ["x", "y"]),
                ),
            ),
        ),
        unchanged=("a",),
        only_stored=("old",),
    )


def test_a_field_that_comes_or_goes_is_a_change() -> None:
    with_term = replace(A, search_term="x", metadata={"topic": "keys"})
    [change] = diff([A], [with_term]).changed
    assert [(f.path, f.stored, f.wanted) for f in change.fields] == [
        ("expected_output.search_term", None, "x"),
        ("metadata.topic", None, "keys"),
    ]


def test_true_is_not_one() -> None:
    assert diff([replace(A, metadata={"k": 1})], [replace(A, metadata={"k": True})]).changed


def test_a_metadata_key_with_null_differs_from_none() -> None:
    assert diff([replace(A, metadata={"k": None})], [replace(A, metadata={})]).changed


@given(some_items)
def test_nothing_differs_from_itself(items: list[GoldenItem]) -> None:
    assert diff(items, items) == DatasetDiff(unchanged=tuple(item.item_id for item in items))


@given(some_items, some_items)
def test_the_hash_is_equal_exactly_when_nothing_differs(one: list[GoldenItem], other: list[GoldenItem]) -> None:
    found = diff(one, other)
    assert (dataset_hash(one) == dataset_hash(other)) == (not (found.added or found.changed or found.only_stored))


def test_the_hash_does_not_depend_on_the_order_and_counts_every_field() -> None:
    assert dataset_hash([A, B]) == dataset_hash([B, A])
    for other in (
        replace(A, item_id="z"),
        replace(A, question="z"),
        replace(A, slice="edge_case"),
        replace(A, origin="z"),
        replace(A, trajectory=("z",)),
        replace(A, search_term="z"),
        replace(A, response_facts=("z",)),
        replace(A, response_facts=(), must_refuse=True),
        replace(A, metadata={"z": 1}),
    ):
        assert dataset_hash([other]) != dataset_hash([A])


@pytest.mark.parametrize("items", [[], [A], [A, B]])
def test_the_hash_is_64_hex_digits(items: list[GoldenItem]) -> None:
    assert len(dataset_hash(items)) == 64
    assert int(dataset_hash(items), 16) >= 0
