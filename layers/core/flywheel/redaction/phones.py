"""Phone numbers in a text, by the numbering plans of countries; the time it takes grows with the text, not faster."""

import re
from collections.abc import Iterator

import phonenumbers

from flywheel.domain.redaction import Found

# Numbers without a country code are read by these plans, one after the other.
_REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "CH", "AT", "IN", "BR", "JP", "AU")
_FEWEST_DIGITS = 8
_LONGEST_NUMBER = 40
# So many characters of digits and what stands between them are held against the plans; thirteen plans take about 40
# microseconds a character. In a text with more of them, the rest is judged by its form alone.
_PLANNED_CHARACTERS = 4_000
# What numbers are written with: what the library takes for punctuation between digits, and the words of an extension.
_BETWEEN = (
    r"\d ()\[\]./~x+\-\u00a0\u00ad\u200b\u2010-\u2015\u2060\u2212\u3000\u30fc"
    r"\uff08\uff09\uff0b\uff0d-\uff0f\uff3b\uff3d\uff5e"
)
_RUN = re.compile(
    rf"[+\uff0b(\[\uff08]{{0,3}}\d(?:[{_BETWEEN}]|[ ,]{{0,2}}(?:extn?|durchwahl)\b[.:]? ?(?=\d))*", re.IGNORECASE
)
_DATE_OR_TIME = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{1,2}:\d{2}")
# What stands before a number that is not a phone's, whatever plan it fits.
_NO_PHONE_BEFORE = re.compile(
    r"(?:\bid|\bids|\border|\bno|\bnumber|\bticket|\bissue|\binvoice|\bport|\bversion|\btimestamp|\bts|\bepoch|\btokens?"
    r"|\bseed|\brows?|\bnr|\bRechnung|\bBestellung|\bcommande|\bpedido|\bordine|\bzam\u00f3wienie|#)[\s:=#.]*$",
    re.IGNORECASE,
)
_PHONE_BEFORE = re.compile(
    r"(?:phone|call|tel|mobil\w*|cell|whatsapp|fax|handy|rufen?|reach|ring|sms|text me|appel\w*|llam\w*|chiam\w*"
    r"|liga\w*|numéro|n[uú]mero de tel\w*|\u96fb\u8a71|\u7535\u8bdd)\W*(?:\w+\W+){0,4}$",
    re.IGNORECASE,
)
_BEFORE = 40


def find_phones(text: str) -> Iterator[Found]:
    """International numbers anywhere; national ones when they are written as such, or a word before says so.

    Past the first 4,000 characters of numbers in a text, a run of digits that is written as a phone number is taken for
    one whether a plan knows it or not: rather a figure too many is replaced than a number left standing.
    """
    left = _PLANNED_CHARACTERS
    known: dict[str, list[tuple[int, int]]] = {}
    for run in _RUN.finditer(text):
        if sum(char.isdigit() for char in run[0]) < _FEWEST_DIGITS:
            continue
        start, end = run.span()
        # One character on each side: a number beside a letter or a currency sign is none.
        first = max(0, start - 1)
        piece = text[first : end + 1]
        if piece not in known:
            planned = end if end - start <= _LONGEST_NUMBER <= left else min(end, start + left)
            left -= planned - start
            known[piece] = [*_by_plan(text[first : planned + 1])] if planned > start else []
            if planned < end:  # from before the cut: it may have gone through a number
                known[piece].append((max(start, planned - _LONGEST_NUMBER) - first, end - first))
        for begin, stop in known[piece]:
            span = first + begin, first + stop
            if _in_groups(text[slice(*span)]) if stop - begin > _LONGEST_NUMBER else _is_phone(text, *span):
                yield Found("PHONE", *span)


def _by_plan(piece: str) -> list[tuple[int, int]]:
    """Where the plans know a number, each place once."""
    found: dict[tuple[int, int], None] = {}
    for region in (None, *_REGIONS):
        # With a country code a length that the plan allows is enough: who writes one means one.
        leniency = phonenumbers.Leniency.VALID if region else phonenumbers.Leniency.POSSIBLE
        for match in phonenumbers.PhoneNumberMatcher(piece, region, leniency=leniency):
            found[match.start, match.end] = None
    return list(found)


def _is_phone(text: str, start: int, end: int) -> bool:
    raw = text[start:end]
    before = text[max(0, start - _BEFORE) : start]
    digits = re.sub(r"\D", "", raw)
    if len(digits) < _FEWEST_DIGITS or _DATE_OR_TIME.search(raw) or re.match(r"[\w-]", text[end : end + 1] or " "):
        return False
    if re.search(r"[A-Za-z0-9_.-]$", before):
        return False
    if raw.startswith(("+", "00")) or _PHONE_BEFORE.search(before):
        return True
    if _NO_PHONE_BEFORE.search(before):
        return False
    return _in_groups(raw)


def _in_groups(raw: str) -> bool:
    """A run of digits alone is a number of anything; one in groups, or with a leading 0 in groups, is a phone's."""
    groups = [group for group in re.split(r"\D+", raw) if group]
    return len(groups) > 1 and "." not in raw.strip(".")
