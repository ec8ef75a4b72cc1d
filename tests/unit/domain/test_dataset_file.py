import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.golden import (
    DatasetError,
    GoldenItem,
    Problem,
    item_from_langfuse,
    item_to_file,
    item_to_langfuse,
    parse_dataset,
    question_id,
)
from flywheel.errors import InvalidRequestError

# The form of the sample that the project started from, with nothing added.
SAMPLE = """[
  {
    "input": {
      "question": "How long are traces retained?"
    },
    "expected_output": {
      "trajectory": ["getOverview", "searchDocs"],
      "search_term": "Data retention",
      "response_facts": ["Traces are kept for ever by default", "The project settings have a retention policy"]
    }
  },
  {"input": {"question": "Is there an SDK?"}, "expected_output": "There is one for Python"}
]"""


def wrong(text: str | bytes) -> list[Problem]:
    with pytest.raises(DatasetError) as caught:
        parse_dataset(text, source="golden.json")
    return list(caught.value.problems)


def element(**changes: Any) -> dict[str, Any]:
    base = {"id": "a", "input": {"question": "Why?"}, "expected_output": {"response_facts": ["because"]}}
    return {key: value for key, value in (base | changes).items() if value is not ...}


def problem_of(**changes: Any) -> Problem:
    [problem] = wrong(json.dumps([element(**changes)]))
    return problem


def test_the_form_of_the_original_sample_is_read_unchanged() -> None:
    first, second = parse_dataset(SAMPLE, source="dataset.json")
    assert first == GoldenItem(
        item_id=question_id("How long are traces retained?"),
        question="How long are traces retained?",
        slice="happy_path",
        origin="authored",
        trajectory=("getOverview", "searchDocs"),
        search_term="Data retention",
        response_facts=("Traces are kept for ever by default", "The project settings have a retention policy"),
    )
    assert second.response_facts == ("There is one for Python",)


def test_our_form_is_read_with_all_its_fields() -> None:
    text = json.dumps(
        [
            element(
                expected_output={"must_refuse": True, "trajectory": []},
                metadata={"slice": "adversarial", "origin": "reviewed", "topic": "keys", "deep": {"list": [1, None]}},
            )
        ]
    )
    assert parse_dataset(text, source="x") == [
        GoldenItem(
            "a",
            "Why?",
            "adversarial",
            "reviewed",
            must_refuse=True,
            metadata={"topic": "keys", "deep": {"list": [1, None]}},
        )
    ]


def test_the_projects_own_dataset_is_valid() -> None:
    file = Path(__file__).parents[3] / "dataset" / "golden.json"
    items = parse_dataset(file.read_bytes(), source=file.name)
    assert len(items) >= 60
    assert all(sum(item.slice == name for item in items) >= 15 for name in ("happy_path", "edge_case", "adversarial"))


def test_reading_the_same_file_twice_gives_the_same_ids() -> None:
    assert parse_dataset(SAMPLE, source="a") == parse_dataset(SAMPLE.encode(), source="b")
    assert question_id("How  LONG are\ntraces retained?") == question_id("how long are traces retained?")


def test_every_problem_comes_at_once_with_its_line_item_and_field() -> None:
    text = """[
  {"input": {"question": "Fine?"}, "expected_output": "yes"},
  {"id": "no good", "input": {"question": 7},
   "expected_output": {
     "response_facts": ["one",
                        "",
                        3],
     "surprise": 1},
   "metadata": {"slice": "sunny"}},
  "what",
  {"input": {"question": "fine?"},
   "expected_output": {}}
]"""
    assert {(p.line, p.item, p.path) for p in wrong(text)} == {
        (3, 1, "id"),
        (3, 1, "input.question"),
        (6, 1, "expected_output.response_facts.1"),
        (7, 1, "expected_output.response_facts.2"),
        (8, 1, "expected_output.surprise"),
        (9, 1, "metadata.slice"),
        (10, 2, ""),
        (11, 3, "input.question"),
        (12, 3, "expected_output"),
    }


def test_the_message_names_the_source_and_every_place() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_dataset("[3,\n4]", source="golden.json")
    assert str(caught.value) == (
        "golden.json: line 1, item 0: an item is an object, not a number\n"
        "golden.json: line 2, item 1: an item is an object, not a number"
    )


