"""Postal addresses in a text: street and number, with or without post code and town, as six languages write them."""

import re
from collections.abc import Iterator

from flywheel.domain.redaction import Found

_NUMBER = r"\d{1,5}(?:\s?[-/]\s?\d{1,5})?(?:\s?[a-zA-Z])?\b"
_NAME = r"[A-Z\u00c0-\u00de](?:[a-z\u00df-\u017f][A-Za-z\u00c0-\u017f'.-]*|\.)"
_TOWN = rf"{_NAME}(?:[ -](?:(?:de|la|le|sur|upon|am|an der|del|di|den|of)\s)?{_NAME}){{0,2}}"
_FLAT = r"(?i:\s*,?\s*(?:apt|apartment|suite|ste|unit|flat|floor|fl|no)\b\.?\s*#?\s*\w{1,6})?"
_EN_STREET = (
    r"(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|place|pl|square|sq|terrace|way|close|"
    r"crescent|parkway|pkwy|highway|hwy)\b\.?"
)
_TAIL = (
    rf"(?:\s+[NSEW]{{1,2}}\b)?(?:\s*,\s*{_TOWN}(?:\s*,?\s*[A-Z]{{2}}\b)?(?:\s*,?\s*\d{{5}}"
    rf"(?:-\d{{4}})?)?(?:\s*,?\s*[A-Z]{{1,2}}\d[A-Z\d]?\s?\d[A-Z]{{2}})?)?"
)
_EN = (
    rf"\b\d{{1,5}}[a-zA-Z]?\s+(?:[NSEW]\.?\s+)?(?:(?:{_NAME}|\d{{1,3}}(?:st|nd|rd|th))\s+){{1,3}}(?i:"
    rf"{_EN_STREET}){_FLAT}{_TAIL}"
)
_POSTCODE_TOWN = rf"(?:\s*,?\s*(?:[A-Z]{{1,2}}-)?\d{{4,5}}(?:-\d{{3}})?(?:\s?[A-Z]{{2}})?\s+{_TOWN})"
_DE_STREET = (
    r"(?:[A-Z\u00c4\u00d6\u00dc][\w\u00df\u00e4\u00f6\u00fc-]*(?:stra\u00dfe|strasse|str\.|weg|platz"
    r"|allee|gasse|ring|damm|ufer|straat|laan|gracht|plein)"
    r"|(?:[A-Z\u00c4\u00d6\u00dc][\w\u00df\u00e4\u00f6\u00fc-]*\s){1,2}(?:Stra\u00dfe|Strasse|Str\."
    r"|Weg|Platz|Allee|Gasse|Ring|Damm|Ufer))"
)
_DE = (
    rf"\b(?:(?:Am|An der|Im|In der|Zum|Zur|Unter den)\s)?(?!(?:Der|Die|Das|Den|Dem|Ein|Einen|Dieser"
    rf"|Diesen|Jeder|Kein)\s){_DE_STREET}\s+{_NUMBER}{_POSTCODE_TOWN}?"
)
_FR = (
    rf"\b\d{{1,4}}(?:\s?(?:bis|ter))?\s*,?\s+(?:(?i:rue|avenue|boulevard|bd|place|chemin|all\u00e9e"
    rf"|impasse|quai|route))\s+"
    rf"(?:(?i:de la|de l'|de|du|des|d'|la|le|les)\s?)*{_NAME}(?:[ -]{_NAME}){{0,3}}{_POSTCODE_TOWN}?"
)
_ES_IT_PT = (
    rf"\b(?:(?i:calle|c/|avenida|avda\.?|paseo|plaza|carrer|via|viale|piazza|corso|rua|avenida"
    rf"|travessa|largo|pra\u00e7a))\s+"
    rf"(?:(?i:de la|de los|de las|de|del|della|delle|dei|do|da|dos|das)\s+)*{_NAME}(?:\s+(?:(?:de|del"
    rf"|di|da|do)\s+)?{_NAME}){{0,3}}"
    rf"\s*,?\s*(?:n\.?\u00ba?\s*)?{_NUMBER}(?:\s*,\s*\d{{1,2}}\u00ba?\s?[A-Z]?\b)?{_POSTCODE_TOWN}?"
)
_BOX = (
    rf"\b(?:P\.?\s?O\.?\s?Box|Postfach|Bo\u00eete postale|B\.P\.|Apartado"
    rf"(?: de correos)?)\s+\d[\d ]{{1,9}}\d{_POSTCODE_TOWN}?{_TAIL}"
)
_JAPAN = (
    r"\u3012\s?\d{3}-\d{4}[^\n\u3002]{0,40}"
    r"|[\u4e00-\u9fff]{2,3}[\u90fd\u9053\u5e9c\u770c][\u4e00-\u9fff\u3041-\u30ff]{1,6}[\u5e02\u533a\u753a\u6751][\u4e00-\u9fff\u3041-\u30ff]{0,8}\d{1,3}"
    r"(?:-\d{1,3}){0,3}"
)
# A British post code names a handful of houses, also by itself.
_UK_CODE = r"\b(?:[A-Z]{1,2}\d{1,2}[A-Z]?)\s\d[ABD-HJLNP-UW-Z]{2}\b"
_ALL = tuple(re.compile(pattern) for pattern in (_EN, _DE, _FR, _ES_IT_PT, _BOX, _JAPAN, _UK_CODE))


def find_addresses(text: str) -> Iterator[Found]:
    for pattern in _ALL:
        for match in pattern.finditer(text):
            yield Found("ADDRESS", match.start(), match.end())
