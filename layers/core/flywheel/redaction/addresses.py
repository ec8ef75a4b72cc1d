"""Postal addresses in a text: street and number, with or without post code and town, as ten languages write them."""

import re
from collections.abc import Iterator

from flywheel.domain.redaction import Found

_NUMBER = r"\d{1,5}(?:\s?[-/]\s?\d{1,5}){0,3}(?:\s?[a-zA-Z])?\b"
_NAME = r"[A-Z\u00c0-\u00de](?:[a-z\u00df-\u017f][A-Za-z\u00c0-\u017f'.-]{0,40}|\.)"
_TOWN = rf"{_NAME}(?:[ -](?:(?:de|la|le|sur|upon|am|an der|del|di|den|of)\s)?{_NAME}){{0,2}}"
_FLAT = r"(?i:\s*,?\s*(?:apt|apartment|suite|ste|unit|flat|floor|fl|no)\b\.?\s*#?\s*\w{1,6})?"
_EN_STREET = (
    r"(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|place|pl|square|sq|terrace|way|close|"
    r"crescent|parkway|pkwy|highway|hwy)\b\.?"
)
# Post codes of the United States, Australia and New Zealand; of Britain, Canada and Ireland.
_EN_CODE = (
    r"(?:\d{4,5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}|[A-Z]\d[A-Z]\s?\d[A-Z]\d|[A-Z]\d[\dW]\s?[A-Z\d]{4})\b"
)
_EN_TOWN = rf"\s*[,\n]\s*{_TOWN}(?:\s\d{{1,2}}\b)?(?:\s*,?\s*[A-Z]{{2,3}}\b)?(?:\s*,?\s*{_EN_CODE})?"
_TAIL = rf"(?:\s+[NSEW]{{1,2}}\b)?(?:{_EN_TOWN})?"
_HOUSE = r"\b(?:\d{1,2}(?:st|nd|rd|th) [Ff]loor\s*,\s*)?(?:\d{1,4}/)?\d{1,5}[a-zA-Z]?\s+"
_EN = (
    rf"{_HOUSE}(?:[NSEW]\.?\s+)?(?:(?:{_NAME}|\d{{1,3}}(?:st|nd|rd|th))\s+){{1,3}}(?i:"
    rf"{_EN_STREET}){_FLAT}{_TAIL}"
)
# These are words of other things too: with a town only.
_EN_RARE = (
    rf"{_HOUSE}(?:{_NAME}\s+){{1,3}}"
    rf"(?:Mews|Row|Parade|Grove|Gardens|Walk|Quay|Hill|Rise|Park|Loop|Circle){_FLAT}{_EN_TOWN}"
)
_POSTCODE_TOWN = (
    rf"(?:\s*,?\s*(?:[A-Z]{{1,2}}-)?(?:\d{{4,5}}(?:-\d{{3}})?(?:\s?[A-Z]{{2}})?|\d\d-\d{{3}}|\d{{3}} \d\d)\s+{_TOWN}"
    r"(?:\s[A-Z\u00d8]{1,2}\b)?)"
)
_DE_STREET = (
    r"(?:[A-Z\u00c4\u00d6\u00dc\u00c5\u00d8][\w\u00df\u00e4\u00f6\u00fc-]{0,40}(?:stra\u00dfe|strasse|str\.|weg|platz"
    r"|allee|gasse|ring|damm|ufer|straat|laan|gracht|plein"
    r"|gatan|gata|v\u00e4gen|gr\u00e4nd|vej|gade|plads|veien|veg)"
    r"|(?:[A-Z\u00c4\u00d6\u00dc][\w\u00df\u00e4\u00f6\u00fc-]{0,40}\s){1,2}(?:Stra\u00dfe|Strasse|Str\."
    r"|Weg|Platz|Allee|Gasse|Ring|Damm|Ufer))"
)
_DE = (
    rf"\b(?:(?:Am|An der|Im|In der|Zum|Zur|Unter den)\s)?(?!(?:Der|Die|Das|Den|Dem|Ein|Einen|Dieser"
    rf"|Diesen|Jeder|Kein)\s){_DE_STREET}\s+{_NUMBER}{_POSTCODE_TOWN}?"
)
# "Zum Muster 22" and the like are streets when a post code and a town follow.
_DE_PLAIN = (
    r"\b(?:Am|An der|Auf der|Auf dem|Im|In der|Zum|Zur|Unter den|Hinter der)\s"
    rf"(?:{_NAME}\s){{1,2}}{_NUMBER}{_POSTCODE_TOWN}"
)
_FR = (
    rf"\b\d{{1,4}}(?:\s?(?:bis|ter))?\s*,?\s+(?:(?i:rue|avenue|boulevard|bd|place|chemin|all\u00e9e"
    rf"|impasse|quai|route))\s+"
    rf"(?:(?i:de la|de l'|de|du|des|d'|la|le|les)\s?)*{_NAME}(?:[ -]{_NAME}){{0,3}}{_POSTCODE_TOWN}?"
)
# Belgium and Switzerland put the number behind.
_FR_BEHIND = (
    rf"\b(?i:rue|avenue|boulevard|place|chemin|chauss\u00e9e|quai|route)\s+"
    rf"(?:(?i:de la|de l'|de|du|des|d'|la|le|les)\s?)*{_NAME}(?:[ -]{_NAME}){{0,3}}\s*,?\s*{_NUMBER}{_POSTCODE_TOWN}"
)
_PL = (
    r"\b(?:ul|al|os|pl)\.\s+(?:[A-Z\u00d3\u0100-\u017f][\w.-]{0,40}\s+){1,3}"
    rf"{_NUMBER}(?:\s*,?\s*(?:m\.?|lok\.?)\s*\d{{1,4}})?{_POSTCODE_TOWN}?"
)
_PT_SHORT = (
    rf"\b(?:Av|R|Tv|P\u00e7a)\.\s+(?:{_NAME}\s+){{0,3}}{_NAME}\s*,\s*{_NUMBER}"
    rf"(?:{_POSTCODE_TOWN}|\s*,\s*{_TOWN}\s*[-/]\s*[A-Z]{{2}}\b(?:\s*,?\s*(?:CEP\s*)?\d{{5}}-?\d{{3}})?)"
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
    rf"(?: de correos)?)\s+\d(?:[\d ]{{0,9}}\d)?{_POSTCODE_TOWN}?{_TAIL}"
)
_JAPAN = (
    r"\u3012\s?\d{3}-\d{4}[^\n\u3002]{0,40}"
    r"|[\u4e00-\u9fff]{2,3}[\u90fd\u9053\u5e9c\u770c][\u4e00-\u9fff\u3041-\u30ff]{1,6}[\u5e02\u533a\u753a\u6751][\u4e00-\u9fff\u3041-\u30ff]{0,8}\d{1,3}"
    r"(?:-\d{1,3}){0,3}"
)
# A British post code names a handful of houses, also by itself.
_UK_CODE = r"\b(?:[A-Z]{1,2}\d{1,2}[A-Z]?)\s\d[ABD-HJLNP-UW-Z]{2}\b"
_WRITTEN = (
    *(_EN, _EN_RARE, _BOX, _UK_CODE),
    *(_DE, _DE_PLAIN, _FR, _FR_BEHIND, _ES_IT_PT, _PT_SHORT, _PL, _JAPAN),
)
_ALL = tuple(re.compile(pattern) for pattern in _WRITTEN)


def find_addresses(text: str) -> Iterator[Found]:
    for pattern in _ALL:
        for match in pattern.finditer(text):
            yield Found("ADDRESS", match.start(), match.end())
