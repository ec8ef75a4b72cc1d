"""Texts of tool results -> passages to quote from, or the error that the tool gave."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from local.model.text import content_words, sentences, terms

_TEXT_KEYS = ("text", "content", "passage", "snippet", "body")
_TITLE_KEYS = ("title", "heading", "name")
_SOURCE_KEYS = ("url", "path", "link", "source")
_ERROR = re.compile(
    r"\s*\W{0,3}(error|exception|tool\b.{0,60}\b(failed|cancel|error|not found|unavailable)|unknown tool|connection "
    r"|the client session|failed|time[d -]*out|cancel)",
    re.IGNORECASE,
)
_MAX_PASSAGES = 200
_MAX_PASSAGE_CHARS = 4000


@dataclass(frozen=True, slots=True)
class Passage:
    title: str
    source: str
    text: str

    def words(self) -> frozenset[str]:
        """The content words of title and text, unstemmed."""
        return _words(f"{self.title} {self.text}")

    def sentence_stems(self) -> tuple[tuple[str, frozenset[str]], ...]:
        """Each sentence with the stems of its content words."""
        return _sentence_stems(self.text)

    def title_stems(self) -> frozenset[str]:
        return _stems(self.title)


@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[str]:
    return frozenset(content_words(text))


@lru_cache(maxsize=4096)
def _stems(text: str) -> frozenset[str]:
    return frozenset(terms(text))


@lru_cache(maxsize=4096)
def _sentence_stems(text: str) -> tuple[tuple[str, frozenset[str]], ...]:
    return tuple((sentence, _stems(sentence)) for sentence in sentences(text))


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What one tool call gave: passages, best first, or an error message."""

    passages: tuple[Passage, ...] = ()
    error: str = ""


def _read_json_values(text: str) -> list[Any] | None:
    """The JSON values that a text consists of, one after the other (a tool's list arrives as one value an entry);
    None when anything else is in it.
    """
    decoder, position = json.JSONDecoder(), 0
    values: list[Any] = []
    try:
        while position < len(text) and len(values) < _MAX_PASSAGES:
            value, end = decoder.raw_decode(text, position)
            values.append(value)
            position = end + len(text[end:]) - len(text[end:].lstrip(" \t\r\n,"))
    except (ValueError, RecursionError):
        return None
    return values


def _first(value: dict[str, Any], keys: tuple[str, ...]) -> str:
    return next((value[key] for key in keys if isinstance(value.get(key), str)), "")


def _find_passages(values: list[Any]) -> Iterator[Passage]:
    """Passages in any nesting of lists and of objects that hold lists, in order; without recursion, as the text may
    nest as deep as it likes.
    """
    stack = list(reversed(values))
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack.extend(reversed(value))
        elif isinstance(value, dict):
            text = _first(value, _TEXT_KEYS)
            if text:
                yield Passage(_first(value, _TITLE_KEYS), _first(value, _SOURCE_KEYS), text[:_MAX_PASSAGE_CHARS])
            else:
                stack.extend(reversed([inner for inner in value.values() if isinstance(inner, dict | list)]))
        elif isinstance(value, str) and value.strip():
            yield Passage("", "", value[:_MAX_PASSAGE_CHARS])


def read_tool_answer(content: str) -> ToolAnswer:
    """Read the text of a tool result: JSON in any of the usual shapes, else plain text by paragraphs."""
    text = content.strip()
    if not text:
        return ToolAnswer()
    values = _read_json_values(text)
    if values is not None:
        for value in values:
            if isinstance(value, dict) and value.get("error"):
                return ToolAnswer(error=str(value["error"]))
        return ToolAnswer(tuple(_find_passages(values))[:_MAX_PASSAGES])
    if _ERROR.match(text):
        return ToolAnswer(error=text)
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip() and not part.startswith("#")]
    return ToolAnswer(tuple(Passage("", "", part[:_MAX_PASSAGE_CHARS]) for part in paragraphs[:_MAX_PASSAGES]))
