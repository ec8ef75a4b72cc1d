"""Text from outside -> text that can be shown: no control characters, no lone surrogates, no endless length."""

import re
from urllib.parse import urlsplit

TEXT_LIMIT = 4_000
LINE_LIMIT = 400

# C0 and C1 controls but tab and newline; lone surrogates, which no UTF-8 file can hold. Bidirectional controls stay:
# the page isolates each text, so that they cannot reach beyond it.
_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def showable(text: str) -> str:
    """The same text with what cannot be shown replaced by U+FFFD, and line ends made plain."""
    return _UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\r", "\n"))


def shorten(text: str, limit: int = TEXT_LIMIT) -> str:
    """At most `limit` characters of `text`, and then a note that says how many there were."""
    kept = showable(text[:limit])
    if len(text) <= limit:
        return kept
    return f"{kept}… [shortened: {len(text):,} characters in all; the whole text is in the results of this gate]"


def one_line(text: str, limit: int = LINE_LIMIT) -> str:
    """White space runs made one blank, at most `limit` characters, an ellipsis where something was left out."""
    line = " ".join(showable(text[: limit * 4]).split())
    return line if len(line) <= limit and len(text) <= limit * 4 else line[:limit] + "…"


def web_link(url: str) -> str | None:
    """The address if it is one of the web; None for anything else, such as `javascript:`."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.netloc else None
