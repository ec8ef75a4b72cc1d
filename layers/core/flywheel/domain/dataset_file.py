"""Dataset text -> validated golden items, or every problem with its line and item.

The file is a JSON list. An element has `input.question`, after a conversation `input.chat_history` (a list of
`{"role": "user" | "assistant", "content": text}`, oldest first), and `expected_output`: an object (`trajectory`,
`search_term`, `response_facts`, `must_refuse`) or one plain fact as text; `id` and `metadata` (`slice`, `origin`, and
anything else) may be left out.
"""

import json
from collections.abc import Mapping
from typing import Any

from flywheel.domain.dataset_problems import DatasetError, Problem
from flywheel.domain.golden_check import ItemCheck, Place
from flywheel.domain.golden_item import GoldenItem, identity
from flywheel.domain.json_positions import JsonText
from flywheel.domain.json_words import kind, shown

_MOST_CHARACTERS = 64 * 1024 * 1024
_MOST_ITEMS = 100_000
# Finding a field's line reads its item again. An item with more problems than this has the rest at its own line.
_MOST_PLACES = 20


def parse_dataset(text: str | bytes, *, source: str) -> list[GoldenItem]:
    """Read a dataset; nothing is returned unless everything is right.

    `source` names the file in messages. Items without an id get one from their normalised question, so that importing
    the same file again changes nothing.

    Raises:
        DatasetError: with every problem of the file. JSON that cannot be read on from a place ends the search there.
    """
    reader = _Reader(JsonText(_decoded(text, source)))
    items = reader.read()
    if not items and not reader.problems:
        reader.problems.append(Problem(None, None, "", "the dataset has no items"))
    if reader.problems:
        raise DatasetError(source, reader.problems)
    return items


def item_from_langfuse(data: Mapping[str, Any]) -> GoldenItem:
    """Read a dataset item as Langfuse's API gives it, also one that people made or changed there by hand.

    Missing metadata means slice `happy_path` and origin `authored`; keys that are not ours are passed over.

    Raises:
        DatasetError: the item has no question, or nothing that an answer could be scored by.
    """
    if not isinstance(data, Mapping):
        raise DatasetError("Langfuse", [Problem(None, None, "", f"an item is an object, not {kind(data)}")])
    check = ItemCheck(lenient=True)
    item = check.read({"expected_output" if key == "expectedOutput" else key: value for key, value in data.items()})
    if item is None:
        source = f"dataset item {shown(data.get('id'))} in Langfuse"
        raise DatasetError(source, [Problem(None, None, _dotted(place), message) for place, message in check.problems])
    return item


class _Reader:
    def __init__(self, text: JsonText) -> None:
        self.problems: list[Problem] = []
        self._text = text
        self._ids: dict[str, int] = {}
        self._questions: dict[str, int] = {}

    def read(self) -> list[GoldenItem]:
        items = []
        number = 0
        try:
            for offset, element in self._text.elements():
                item = self._item(number, offset, element)
                if item is not None:
                    items.append(item)
                number += 1
                if number > _MOST_ITEMS:
                    self._problem(number - 1, offset, (), f"a dataset has at most {_MOST_ITEMS} items")
                    break
        except json.JSONDecodeError as error:
            message = f"not JSON: {error.msg} (column {error.colno})"
            self.problems.append(Problem(error.lineno, number, "", message))
        except RecursionError:
            self.problems.append(Problem(self._text.reading, number, "", "is nested too deeply to be read"))
        except ValueError:
            message = "has a number of thousands of digits, which cannot be read"
            self.problems.append(Problem(self._text.reading, number, "", message))
        return items

    def _item(self, number: int, offset: int, element: Any) -> GoldenItem | None:
        repeated = list(self._text.repeated_keys)
        check = ItemCheck()
        item = check.read(element)
        for count, (place, message) in enumerate(check.problems):
            if count < _MOST_PLACES:
                self._problem(number, offset, place, message)
            else:
                self.problems.append(Problem(self._text.line(offset), number, _dotted(place), message))
        for key in repeated:
            self._problem(number, offset, (), f"the key {shown(key)} comes twice in one object")
        given = isinstance(element, Mapping) and element.get("id") is not None
        same = self._ids.setdefault(check.item_id, number) if check.item_id else number
        if same != number and given:
            self._problem(number, offset, ("id",), f"item {same} has the same id already")
        question = identity(check.question, check.turns)
        same = self._questions.setdefault(question, number) if check.question else number
        if same != number:
            self._problem(number, offset, ("input", "question"), f"item {same} asks the same question")
        return item

    def _problem(self, number: int, offset: int, place: Place, message: str) -> None:
        line = self._text.line(self._text.locate(offset, place))
        self.problems.append(Problem(line, number, _dotted(place), message))


def _decoded(text: str | bytes, source: str) -> str:
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            message = f"not UTF-8 (byte {error.start}); save the file as UTF-8"
            raise DatasetError(source, [Problem(line, None, "", message)]) from error
    if len(text) > _MOST_CHARACTERS:
        message = f"has {len(text)} characters; at most {_MOST_CHARACTERS} are read"
        raise DatasetError(source, [Problem(None, None, "", message)])
    return text.removeprefix("\ufeff")


def _dotted(place: Place) -> str:
    return ".".join(str(step) for step in place)