def test_a_message_stays_readable_when_everything_is_wrong() -> None:
    with pytest.raises(DatasetError) as caught:
        parse_dataset(json.dumps([1] * 5000), source="golden.json")
    assert len(caught.value.problems) == 5000
    assert str(caught.value).endswith("golden.json: ... and 4980 more")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "a dataset is a JSON list"),
        ("   \n\n", 3, "a dataset is a JSON list"),
        ("{}", 1, "a dataset is a JSON list"),
        ("\n null", 2, "a dataset is a JSON list"),
        ("[", 1, "not JSON"),
        ("[\n{},\n]", 3, "not JSON"),
        ("[\n{}\n{}]", 3, "expected a comma"),
        ("[]\n]", 2, "more text after the list"),
        ("[\n" + "[" * 200_000, 2, "nested too deeply"),
        ("[\n" + "9" * 5000 + "]", 2, "thousands of digits"),
        ("[\n{'a': 1}]", 2, "not JSON"),
    ],
)
def test_what_is_no_json_list_is_said_with_its_line(text: str, line: int, message: str) -> None:
    last = wrong(text)[-1]
    assert last.line == line
    assert message in last.message


def test_problems_before_broken_json_are_reported_too() -> None:
    assert [(p.line, p.item) for p in wrong('[1,\n{"a"\n:')] == [(1, 0), (3, 1)]


def test_an_empty_dataset_is_an_error() -> None:
    [problem] = wrong("[]")
    assert problem.message == "the dataset has no items"


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(name: str) -> None:
    text = f'[{{"input": {{"question": "Why?"}}, "expected_output": "so", "metadata": {{"x":\n {name}}}}}]'
    assert [(p.line, p.path, p.message) for p in wrong(text)] == [(2, "metadata.x", "is not a finite number")]


def test_a_file_that_is_not_utf8_is_said_with_its_line() -> None:
    [problem] = wrong('[\n{"input": {"question": "Wär das was?"}}]'.encode("latin-1"))
    assert (problem.line, "not UTF-8" in problem.message) == (2, True)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert len(parse_dataset(SAMPLE.encode("utf-8-sig"), source="x")) == 2
    assert len(parse_dataset("\ufeff" + SAMPLE, source="x")) == 2


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"id": 3}, "id", "is a number; expected text"),
        ({"id": ""}, "id", "the id is empty"),
        ({"id": "a/b"}, "id", "letters, digits"),
        ({"id": "../a"}, "id", "letters, digits"),
        ({"id": "a" * 201}, "id", "201 characters"),
        ({"input": ...}, "", "input is missing"),
        ({"input": "Why?"}, "input", "is text; expected an object"),
        ({"input": {}}, "input", "question is missing"),
        ({"input": {"question": None}}, "input.question", "is null"),
        ({"input": {"question": " "}}, "input.question", "is empty"),
        ({"input": {"question": "x" * 10_001}}, "input.question", "10001 characters; at most 10000"),
        ({"input": {"question": "x" * 5_000_000}}, "input.question", "at most 10000"),
        ({"input": {"question": "a\x00b"}}, "input.question", "control character"),
        ({"input": {"question": "\ud83d"}}, "input.question", "half a character"),
        ({"input": {"question": "Why?", "context": "x"}}, "input.context", "unknown key"),
        ({"expected_output": ...}, "", "expected_output is missing"),
        ({"expected_output": None}, "expected_output", "is null"),
        ({"expected_output": ["because"]}, "expected_output", "is a list"),
        ({"expected_output": ""}, "expected_output", "the fact is empty"),
        ({"expected_output": {}}, "expected_output", "neither response_facts nor must_refuse"),
        ({"expected_output": {"response_facts": "because"}}, "expected_output.response_facts", "is text"),
        ({"expected_output": {"response_facts": ["a"] * 51}}, "expected_output.response_facts", "51 entries"),
        ({"expected_output": {"response_facts": ["a", "a"]}}, "expected_output.response_facts.1", "repeats"),
        (
            {"expected_output": {"response_facts": ["a"], "must_refuse": "yes"}},
            "expected_output.must_refuse",
            "is text",
        ),
        (
            {"expected_output": {"response_facts": ["a"], "must_refuse": True}},
            "expected_output.response_facts",
            "no facts",
        ),
        ({"expected_output": {"response_facts": ["a"], "trajectory": "x"}}, "expected_output.trajectory", "is text"),
        ({"expected_output": {"response_facts": ["a"], "trajectory": [1]}}, "expected_output.trajectory.0", "a number"),
        ({"expected_output": {"response_facts": ["a"], "search_term": 1}}, "expected_output.search_term", "a number"),
        ({"metadata": []}, "metadata", "is a list"),
        ({"metadata": {"slice": "sunny"}}, "metadata.slice", "'sunny' is no slice"),
        ({"metadata": {"slice": ["happy_path"]}}, "metadata.slice", "is no slice"),
        ({"metadata": {"origin": 1}}, "metadata.origin", "is a number"),
        ({"metadata": {"slice": "production", "origin": "authored"}}, "metadata.origin", "contradicts"),
        ({"metadata": {"x": "y" * 40_000}}, "metadata", "longer than 32768"),
        ({"metadata": {"x": "\ud83d"}}, "metadata.x", "half a character"),
        ({"expectedOutput": {}}, "expectedOutput", "unknown key"),
    ],
)
def test_each_wrong_field_is_named(changes: dict[str, Any], path: str, message: str) -> None:
    problem = problem_of(**changes)
    assert problem.path == path
    assert message in problem.message
    assert len(problem.message) < 300


