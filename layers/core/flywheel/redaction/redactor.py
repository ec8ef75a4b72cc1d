"""Texts of one review -> the same without personal data and secrets, by patterns and, where configured, a service."""

import re
from collections.abc import Sequence

from flywheel.domain.redaction import Found, Redacted, replace_found
from flywheel.ports.harvest import NameFinder
from flywheel.redaction.addresses import find_addresses
from flywheel.redaction.numbers import find_cards, find_ibans, find_ips
from flywheel.redaction.phones import find_phones
from flywheel.redaction.secrets import find_emails, find_keys

_FINDERS = (find_keys, find_emails, find_ibans, find_cards, find_ips, find_addresses, find_phones)


# Nothing personal has so much white space inside; a pattern that looks for more of it takes the square of its length.
_GAP = re.compile(r"\s{24,}")


def find_all(text: str) -> list[Found]:
    """Every find of every pattern; they may overlap. Takes time in proportion to the length of the text."""
    finds: list[Found] = []
    start = 0
    for gap in (*_GAP.finditer(text), None):
        end = gap.start() if gap else len(text)
        piece = text[start:end]
        finds += [Found(f.kind, f.start + start, f.end + start) for finder in _FINDERS for f in finder(piece)]
        start = gap.end() if gap else end
    return finds


class PatternRedactor:
    """`names`: who finds names of people; without it they stay."""

    def __init__(self, names: NameFinder | None = None) -> None:
        self._names = names

    def redact(self, texts: Sequence[str]) -> Redacted:
        found = [find_all(text) for text in texts]
        if self._names is not None:
            for finds, names in zip(found, self._names.find(texts), strict=True):
                finds.extend(names)
        return replace_found(texts, found)
