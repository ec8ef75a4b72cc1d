"""How alike two questions, or two facts, are -> a number in [0, 1], by the words that they share (rapidfuzz)."""

import re
from collections.abc import Sequence
from functools import lru_cache

from rapidfuzz import fuzz, process

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


# Words at least this alike are one word: a typing error, another ending. `enable` and `disable` are 0.77.
_ONE_WORD = 85
# What two questions have in common when each has a word that the other has not: that makes them two questions.
_SUBSTITUTED = 0.5


class WordLikeness:
    """The share of words that two texts have in common (Dice), of all words that say something.

    A word in place of another makes another question, however long both are: "delete" for "export" is one word of
    twenty. So do numbers and negations: "30 days" and "90 days" differ by a character.
    """

    def questions(self, question: str, others: Sequence[str]) -> list[float]:
        return [_alike(question, other) for other in others]

    def facts(self, one: str, other: str) -> float:
        return _alike(one, other)


def _alike(one: str, other: str) -> float:
    (mine, tells), (theirs, other_tells) = _read(one), _read(other)
    if tells != other_tells:
        return 0.0
    both = mine & theirs
    left, over = list(mine - both), list(theirs - both)
    matched = 0
    for word in left:
        nearest = process.extractOne(word, over, scorer=fuzz.ratio, score_cutoff=_ONE_WORD)
        if nearest is not None:
            over.remove(nearest[0])
            matched += 1
    common = len(both) + matched
    total = len(mine) + len(theirs)
    share = 2 * common / total if total else 1.0
    return min(share, _SUBSTITUTED) if over and matched < len(left) else share


@lru_cache(maxsize=20_000)
def _read(text: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """The words that say something, and the numbers and negations, which have to be the same."""
    plain = normalised_question(text)
    words = frozenset(_stem(word) for word in _WORD.findall(plain))
    return words - _EMPTY or words, tuple(sorted(_TELLING.findall(plain)))


def _stem(word: str) -> str:
    """A plural and its singular are one word; enough for comparing, no more than that."""
    fewest = 3
    return word[:-1] if len(word) > fewest and word.endswith("s") and not word.endswith("ss") else word
