"""How alike two questions, or two facts, are -> a number in [0, 1], by the words that they share (rapidfuzz)."""

import re
from collections.abc import Sequence

from rapidfuzz import fuzz

from flywheel.domain.golden_item import normalised_question

# Words that every question of a kind has: sharing them says nothing. What a word negates or counts is kept.
_EMPTY = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "in",
        "on",
        "at",
        "to",
        "for",
        "from",
        "with",
        "by",
        "and",
        "or",
        "is",
        "are",
        "be",
        "do",
        "does",
        "can",
        "could",
        "would",
        "should",
        "i",
        "you",
        "we",
        "it",
        "my",
        "our",
        "me",
        "how",
        "what",
        "which",
        "where",
        "when",
        "there",
        "this",
        "that",
        "please",
        "tell",
        "langfuse",
        "have",
        "has",
        "get",
        "if",
        "so",
        "as",
        "into",
        "about",
        "need",
        "want",
    ]
)
_WORD = re.compile(r"[^\W_]+")
_TELLING = re.compile(
    r"\d+(?:\.\d+)*|\b(?:not|no|never|without|cannot|nicht|kein\w*|ohne|pas|sans|sin|nunca|n[a\u00e3]o)\b|n't\b"
)


class WordLikeness:
    """Texts whose numbers or negations differ are never one: "30 days" and "90 days" differ by a character."""

    def questions(self, question: str, others: Sequence[str]) -> list[float]:
        mine, telling = _words(question), _tells(question)
        return [self._alike(mine, other) if _tells(other) == telling else 0.0 for other in others]

    def facts(self, one: str, other: str) -> float:
        if _tells(one) != _tells(other):
            return 0.0
        return self._alike(_words(one), other)

    def _alike(self, mine: str, other: str) -> float:
        return fuzz.token_sort_ratio(mine, _words(other)) / 100


def _words(text: str) -> str:
    plain = normalised_question(text)
    words = [_stem(word) for word in _WORD.findall(plain)]
    return " ".join([word for word in words if word not in _EMPTY] or words)


def _stem(word: str) -> str:
    """A plural and its singular are one word; enough for comparing, no more than that."""
    fewest = 4
    return word[:-1] if len(word) > fewest and word.endswith("s") and not word.endswith("ss") else word


def _tells(text: str) -> list[str]:
    return sorted(_TELLING.findall(normalised_question(text)))
