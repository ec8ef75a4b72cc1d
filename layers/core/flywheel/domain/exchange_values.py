"""Text of a trace, as JSON or in Python's own notation -> the value in it; an object -> its fields by plain names."""

import ast
import json
import re
from collections.abc import Mapping
from typing import Any, Final

LONGEST_TEXT: Final = 5_000_000
"""Characters of an input or output that are looked at; Langfuse takes 4.5 MB."""

_LONGEST_NOTATION: Final = 200_000
_SAYS_JSON: Final = re.compile(r'\s*(?:\{\s*["}]|\[\s*(?:\]|(?:\[\s*)*(?:\{\s*)?"))')
_SAYS_NOTATION: Final = re.compile(r"\s*(?:\{\s*'|\[\s*(?:\{\s*)?')")
_EVENT_LINE: Final = re.compile(r"^data:[ ]?", re.MULTILINE)
_MOST_WRAPPINGS: Final = 4

type Fields = dict[str, Any]


class DamagedError(ValueError):
    """Text that begins as JSON and is none, or is too long to be looked at. The message is for people."""


def decoded(value: Any) -> Any:
    """The value that a text holds, or the text itself when it is prose; any other value as it is.

    Raises:
        DamagedError: see there.
    """
    for _ in range(_MOST_WRAPPINGS):
        if not isinstance(value, str):
            return value
        inner = _decoded_once(value)
        if inner is value:
            return value
        value = inner
    return value


def _decoded_once(text: str) -> Any:
    if len(text) > LONGEST_TEXT:
        raise DamagedError(f"it has {len(text)} characters, of which {LONGEST_TEXT} at most are read")
    if text.strip() == "null":
        return None
    if text.lstrip()[:1] == '"':
        return _quoted(text)
    if _SAYS_NOTATION.match(text):
        return _notation(text)
    if not _SAYS_JSON.match(text):
        return text
    try:
        return json.loads(text, strict=False)
    except RecursionError as error:
        raise DamagedError("its JSON is nested too deeply") from error
    except json.JSONDecodeError as error:
        # What goes on after a whole value is prose that begins with an example, or one value a line.
        if error.msg == "Extra data":
            return _lines(text)
        raise DamagedError("it begins as JSON and is damaged or cut off") from error
    except ValueError as error:
        raise DamagedError("it has a number of thousands of digits") from error


def _lines(text: str) -> Any:
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        values = [json.loads(line) for line in lines]
    except (ValueError, RecursionError):
        return text
    return values if all(isinstance(value, dict) for value in values) else text


def _quoted(text: str) -> Any:
    """A JSON string; a sentence that begins with a quotation is prose."""
    try:
        inner = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return text
    return inner if isinstance(inner, str) else text


def _notation(text: str) -> Any:
    """What Python prints of a dictionary or list; frameworks that call `str()` write so."""
    if len(text) > _LONGEST_NOTATION:
        return text
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return value if isinstance(value, dict | list) else text


def streamed(text: str) -> list[Any] | None:
    """The events of a reply that was sent as server-sent events; None: it is something else.

    Raises:
        DamagedError: an event is JSON and damaged.
    """
    if not text.lstrip().startswith(("data:", "event:")) or not _EVENT_LINE.search(text):
        return None
    lines = (line for line in text.splitlines() if line.startswith("data:"))
    said = (line.removeprefix("data:").removeprefix(" ") for line in lines)
    return [decoded(one) for one in said if one.strip() != "[DONE]"]


def fields(value: Mapping[Any, Any]) -> Fields:
    """Its fields by plain names: case, `_`, `-` and what stands before the last dot do not count.

    So `userInput`, `user_input` and `user-input` are one name, as are `message.content` and `content`.
    """
    found: Fields = {}
    for key, one in value.items():
        found.setdefault(plain_name(str(key)), one)
    return found


def plain_name(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name[:200].rpartition(".")[2]).casefold()


def named(value: Mapping[Any, Any], most: int = 6) -> str:
    """The names of its fields for a message, bounded and without any value."""
    names = [str(key)[:40] for key in list(value)[:most]]
    more = len(value) - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def no_words(value: Any) -> str:
    """Why a value that is no object and no list holds no text, for a message."""
    if value is None or isinstance(value, str):
        return "it is empty"
    return f"it is {'true or false' if isinstance(value, bool) else 'a number'}"
