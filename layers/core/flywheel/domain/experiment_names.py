"""Configurations of one search -> what tells each from the others, in words: `nova-pro, plain, top_k 5`.

Lists and comparisons cut a name after a few dozen characters, so these words come first in the name that a
configuration has in Langfuse, and say only what the search varies.
"""

import re
from collections.abc import Mapping, Sequence

_LONGEST_VALUE = 32
_LONGEST = 120
# `us.amazon.nova-pro-v1:0` and `openai/gpt-4o`: who makes it, where it runs and its revision.
_MAKER = re.compile(r"^(?:[a-z]{2,6}(?:-[a-z]+)?\.)?[a-z0-9]+\.(?=[a-z])|^.*/")
_REVISION = re.compile(r"-v\d+(?::\d+)?$|:\d+$")
_UNSAFE = re.compile(r"[^\w .:+()=%\-]+")
_PLAIN_WORDS = frozenset({"true", "false", "null", "none", "yes", "no", "on", "off"})


def words_of(values: Mapping[str, str], choices: Mapping[str, Sequence[str]]) -> str:
    """What tells a configuration of these values from the others of its search; empty when nothing is varied.

    `choices`: dimension -> names of all its values, in the order of the file. At most 120 characters; a value's words
    are at most 32 of letters, digits, spaces and `.:+()=%-_`. Two values of a dimension never have the same words. A
    value that says nothing without it (a number, true) follows its dimension.
    """
    texts = {name: _texts(name, names) for name, names in choices.items() if len(names) > 1 and name in values}
    found = []
    for name, of_value in texts.items():
        text = of_value[values[name]]
        elsewhere = any(text in other.values() for another, other in texts.items() if another != name)
        found.append(f"{name} {text}" if elsewhere or _says_nothing(text) else text)
    words = ", ".join(found)
    return words if len(words) <= _LONGEST else words[: _LONGEST - 3].rstrip(" ,") + "..."


def _texts(dimension: str, names: Sequence[str]) -> Mapping[str, str]:
    """Words of each value; what could not be told apart is counted instead."""
    short = {name: _shortened(name) for name in names}
    texts = [text.casefold() for text in short.values()]
    return {
        name: text if text and texts.count(text.casefold()) == 1 else f"{dimension} {number}"
        for number, (name, text) in enumerate(short.items(), start=1)
    }


def _shortened(name: str) -> str:
    text = _REVISION.sub("", _MAKER.sub("", name)) or name
    text = " ".join(_UNSAFE.sub(" ", text).split())
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3].rstrip() + "..."


def _says_nothing(text: str) -> bool:
    return text.casefold() in _PLAIN_WORDS or not re.search(r"[^\W\d_]{2}", text)
