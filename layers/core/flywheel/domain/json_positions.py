"""JSON text -> the elements of its list with their places, so that a message can name a line.

The standard decoder tells where a value ends but not where it stood; its `raw_decode` is called element by element,
and only for an element with a problem again, member by member, down to the field that has it.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

_SPACE = re.compile(r"[ \t\n\r]*")

type Path = Sequence[str | int]


class JsonText:
    """A text that is to be a JSON list.

    `repeated_keys` holds the keys that came twice in an object of the element read last (the last one won);
    `reading` is the line, from 1, on which that element begins.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.repeated_keys: list[str] = []
        self.reading = 1
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object)
        self._plain = json.JSONDecoder()

    def line(self, offset: int) -> int:
        """The line of a place in the text, from 1."""
        return bisect_right(self._line_starts, offset)

    def elements(self) -> Iterator[tuple[int, Any]]:
        """Each element with the offset at which it begins.

        Raises:
            json.JSONDecodeError: the text is not a list, or stops being JSON; elements before that were given.
            RecursionError: an element is nested too deeply to be read.
            ValueError: an element has a number of more digits than Python reads (4,300).
        """
        at = self._after_space(0)
        if self.text[at : at + 1] != "[":
            raise json.JSONDecodeError("a dataset is a JSON list, starting with [", self.text, at)
        at = self._after_space(at + 1)
        if self.text[at : at + 1] == "]":
            self._end(at)
            return
        while True:
            self.repeated_keys = []
            self.reading = self.line(at)
            value, end = self._decoder.raw_decode(self.text, at)
            yield at, value
            at = self._after_space(end)
            if self.text[at : at + 1] == "]":
                self._end(at)
                return
            if self.text[at : at + 1] != ",":
                raise json.JSONDecodeError("expected a comma or ] after an item", self.text, at)
            at = self._after_space(at + 1)

    def locate(self, offset: int, path: Path) -> int:
        """Where the value at `path` inside the value at `offset` begins; of its nearest parent if it is absent."""
        for step in path:
            found = self._member(offset, step)
            if found is None:
                break
            offset = found
        return offset

    def _member(self, offset: int, step: str | int) -> int | None:
        opening = self.text[offset]
        if opening not in "{[" or (opening == "{") != isinstance(step, str):
            return None
        found = None
        at = self._after_space(offset + 1)
        number = 0
        while self.text[at] not in "}]":
            key: Any = number
            if opening == "{":
                key, end = self._plain.raw_decode(self.text, at)
                at = self._after_space(self._after_space(end) + 1)
            if key == step:
                found = at
            _, end = self._plain.raw_decode(self.text, at)
            at = self._after_space(end)
            if self.text[at] == ",":
                at = self._after_space(at + 1)
            number += 1
        return found

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) < len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    self.repeated_keys.append(key)
                seen.add(key)
        return members

    def _end(self, closing: int) -> None:
        rest = self._after_space(closing + 1)
        if rest < len(self.text):
            raise json.JSONDecodeError("there is more text after the list", self.text, rest)

    def _after_space(self, at: int) -> int:
        match = _SPACE.match(self.text, at)
        return match.end() if match else at
