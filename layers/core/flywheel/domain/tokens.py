"""Text -> its words; where a language writes none apart, pairs of characters stand for them.

Chinese, Japanese, Thai, Lao, Khmer and Burmese have no spaces between words. Two characters that follow each other
carry most of what a word does there, and need no dictionary (McNamee and Mayfield 2004, "Character n-gram
tokenization").
"""

import re
import unicodedata
from itertools import pairwise

# Letters with their vowel signs and accents: a sign by itself is no letter to `\w`, and would cut Hindi words apart.
_MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0903\u093a-\u094f\u0981-\u0983\u09bc-\u09cd"
_UNSPACED = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_TOKEN = re.compile(rf"[{_UNSPACED}]+|(?:(?![{_UNSPACED}])(?:[^\W_]|[{_MARKS}]))+")
_IS_UNSPACED = re.compile(rf"[{_UNSPACED}]")


def tokens(text: str) -> list[str]:
    """Words of letters and digits in their order, without case and width."""
    found: list[str] = []
    for run in _TOKEN.findall(unicodedata.normalize("NFKC", text).casefold()):
        found += _pairs(run) if unspaced(run) else [run]
    return found


def unspaced(token: str) -> bool:
    """Whether it is of a language that writes no spaces."""
    return _IS_UNSPACED.match(token) is not None


def _pairs(run: str) -> list[str]:
    return [first + second for first, second in pairwise(run)] or [run]