def test_metadata_may_not_be_nested_without_end() -> None:
    deep: Any = 1
    for _ in range(500):
        deep = {"x": [deep]}
    assert "nested more than 32 deep" in problem_of(metadata=deep).message


def test_ids_and_questions_are_unique_in_a_file() -> None:
    problems = wrong(
        json.dumps(
            [
                element(),
                element(id="b", input={"question": " WHY?"}),
                element(input={"question": "How?"}, expected_output={}),
            ],
            indent=1,
        )
    )
    assert [(p.item, p.path, p.message) for p in problems] == [
        (1, "input.question", "item 0 asks the same question"),
        (2, "expected_output", "has neither response_facts nor must_refuse: no answer could be scored"),
        (2, "id", "item 0 has the same id already"),
    ]
    [problem] = wrong(json.dumps([element(id=...), element(id=...)]))
    assert problem.path == "input.question", "an id that follows from the question is not a second problem"


def test_a_key_that_comes_twice_is_an_error() -> None:
    [problem] = wrong('[{"input": {"question": "a?", "question": "b?"}, "expected_output": "c"}]')
    assert problem.message == "the key 'question' comes twice in one object"


def test_the_origin_and_the_slice_of_production_items_follow_from_each_other() -> None:
    def read(**metadata: str) -> GoldenItem:
        [item] = parse_dataset(json.dumps([element(metadata=metadata)]), source="x")
        return item

    assert (read(slice="production").origin, read(slice="production").must_pass) == ("production", True)
    assert (read(origin="production").slice, read(origin="production").must_pass) == ("production", True)
    assert read(origin="production", slice="edge_case").slice == "edge_case"
    assert read().must_pass is False


def test_ten_thousand_items_are_read_in_good_time() -> None:
    items = [GoldenItem(f"i{n}", f"Question {n}?", response_facts=("a", "b")) for n in range(10_000)]
    text = json.dumps([item_to_file(item) for item in items], indent=1)
    began = time.process_time()
    assert parse_dataset(text, source="x") == items
    assert time.process_time() - began < 20


def test_an_object_of_thousands_of_unknown_keys_is_refused_in_good_time() -> None:
    text = json.dumps([element(**{f"k{n}": n for n in range(20_000)})])
    began = time.process_time()
    assert len(wrong(text)) == 20_000
    assert time.process_time() - began < 20


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40).filter(
    str.strip
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def golden_items(draw: st.DrawFn) -> GoldenItem:
    refuse = draw(st.booleans())
    origin = draw(st.sampled_from(["authored", "production", "reviewed"]))
    slices = ["happy_path", "edge_case", "adversarial"] + (["production"] if origin == "production" else [])
    return GoldenItem(
        item_id=draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,20}", fullmatch=True)),
        question=draw(texts),
        slice=draw(st.sampled_from(slices)),
        origin=origin,
        trajectory=tuple(draw(st.lists(texts, max_size=3))),
        search_term=draw(st.none() | texts),
        response_facts=() if refuse else tuple(draw(st.lists(texts, min_size=1, max_size=3, unique=True))),
        must_refuse=refuse,
        metadata=draw(st.dictionaries(texts.filter(lambda key: key not in ("slice", "origin")), plain, max_size=3)),
    )


@given(golden_items())
def test_an_item_survives_the_file(item: GoldenItem) -> None:
    assert parse_dataset(json.dumps([item_to_file(item)]), source="x") == [item]
    assert parse_dataset(json.dumps([item_to_file(item)], ensure_ascii=False), source="x") == [item]


