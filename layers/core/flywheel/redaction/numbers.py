"""Cards, bank accounts and IP addresses in a text, by their forms and check digits."""

import re
from collections.abc import Iterator
from ipaddress import ip_address

from stdnum import iban, luhn

from flywheel.domain.redaction import Found

_IPV4_VERSION = 4
_FEWEST_IPV6_CHARACTERS = 4
_HIGHEST_OF_VERSIONS = 30
_CARD = re.compile(r"(?<![\w.+-])(?:(?:\d[ -]?){12,18}\d|\d{4}(?:\.\d{4}){3})(?![\w-]|\.\d)")
# The first digits of the schemes in use; a Luhn number of another kind (IMEI, tracking number) is no card.
_CARD_SCHEME = re.compile(r"(?:4|5[0-8]|2[2-7]|3[47]|3[068]|6(?:011|5|4[4-9]|2|304|7)|35)")
_DEVICE_BEFORE = re.compile(r"\b(?:imei|iccid|meid)\W*$", re.IGNORECASE)  # they have the check digit of cards
_IBAN = re.compile(r"(?:(?<!\w)|(?<=\bIBAN))[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}(?!\w)", re.IGNORECASE)
_IPV4 = re.compile(r"(?<![A-Za-z0-9_.-])\d{1,3}(?:\.\d{1,3}){3}(?![A-Za-z0-9_-]|\.\d)")
_IPV6 = re.compile(
    r"(?<![\w:.])(?:[0-9a-f]{0,4}:){2,7}(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{1,4})?(?![\w:])", re.IGNORECASE
)
# "version 1.2.3.4" and "clickhouse 24.1.2.3" are no addresses.
_VERSION_BEFORE = re.compile(
    r"(?:\bv|\bvers(?:ions?|i\u00f3n|ione|ie|\u00e3o|ao)|\bwersj\w|\brelease|\bsdk|\bbuild|\u7248\u672c"
    r"|\bsections?|\b\u00a7|\bkapitel|\bchapter)[\s:=]*$",
    re.IGNORECASE,
)
# After these stands a version, or the address of one that runs: low numbers that nobody uses at home are a version.
_SOFTWARE_BEFORE = re.compile(
    r"(?:\bclickhouse|\bpostgres\w*|\bredis|\bnginx|\bnode|\bpython|\blangfuse"
    r"|\b(?:upgrad\w+|updat\w+|migrat\w+)\s+(?:from|to)(?:\s+\d+(?:\.\d+){1,3}\s+to)?)[\s:=]*$",
    re.IGNORECASE,
)
_MASK = re.compile(r"255\.|0\.0\.")
_BEFORE = 40


def find_cards(text: str) -> Iterator[Found]:
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if _DEVICE_BEFORE.search(text[max(0, match.start() - _BEFORE) : match.start()]):
            continue
        if _CARD_SCHEME.match(digits) and luhn.is_valid(digits) and len(set(digits)) > 1:
            yield Found("CARD", match.start(), match.end())


def find_ibans(text: str) -> Iterator[Found]:
    """The pattern may run into the next word: the longest beginning with right check digits is the account."""
    for match in _IBAN.finditer(text):
        shortest = 15
        for end in range(match.end(), match.start() + shortest - 1, -1):
            inner = text[match.start() : end]
            if not re.match(r"\w", text[end : end + 1] or " ") and iban.is_valid(inner):
                yield Found("IBAN", match.start(), end)
                break


def find_ips(text: str) -> Iterator[Found]:
    """Addresses of machines; loopback and unspecified ones name nobody and are left."""
    for match in (*_IPV4.finditer(text), *_IPV6.finditer(text)):
        value = match[0]
        if ":" in value and sum(char.isalnum() for char in value) < _FEWEST_IPV6_CHARACTERS:  # `::` in code
            continue
        try:
            address = ip_address(value)
        except ValueError:
            continue
        before = text[max(0, match.start() - _BEFORE) : match.start()]
        is_version = address.version == _IPV4_VERSION and _is_version(value, before, private=address.is_private)
        is_mask = address.version == _IPV4_VERSION and bool(_MASK.match(value))
        if not (address.is_loopback or address.is_unspecified or is_version or is_mask):
            yield Found("IP", match.start(), match.end())


def _is_version(value: str, before: str, *, private: bool) -> bool:
    if _VERSION_BEFORE.search(before):
        return True
    first, second = map(int, value.split(".")[:2])
    low = max(first, second) < _HIGHEST_OF_VERSIONS and not private
    return low and bool(_SOFTWARE_BEFORE.search(before))
