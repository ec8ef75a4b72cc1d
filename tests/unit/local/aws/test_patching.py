from types import ModuleType
from typing import Any

import pytest

from local.aws import patching
from local.aws.patching import PatchTargetChangedError


def answer() -> str:
    return "original"


def other() -> str:
    return "other"


@pytest.fixture
def module() -> Any:
    made: Any = ModuleType("package.module")
    made.answer, made.TEXT = answer, "one two three"
    return made


def test_a_known_function_is_wrapped(module: Any) -> None:
    patching.wrap(module, "answer", patching.fingerprint(answer), lambda original: lambda: original() + ", wrapped")

    assert module.answer() == "original, wrapped"


def test_a_function_whose_source_has_changed_is_left_alone_and_named(module: Any) -> None:
    module.answer = other

    with pytest.raises(PatchTargetChangedError, match=r"package\.module\.answer has changed"):
        patching.wrap(module, "answer", patching.fingerprint(answer), lambda original: original)

    assert module.answer is other


def test_a_function_that_is_gone_is_named(module: Any) -> None:
    with pytest.raises(PatchTargetChangedError, match=r"package\.module\.gone is gone"):
        patching.wrap(module, "gone", "0", lambda original: original)


def test_a_function_without_source_is_not_taken_for_the_known_one(module: Any) -> None:
    module.answer = len

    with pytest.raises(PatchTargetChangedError, match="no source"):
        patching.wrap(module, "answer", patching.fingerprint(answer), lambda original: original)


def test_text_is_replaced_once(module: Any) -> None:
    patching.substitute(module, "TEXT", "two", "2")

    assert module.TEXT == "one 2 three"


@pytest.mark.parametrize(("text", "count"), [("one three", 0), ("two two", 2), (None, 0)])
def test_text_that_is_not_there_exactly_once_is_an_error(module: Any, text: str | None, count: int) -> None:
    module.TEXT = text

    with pytest.raises(PatchTargetChangedError, match=f"{count} occurrences"):
        patching.substitute(module, "TEXT", "two", "2")

    assert text == module.TEXT


def test_an_entry_is_set_only_if_it_is_as_expected() -> None:
    table: dict[str, Any] = {"a": []}

    patching.put(table, "a", [], [1])
    patching.put(table, "b", None, 2)

    assert table == {"a": [1], "b": 2}
    with pytest.raises(PatchTargetChangedError, match="'a' is"):
        patching.put(table, "a", [], [3])
    assert table["a"] == [1]
