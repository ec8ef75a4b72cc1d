"""JSONPaths of mappings: what they name, and that whatever stands there breaks nothing."""

from typing import Any

import pytest

from local.langfuse.json_path import values_at

VALUE = {"a": {"b": [1, {"c": 2}, None]}, "x y": "z", "0": "zero"}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", [VALUE]),
        ("$.a.b[0]", [1]),
        ("$.a.b[-2].c", [2]),
        ("$.a.b[*]", [1, {"c": 2}, None]),
        ("$.a.b.*", [1, {"c": 2}, None]),
        ("$['x y']", ["z"]),
        ('$["x y"]', ["z"]),
        ("$.a.b.1.c", [2]),
        ("$.0", ["zero"]),
        ("$.a.b[3]", []),
        ("$.a.b[-4]", []),
        ("$.a.b.word", []),
        ("$.nothing.at.all", []),
        ("$.a.b[0].c", []),
    ],
)
def test_a_path_names_values(path: str, found: list[Any]) -> None:
    assert values_at(path, VALUE) == found


@pytest.mark.parametrize("path", ["", "a.b", "$.", "$..a", "$[", "$[0", "$['a", "$[?(@.a)]", "$[0:2]", "$x", "$[" * 99])
def test_what_is_no_such_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"\$|cannot read"):
        values_at(path, VALUE)
