"""Texts of one review -> the same without personal data and secrets, by patterns and, where configured, a service."""

from collections.abc import Sequence

from flywheel.domain.redaction import Found, Redacted, replace_found
from flywheel.ports.harvest import NameFinder
from flywheel.redaction.addresses import find_addresses
from flywheel.redaction.numbers import find_cards, find_ibans, find_ips, find_phones
from flywheel.redaction.secrets import find_emails, find_keys

_FINDERS = (find_keys, find_emails, find_ibans, find_cards, find_ips, find_addresses, find_phones)


def find_all(text: str) -> list[Found]:
    """Every find of every pattern; they may overlap."""
    return [found for finder in _FINDERS for found in finder(text)]


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
