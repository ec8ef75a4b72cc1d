"""Text of a JSON file that people write -> its value, and the line of each thing that is wrong with it."""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from flywheel.domain.dataset_problems import DatasetError, Problem
from flywheel.domain.json_positions import JsonText
from flywheel.domain.json_words import shown

_MOST_PLACES = 20  # as many as a message shows

type Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A file that is JSON. `repeated_keys` came twice in one object, where the last one won."""

    text: str
    data: Any
    repeated_keys: tuple[str, ...]

    def problems(self, found: Sequence[tuple[Place, str]]) -> list[Problem]:
        """What a check found, with lines for the first 20, after the keys that are there twice."""
        positions = JsonText(self.text)
        start = re.search(r"[^ \t\n\r]", self.text)
        problems = [
            Problem(None, None, "", f"the key {shown(key)} comes twice in one object") for key in self.repeated_keys
        ]
        for number, (place, message) in enumerate(found):
            line = None
            if start is not None and isinstance(self.data, dict) and number < _MOST_PLACES:
                with suppress(RecursionError):  # read once already, but from a shallower stack
                    line = positions.line(positions.locate(start.start(), place))
            problems.append(Problem(line, None, ".".join(str(step) for step in place), message))
        return problems


def read_document(
    text: str | bytes, *, source: str, most_bytes: int, error: Callable[[str, Sequence[Problem]], DatasetError]
) -> Document:
    """Decode a file; `error` makes what is raised of `source` and the one problem.

    Raises:
        DatasetError: it is too long, not UTF-8, or no JSON.
    """

    def refused(line: int | None, message: str) -> DatasetError:
        return error(source, [Problem(line, None, "", message)])

    if len(text) > most_bytes:
        raise refused(None, f"has {len(text)} bytes; at most {most_bytes} are read")
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as cause:
            line = cause.object.count(b"\n", 0, cause.start) + 1
            raise refused(line, f"not UTF-8 (byte {cause.start}); save the file as UTF-8") from cause
    text = text.removeprefix("\ufeff")
    repeated: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            count = Counter(name for name, _ in pairs)
            repeated.extend(sorted(name for name in found if count[name] > 1))
        return found

    try:
        data = json.loads(text, object_pairs_hook=members)
    except json.JSONDecodeError as cause:
        raise refused(cause.lineno, f"not JSON: {cause.msg} (column {cause.colno})") from cause
    except RecursionError as cause:
        raise refused(None, "is nested too deeply to be read") from cause
    except ValueError as cause:
        raise refused(None, "has a number of thousands of digits, which cannot be read") from cause
    return Document(text, data, tuple(repeated))
