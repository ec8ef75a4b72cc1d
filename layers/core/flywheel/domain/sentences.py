"""Prose in any language -> its sentences, by their marks; abbreviations, numbers, versions and addresses end none."""

import re
from typing import Final

_CLOSERS: Final = "\"'\u00bb\u00ab\u201d\u201c\u2019)\\]}\u3009\u300b\u300d\u300f\u3011\uff09*_"
_OPENERS: Final = "\"'\u00ab\u00bb\u201e\u201c\u201a\u2018([{¿¡\u300c\u300e\u3010\uff08*_"
# Marks after which a space is needed, and those that end a sentence by themselves (Chinese and Japanese, Arabic, Urdu,
# Hindi, Armenian, Ethiopic, Burmese, Khmer).
_SPACED: Final = r"(?<![.!?\u2026\u203c])[.!?\u2026\u203c\u2047-\u2049]++"
_ALONE: Final = r"[。\uff01\uff1f\uff0e\uff61\u061f\u06d4\u0964\u0965\u0589\u1362\u104b\u17d4]+"
_END: Final = re.compile(rf"(?P<alone>{_ALONE})[{_CLOSERS}]*+|(?P<spaced>{_SPACED})[{_CLOSERS}]*+(?=\s)")
_QUOTED_END: Final = tuple("\u300d\u300f")
_ENUMERATOR: Final = re.compile(r"\(?\d{1,2}[.)]\s+")
# Letters with dots between them: e.g, z.B, U.S, d.w.z
_DOTTED: Final = re.compile(r"(?:[^\W\d_]{1,3}\.)+[^\W\d_]{1,3}")
_HOURS: Final = frozenset({"a.m", "p.m"})
# What stands before a name or an example. What also ends sentences (etc., usw., ecc., enz.) is not here.
_ABBREVIATIONS: Final = frozenset(
    """
    approx bros capt cf corp dept dr ext gov inc jr ltd mr mrs ms mt prof ref refs rev sen sgt sr st vs resp incl excl
    bsp bspw bzgl bzw ca evtl ggf hr hrsg inkl insb mio mrd nr sog str usf vgl zb zzgl exkl allg frl
    chap env ex mlle mm mme mmes ej lic pág págs núm sra sras sres srta tfno ud uds ee uu aprox
    dott dra dras dres pag pagg sig sigg
    np tj tzw tzn tzv örn bkz fx напр см стр тыс млн
    bijv blz dhr evt mevr mw nl nrs zgn
    """.split()  # noqa: SIM905 - a list of words is read more easily so
)
# Words of their own, and abbreviations before a number only.
_BEFORE_NUMBERS: Final = frozenset(
    """
    no nos num fig figs vol vols art sec op pp ch max min abb abs anm aufl bd kap mind std tab cap av tel temp
    """.split()  # noqa: SIM905
)
# After a number and a dot: a date or an ordinal goes on (am 3. Mai, im 2. Quartal, den 1. januar).
_AFTER_ORDINAL: Final = re.compile(
    r"(?:jan|feb|mär|mar|apr|mai|maj|jun|jul|aug|sep|okt|oct|nov|dez|dec)\w*\b"
    r"|(?:quartal|tag|woche|monat|jahr|kapitel|abschnitt|schritt|stufe|stock|platz|version|generation|auflage|halbjahr"
    r"|jahrhundert|person|klasse|mal|teil|punkt|ebene)\w{0,2}\b",
    re.IGNORECASE,
)


def sentences(text: str) -> list[str]:
    """The sentences of one paragraph, each without the number that a list inside the text gave it."""
    text = " ".join(text.split())
    found: list[str] = []
    start = 0
    for mark in _END.finditer(text):
        if _ends(text, start, mark):
            found.append(text[start : mark.end()])
            start = mark.end()
    found.append(text[start:])
    plain = (without_number(sentence.strip()) for sentence in _with_asides(found))
    return [sentence for sentence in plain if any(char.isalnum() for char in sentence)]


def _with_asides(found: list[str]) -> list[str]:
    """What stands in brackets after a sentence and is none itself belongs to it."""
    kept: list[str] = []
    for sentence in found:
        plain = sentence.strip()
        if kept and plain.startswith("(") and plain.endswith(")") and not ends_a_sentence(plain[:-1]):
            kept[-1] += sentence
        else:
            kept.append(sentence)
    return kept


def without_number(sentence: str) -> str:
    """The sentence without a list's number before it; a number that belongs to it stays (3. Mai)."""
    numbered = _ENUMERATOR.match(sentence)
    if numbered is None or ordinal_goes_on(sentence[numbered.end() :]):
        return sentence
    return sentence[numbered.end() :]


def ends_a_sentence(text: str) -> bool:
    """Whether the last mark of the text is one that ends a sentence."""
    return bool(_END.search(text.rstrip()[-8:] + " ")) and not text.rstrip()[-1:].isalnum()


def ordinal_goes_on(following: str) -> bool:
    """Whether the words after a number and a dot belong to it, as in a German date."""
    return bool(_AFTER_ORDINAL.match(following))


def _ends(text: str, start: int, mark: re.Match[str]) -> bool:
    following = text[mark.end() :]
    if mark["alone"]:
        # A quotation inside a sentence: what follows without a space goes on.
        return not (mark.group().endswith(_QUOTED_END) and following[:1].strip())
    first = following.lstrip().lstrip(_OPENERS)[:1]
    if first.islower():
        return False
    if mark["spaced"] != "." or mark.group() != ".":
        return True
    said = text[start : mark.start()]
    word = said.rsplit(maxsplit=1)[-1].lstrip(_OPENERS).casefold() if said.strip() else ""
    if word.isdecimal():
        enumerates = said.strip() == word or said.rstrip()[: -len(word)].rstrip().endswith((":", "\uff1a"))
        return not (len(word) <= 2 and (enumerates or ordinal_goes_on(following.lstrip())))  # noqa: PLR2004
    if word in _HOURS:
        return True
    is_initial = len(word) == 1 and word.isalpha()
    is_initial |= word in _BEFORE_NUMBERS and following.lstrip()[:1].isdecimal()
    return not (is_initial or word in _ABBREVIATIONS or _DOTTED.fullmatch(word))
