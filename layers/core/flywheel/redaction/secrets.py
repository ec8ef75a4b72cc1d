"""Mail addresses, keys and tokens in a text."""

import math
import re
from collections import Counter
from collections.abc import Iterator

from flywheel.domain.redaction import Found

_EMAIL = re.compile(
    r"(?<![\w.+-])(?!git@)[^\W_][\w.+'-]{0,63}\s?(?:@|%40|\(at\)|\[at\]|\{at\})\s?"
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?(?:\.|\s?(?:\(dot\)|\[dot\])\s?))+[^\W\d_]{2,24}(?![\w-])",
    re.IGNORECASE,
)
# "ann dot lee at example dot com": the end has to be a domain that people have.
_SPOKEN_EMAIL = re.compile(
    r"(?<![\w.])\w{2,32}(?:\s+dot\s+\w{1,32}){0,3}\s+at\s+(?!the\b|a\b)[a-z][\w-]{1,32}(?:\s+dot\s+[\w-]{2,32}){0,2}"
    r"\s+dot\s+(?:com|org|net|io|dev|co|eu|de|fr|es|it|nl|uk)\b",
    re.IGNORECASE,
)
# Keys that say by their beginning what they are. Lengths are least ones: a documented prefix alone is no key.
_KNOWN = re.compile(
    r"(?<![\w-])(?:"
    r"(?:sk|pk)-lf-[\w-]{8,}"
    r"|lf-whsec_[0-9a-f]{16,}"
    r"|sk-(?:ant-|proj-|or-)?[\w-]{20,}"
    r"|(?:AKIA|ASIA|AROA|ABSK)[0-9A-Za-z+/=]{16,}"
    r"|gh[pousr]_[0-9A-Za-z]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
    r"|xox[abeoprs]-[\w-]{10,}|xapp-[\w-]{10,}"
    r"|AIza[\w-]{30,}|ya29\.[\w-]{20,}"
    r"|[rsp]k_(?:live|test)_[0-9A-Za-z]{10,}|whsec_[0-9A-Za-z+/=]{16,}"
    r"|hf_[0-9A-Za-z]{20,}|npm_[0-9A-Za-z]{30,}|pypi-[\w-]{20,}|dop_v1_[0-9a-f]{32,}|SG\.[\w-]{16,}\.[\w-]{16,}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"
    r")"
)
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_IN_URL = re.compile(r"(?<=://)[^\s/:@]{1,64}:([^\s/@]{3,})(?=@)")
_BEARER = re.compile(r"\b(?:bearer|basic)\s+([\w.~+/-]{16,}={0,2})", re.IGNORECASE)
# "password: x", "api_key = x", "das Passwort ist x"; the value is what is secret.
_NAMED = re.compile(
    r"(?:pass(?:word|wd|phrase)|pwd|\bpw|passwort|kennwort|mot de passe|contrase\u00f1a|senha|wachtwoord|has\u0142o"
    r"|l\u00f6senord(?:et)?|\bsalt|(?:encryption|signing|master)[ _-]?key|\u30d1\u30b9\u30ef\u30fc\u30c9"
    r"|secret(?:[ _-]?(?:access[ _-]?)?key)?|api[ _-]?key|access[ _-]?key|auth[ _-]?token|access[ _-]?token|token"
    r"|credential|private[ _-]?key|client[ _-]?secret)"
    r"(?P<link>[\"']?\s*(?:[:=]|=>|\bis\b|\bist\b|\best\b|\bes\b|\b[\u00e9\u00e8]\b|\blautet\b|\bhei\u00dft\b"
    r"|(?<=has\u0142o )to\b|\b\u00e4r\b|\u306f)\s*[:=]?\s*|\s+(?=[\"'`])|\s+)"
    r"(?P<quote>[\"'`]?)(?P<value>[^\s\"'`,;<>\u3067]{6,})(?P=quote)",
    re.IGNORECASE,
)
_LONG = re.compile(r"(?<![\w/+=.-])(?=[\w+/=-]*\d)(?=[\w+/=-]*[A-Za-z])[A-Za-z0-9+/_-]{32,}={0,2}(?![\w/+=])")
# A check sum of a package is public.
_INTEGRITY = re.compile(r"sha(?:1|256|384|512)[-:]", re.IGNORECASE)
_CALL = re.compile(r"[\w.]+\(.*")
_HEX_ID = re.compile(r"[0-9a-f-]{16,64}", re.IGNORECASE)
_RANDOM_BITS = 4.2
_SHORTEST = 6
# "the password Maple_7! fails": without a word between the two, only what has letters, digits and signs is one. A name
# with a version ("token client-v4.1") has signs, too: those count in quotes only.
_LIKE_A_PASSWORD = re.compile(r"(?=.*\d)(?=.*[^\W\d_])(?=.*[!#$%&*+?^])[^()\[\]{}=/]{6,64}")
_QUOTED_PASSWORD = re.compile(r"(?=.*\d)(?=.*[^\W\d_])(?=.*[!#$%&*+?^_.-])[^()\[\]{}=/@]{6,64}")
_FEWEST_CHARACTERS = 2
_WORDS = re.compile(
    r"[a-z]+(?:[._-][a-z]+)*|\$\{?\w+\}?|\{\{.*|os\.\w+.*|process\.\w+.*|\*+|x{3,}|\.{3,}", re.IGNORECASE
)


def find_emails(text: str) -> Iterator[Found]:
    for pattern in (_EMAIL, _SPOKEN_EMAIL):
        for match in pattern.finditer(text):
            yield Found("EMAIL", match.start(), match.end())


def find_keys(text: str) -> Iterator[Found]:
    yield from _known_keys(text)
    yield from _named_keys(text)
    for match in _LONG.finditer(text):
        if not (_HEX_ID.fullmatch(match[0]) or _INTEGRITY.match(match[0])) and _bits(match[0]) > _RANDOM_BITS:
            yield Found("KEY", match.start(), match.end())


def _known_keys(text: str) -> Iterator[Found]:
    for pattern in (_KNOWN, _PEM):
        for match in pattern.finditer(text):
            # A run of one character stands for a key in documentation.
            if len(set(match[0][-8:])) >= _FEWEST_CHARACTERS:
                yield Found("KEY", match.start(), match.end())


def _named_keys(text: str) -> Iterator[Found]:
    """What a word, a header or an address of a server calls secret."""
    for pattern in (_IN_URL, _BEARER):
        for match in pattern.finditer(text):
            if not _WORDS.fullmatch(match[1]):
                yield Found("KEY", match.start(1), match.end(1))
    for match in _NAMED.finditer(text):
        start = match.start("value")
        value = match["value"].rstrip(".?)]}")
        link = match["link"].strip()
        alone = _QUOTED_PASSWORD if match["quote"] else _LIKE_A_PASSWORD
        if match["value"].endswith("...") or (not link and not alone.fullmatch(value)):
            continue
        if _is_value(value, by_word=link.isalpha()):
            yield Found("KEY", start, start + len(value))


def _is_value(value: str, *, by_word: bool) -> bool:
    """A name of a variable, a word, a place holder is no secret; after a mere "is" it has to look like one."""
    if len(value) < _SHORTEST or _WORDS.fullmatch(value) or _CALL.fullmatch(value):
        return False
    return not by_word or bool(re.search(r"\d", value) or re.search(r"[^\w.-]", value))


def _bits(text: str) -> float:
    """Entropy of a character, in bits."""
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())