@given(golden_items())
def test_an_item_survives_langfuse(item: GoldenItem) -> None:
    """With everything that Langfuse adds to what it was given."""
    stored = json.loads(json.dumps(item_to_langfuse(item)))
    reply = stored | {
        "status": "ACTIVE",
        "sourceTraceId": None,
        "createdAt": "2026-01-01T00:00:00Z",
        "mediaReferences": [],
    }
    assert item_from_langfuse(reply) == item


@given(plain)
def test_any_json_is_read_or_refused_with_its_problems(value: Any) -> None:
    text = json.dumps([value])
    assert wrong(text)[0].item == 0


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_any_text_is_refused_with_its_problems(text: str | bytes) -> None:
    assert wrong(text)


def test_an_item_made_by_hand_in_langfuse_needs_no_metadata_and_no_object() -> None:
    item = item_from_langfuse(
        {"id": "cm9 x/1", "input": "Why?", "expectedOutput": "because", "metadata": None, "datasetId": "d"}
    )
    assert item == GoldenItem("cm9 x/1", "Why?", "happy_path", "authored", response_facts=("because",))


def test_unknown_keys_of_an_item_in_langfuse_are_passed_over() -> None:
    item = item_from_langfuse(
        {
            "id": "a",
            "input": {"question": "Why?", "note": "?"},
            "expectedOutput": {"response_facts": ["b"], "note": 1},
            "metadata": {"reviewer": "x"},
        }
    )
    assert (item.response_facts, item.metadata) == (("b",), {"reviewer": "x"})


@pytest.mark.parametrize(
    "changes",
    [{"expectedOutput": None}, {"input": None}, {"metadata": {"slice": "sunny"}}, {"input": {"order": "Why?"}}],
)
def test_an_item_in_langfuse_that_cannot_be_scored_is_an_error_that_names_it(changes: dict[str, Any]) -> None:
    good = {"id": "item-7", "input": {"question": "Why?"}, "expectedOutput": "because", "metadata": None}
    with pytest.raises(DatasetError, match="dataset item 'item-7' in Langfuse"):
        item_from_langfuse(good | changes)


def test_what_is_no_item_at_all_is_an_error() -> None:
    with pytest.raises(DatasetError, match="an item is an object, not null"):
        item_from_langfuse(None)  # type: ignore[arg-type]


HISTORY = [{"role": "user", "content": "How do I archive it?"}, {"role": "assistant", "content": "By its status."}]


def test_a_conversation_before_the_question_is_kept_and_written_again() -> None:
    (item,) = parse_dataset(
        json.dumps([element(input={"question": "And undo it?", "chat_history": HISTORY})]), source="f"
    )

    assert [(turn.speaker, turn.text) for turn in item.turns] == [
        ("user", HISTORY[0]["content"]),
        ("assistant", HISTORY[1]["content"]),
    ]
    assert item_to_file(item)["input"]["chat_history"] == HISTORY
    assert item_from_langfuse(item_to_langfuse(item)) == item


def test_the_same_question_after_another_conversation_is_another_item() -> None:
    alone = {"input": {"question": "And undo it?"}, "expected_output": "No."}
    after = {"input": {"question": "And undo it?", "chat_history": HISTORY}, "expected_output": "Yes."}

    first, second = parse_dataset(json.dumps([alone, after]), source="f")

    assert first.item_id == question_id("And undo it?") != second.item_id


@pytest.mark.parametrize("history", ["Human: hi", [{"x": 1}], [{"role": "user", "content": "y" * 10_001}]])
def test_a_conversation_that_cannot_be_sent_is_a_problem_of_the_file(history: Any) -> None:
    (problem,) = wrong(json.dumps([element(input={"question": "Why?", "chat_history": history})]))
    assert problem.path.startswith("input.chat_history")


@pytest.mark.parametrize(
    "given",
    [
        "Why?",
        {"prompt": "Why?"},
        [{"role": "user", "content": "Why?"}],
        {"messages": [{"type": "human", "content": "Why?"}]},
        {"args": [], "kwargs": {"question": "Why?"}},
    ],
)
def test_an_item_made_of_a_trace_of_any_agent_is_read(given: Any) -> None:
    item = item_from_langfuse({"id": "i", "input": given, "expectedOutput": "Because.", "metadata": None})
    assert (item.question, item.response_facts, item.slice) == ("Why?", ("Because.",), "happy_path")
