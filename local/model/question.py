"""A user's message -> the questions in it, and the words to search for."""

import re
from dataclasses import dataclass

from local.model.text import content_words, sentences, stem
from local.model.words import EMPTY_WORDS, FOREIGN_FILLERS, GLOSSARY, SYNONYMS

_AND_QUESTION = re.compile(
    r"[,;]?\s+(?:and|und|as well as|also|plus)\s+"
    r"(?=(?:how|what|where|when|which|who|can|does|do|is|are|why|wie|was|wo)\b)",
    re.IGNORECASE,
)
_BROAD = re.compile(
    r"\bwhat (?:exactly )?is langfuse\b|\bwhat'?s langfuse\b|\bwas ist langfuse\b|\boverview\b|\bintroduction\b"
    r"|\bwhat (?:can|does) langfuse (?:do|offer)\b|\bfeatures of langfuse\b|\bparts of (?:the platform|langfuse)\b",
    re.IGNORECASE,
)
# Words of measure: they ask for a kind of answer and are in none.
_MEASURE = re.compile(r"\b(how)\s+(?:long|often|far|big|large|fast)\b", re.IGNORECASE)
_MAX_QUERY_WORDS = 10
_MAX_WORDS = 60
_LONGEST_WORD = 60
_LONG_MESSAGE_WORDS = 60
_MIN_ASKED_WORDS = 2
_MAX_MESSAGE_CHARS = 20_000


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a message. `words` are its content words as the user wrote them, in order, each once."""

    text: str
    words: tuple[str, ...]

    @property
    def query(self) -> str:
        return " ".join(self.words[:_MAX_QUERY_WORDS])


def is_broad(text: str) -> bool:
    """Whether the message asks about the product as a whole."""
    return bool(_BROAD.search(text[:_MAX_MESSAGE_CHARS]))


def _find_words(text: str, *, reads_languages: bool) -> tuple[str, ...]:
    kept: list[str] = []
    for word in content_words(_MEASURE.sub(r"\1", text)):
        if word in EMPTY_WORDS or len(word) > _LONGEST_WORD:
            continue
        if reads_languages and word in GLOSSARY:
            kept.extend(GLOSSARY[word].split())
        elif not (reads_languages and word in FOREIGN_FILLERS):
            kept.append(word)
    return tuple(dict.fromkeys(kept))[:_MAX_WORDS]


def read_questions(message: str, *, max_questions: int, reads_languages: bool) -> tuple[Question, ...]:
    """The questions of a message, in order; at most `max_questions`, the first one winning. Empty when no word of it
    carries meaning.

    Sentences that are no questions are background: they count only when there is no question in the message.
    """
    text = message[:_MAX_MESSAGE_CHARS]
    asked = [s for s in sentences(text) if s.rstrip("\"')").endswith("?")]
    if not asked:
        # A long message without a question says what it wants at its beginning or at its end.
        parts = sentences(text)
        is_long = len(text.split()) > _LONG_MESSAGE_WORDS
        asked = [f"{parts[0]} {parts[-1]}"] if is_long and len(parts) > 1 else [text]
    pieces = [piece for sentence in asked for piece in _AND_QUESTION.split(sentence)]
    questions = [Question(piece, _find_words(piece, reads_languages=reads_languages)) for piece in pieces]
    found = [question for question in questions if question.words]
    if sum(len(question.words) for question in found) < _MIN_ASKED_WORDS:
        # "That is right, isn't it?" asks about what was said before.
        words = _find_words(text, reads_languages=reads_languages)
        found = [Question(text, words)] if words else []
    return tuple(found[:max_questions])


def rewrite(question: Question) -> str:
    """The query in other words; the same query when none of its words has a synonym."""
    return " ".join(
        dict.fromkeys(" ".join(SYNONYMS.get(word, word) for word in question.words[:_MAX_QUERY_WORDS]).split())
    )


def expand_stems(question: Question) -> dict[str, frozenset[str]]:
    """For each stem of the question, the stems that mean the same to this model (itself included)."""
    return {
        stem(word): frozenset({stem(word), *(stem(other) for other in SYNONYMS.get(word, "").split())})
        for word in question.words
    }
