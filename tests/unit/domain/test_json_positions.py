import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.json_positions import JsonText, Path

keys = st.text(max_size=3)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=10,
)


def paths_of(value: Any, so_far: tuple[str | int, ...] = ()) -> list[tuple[Path, Any]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(so_far, value), *(pair for key, one in inner for pair in paths_of(one, (*so_far, key)))]


@given(st.lists(values, max_size=3), st.sampled_from([None, 0, 2]))
def test_every_value_is_found_where_it_stands(elements: list[Any], indent: int | None) -> None:
    text = JsonText(json.dumps(elements, indent=indent))
    read = list(text.elements())
    assert [element for _, element in read] == elements
    for offset, element in read:
        for path, value in paths_of(element):
            found, _ = json.JSONDecoder().raw_decode(text.text, text.locate(offset, path))
            assert found == value


def test_a_place_that_is_not_there_is_its_nearest_parent() -> None:
    text = JsonText('[{"a": {"b": [1]}}]')
    [(offset, _)] = text.elements()
    parent = text.locate(offset, ("a",))
    assert text.locate(offset, ("a", "x")) == parent
    assert text.locate(offset, ("a", 0)) == parent
    assert text.locate(offset, ("a", "b", 0, "deeper")) == text.locate(offset, ("a", "b", 0))
    assert text.locate(offset, ("a", "b", 1)) == text.locate(offset, ("a", "b"))


def test_of_a_key_that_comes_twice_the_last_one_counts_as_for_the_decoder() -> None:
    text = JsonText('[{"a": 1,\n"a": 2}]')
    [(offset, element)] = text.elements()
    assert element == {"a": 2}
    assert text.repeated_keys == ["a"]
    assert text.line(text.locate(offset, ("a",))) == 2


def test_lines_count_from_one() -> None:
    text = JsonText("[\n1,\r\n2]")
    assert [text.line(offset) for offset, _ in text.elements()] == [2, 3]
    assert text.line(0) == 1
