"""Text -> sentences and comparable terms: lower case, stemmed, numbers as digits. Shared by planner and judge."""

import re
from functools import lru_cache

from local.model.words import ENDINGS, NEGATIONS, NUMBERS, STOP_WORDS

# Longest first: an ending is cut as a whole.
_ENDINGS = sorted(ENDINGS, key=lambda ending: (-len(ending), ending))
_SHORTEST_STEM = 3

_TOKEN = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+")
_CANNOT = re.compile(r"\bcan(?:not|['\u2019]t)\b")
_CONTRACTION = re.compile(r"(?<=[a-z])n['\u2019]t\b")
_POSSESSIVE = re.compile(r"(?<=[a-z])['\u2019](?:s|re|ve|ll|d|m)?\b")
# A full stop inside a name or number (4.59, langfuse.openai, e.g.) does not end a sentence.
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[^\Wa-z_])|(?<=\?)\s+|\n+")


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """A lower-case word without its endings; `word` itself when little would be left. Not a word of any language."""
    while True:
        for ending in _ENDINGS:
            if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
                word = word[: -len(ending)]
                break
        else:
            return word


def tokenize(text: str) -> list[str]:
    """Lower-case words and numbers in their order; contractions opened (don't -> do not), number words as digits."""
    lowered = _POSSESSIVE.sub("", _CONTRACTION.sub(" not", _CANNOT.sub("can not", text.lower())))
    return [NUMBERS.get(token, token.replace(",", "")) for token in _TOKEN.findall(lowered)]


def content_words(text: str) -> list[str]:
    """Words that carry meaning, in order, unstemmed; neither stop words nor negations."""
    return [word for word in tokenize(text) if word not in STOP_WORDS and word not in NEGATIONS]


def terms(text: str) -> list[str]:
    """The stems of the content words, in order."""
    return [stem(word) for word in content_words(text)]


@lru_cache(maxsize=512)
def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a text; a line break ends one, too."""
    return tuple(piece for part in _SENTENCE_END.split(text) if (piece := part.strip().strip("-*•").strip()))


@lru_cache(maxsize=50_000)
def alike(one: str, other: str) -> bool:
    """Whether two stems are the same but for one typing error: a letter changed, left out, added, or two swapped.

    Short stems (under 5) and numbers must be equal.
    """
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    if len(short) < 5 or len(long) - len(short) > 1 or not short.isalpha():  # noqa: PLR2004
        return False
    start = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) < len(long):
        return short[start:] == long[start + 1 :]
    swapped = short[start : start + 2] == long[start : start + 2][::-1] and short[start + 2 :] == long[start + 2 :]
    return swapped or short[start + 1 :] == long[start + 1 :]
