"""A text that is longer than a golden item may hold -> its beginning, without a half word or a half placeholder."""

import re

# What stands behind the cut is redacted with the rest: a key that the cut would halve is seen whole.
SPARE = 1_000
_WORD_WITHIN = 200
_HALF_PLACEHOLDER = re.compile(r"<[A-Z]*_?\d*$")


def before_redaction(text: str, longest: int) -> str:
    """As much of a text as can matter: what is kept of it, and `SPARE` characters."""
    return text[: longest + SPARE]


def shortened(text: str, longest: int) -> str:
    """The text if it has at most `longest` characters, else its beginning up to the end of a word."""
    if len(text) <= longest:
        return text
    kept = text[:longest]
    space = max(kept.rfind(" "), kept.rfind("\n"))
    if space > longest - _WORD_WITHIN:
        return kept[:space].rstrip()
    return _HALF_PLACEHOLDER.sub("", kept)
