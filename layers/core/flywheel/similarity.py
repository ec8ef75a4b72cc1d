"""How alike two questions, or two facts, are -> a number in [0, 1], by the words that they share (rapidfuzz)."""

from collections.abc import Sequence
from functools import lru_cache

from rapidfuzz import fuzz, process

from flywheel.domain.contrast import one_word, plain, reversed_words, telling
from flywheel.domain.tokens import tokens

# Words that every question of a kind has: sharing them says nothing. Negations and numbers are compared by themselves.
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
        "your",
        "its",
        "not",
        "t",
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


# Words at least this alike are one word: a typing error, another ending. `enable` and `disable` are 0.77.
_ONE_WORD = 85
# What two questions have in common when each has a word that the other has not: that makes them two questions.
_SUBSTITUTED = 0.5


class WordLikeness:
    """The share of words that two texts have in common (Dice), of all words that say something.

    A word in place of another makes another question, however long both are: "delete" for "export" is one word of
    twenty. So do numbers and negations ("30 days" and "90 days" differ by a character), opposites that begin otherwise
    ("subscribe", "unsubscribe"), and the same words in the other direction (`domain.contrast`).
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
        alike = [candidate for candidate in over if one_word(word, candidate)]
        nearest = process.extractOne(word, alike, scorer=fuzz.ratio, score_cutoff=_ONE_WORD)
        if nearest is not None:
            over.remove(nearest[0])
            matched += 1
    common = len(both) + matched
    total = len(mine) + len(theirs)
    share = 2 * common / total if total else 1.0
    differs = (over and matched < len(left)) or reversed_words(one, other)
    return min(share, _SUBSTITUTED) if differs else share


@lru_cache(maxsize=20_000)
def _read(text: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """The words that say something, and the numbers and negations, which have to be the same."""
    words = frozenset(plain(word) for word in tokens(text))
    return words - _EMPTY or words, telling(text)
