"""A question and an answer, without a reference -> whether the answer is of any use, by the words that they share."""

from local.model.text import content_words, stem

CHOICES = frozenset({"good", "poor"})
_FEWEST_WORDS = 3


def rate(question: str, answer: str) -> tuple[str, str]:
    """The choice, and why. An answer is poor when it says next to nothing, or nothing of what was asked."""
    said = {stem(word) for word in content_words(answer)}
    asked = {stem(word) for word in content_words(question)}
    if len(said) < _FEWEST_WORDS:
        return "poor", "The answer says next to nothing."
    if asked and not asked & said:
        return "poor", "The answer shares no word with the question."
    return "good", "The answer is about what was asked."
