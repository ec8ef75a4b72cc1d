"""Texts and what was found in them -> the texts with placeholders, and a list of what was replaced."""

import re
import unicodedata
from bisect import bisect, bisect_left
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

type Kind = Literal["KEY", "EMAIL", "IBAN", "CARD", "IP", "ADDRESS", "PHONE", "NAME"]

# Where two finds overlap, the kind that stands first here wins: a key may contain what looks like a phone number.
KINDS: tuple[Kind, ...] = get_args(Kind.__value__)

_PLACEHOLDER = re.compile(rf"<({'|'.join(KINDS)})_(\d{{1,6}})>")


@dataclass(frozen=True, slots=True)
class Found:
    """Something personal or secret at `start` to `end` of a text."""

    kind: Kind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Redacted:
    """`replaced`: kind, placeholder and count of each thing; never the thing itself."""

    texts: tuple[str, ...]
    replaced: tuple[Mapping[str, Any], ...]


def replace_found(texts: Sequence[str], found: Sequence[Collection[Found]]) -> Redacted:
    """The same thing has the same placeholder in all of the texts, so that what they say keeps its meaning."""
    numbers: dict[tuple[Kind, str], int] = {}
    counts: Counter[tuple[Kind, int]] = Counter()
    # A placeholder that somebody typed keeps its number.
    taken = Counter({kind: max((int(n) for n in _typed(texts, kind)), default=0) for kind in KINDS})
    written: list[str] = []
    for text, finds in zip(texts, found, strict=True):
        parts: list[str] = []
        end = 0
        for find in without_overlaps(_outside_placeholders(text, finds)):
            value = (find.kind, _same(find.kind, text[find.start : find.end]))
            if value not in numbers:
                taken[find.kind] += 1
                numbers[value] = taken[find.kind]
            counts[find.kind, numbers[value]] += 1
            parts += [text[end : find.start], f"<{find.kind}_{numbers[value]}>"]
            end = find.end
        written.append("".join([*parts, text[end:]]))
    replaced = [
        {"kind": kind, "placeholder": f"<{kind}_{number}>", "count": count}
        for (kind, number), count in sorted(counts.items())
    ]
    return Redacted(tuple(written), tuple(replaced))


def without_overlaps(finds: Collection[Found]) -> list[Found]:
    """In the order of the text; of two that overlap the kind decides, then length. What one leaves over is kept."""
    chosen: list[Found] = []
    for find in sorted(finds, key=lambda f: (KINDS.index(f.kind), f.start - f.end, f.start)):
        place = bisect(chosen, find.start, key=_start)
        free_before = place == 0 or chosen[place - 1].end <= find.start
        if free_before and (place == len(chosen) or find.end <= chosen[place].start):
            chosen.insert(place, find)
    return chosen


def _start(find: Found) -> int:
    return find.start


def _outside_placeholders(text: str, finds: Collection[Found]) -> list[Found]:
    """A placeholder is nothing that has to be replaced, also where a password would stand."""
    standing = [match.span() for match in _PLACEHOLDER.finditer(text)]
    starts = [start for start, _ in standing]
    ends = [end for _, end in standing]
    # Placeholders that begin before the find ends are as many as have ended when it starts: none is in between.
    return [f for f in finds if bisect_left(starts, f.end) == bisect(ends, f.start)]


def _typed(texts: Sequence[str], kind: Kind) -> list[str]:
    return [number for text in texts for found, number in _PLACEHOLDER.findall(text) if found == kind]


def _same(kind: Kind, value: str) -> str:
    """What makes two spellings one thing."""
    plain = unicodedata.normalize("NFKC", value).casefold()
    if kind in ("PHONE", "CARD", "IBAN"):
        return re.sub(r"[^0-9a-z+]", "", plain)
    return plain if kind == "KEY" else " ".join(plain.split())
