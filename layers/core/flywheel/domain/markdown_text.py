"""Text as people and models write it, Markdown or plain -> its blocks, with marks of Markdown and HTML taken off."""

import html
import re
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from flywheel.domain.sentences import ends_a_sentence, ordinal_goes_on

# `row`: of a table, with its header's words; `code`: a fenced block as it stands.
type BlockKind = Literal["heading", "item", "paragraph", "row", "code"]


@dataclass(frozen=True, slots=True)
class Block:
    """`text` is one line without marks; that of `code` has its own lines."""

    kind: BlockKind
    text: str


_FENCE: Final = re.compile(r"\s*(`{3,}|~{3,})\s*([\w+-]*)[^`]*")
_HEADING: Final = re.compile(r"\s{0,3}(?:#{2,6}|#(?=\s|\Z))\s*(.*?)(?:\s#+)?\s*")
_UNDERLINE: Final = re.compile(r"\s{0,3}(?:=+|-{2,})\s*")
_BREAK: Final = re.compile(r"\s{0,3}([-*_\u2013\u2014])(?:\s*\1){2,}\s*")
_QUOTE: Final = re.compile(r"\s{0,3}(?:>\s?)+")
_TABLE_RULE: Final = re.compile(r"\s*\|?\s*:?-+:?\s*(?:[|+]\s*:?-+:?\s*)*\|?\s*")
_BULLET: Final = re.compile(r"\s*[-*+\u2022\u2023\u25e6\u25aa\u00b7\u2013\u2014\u30fb]\s+")
_NUMBER: Final = re.compile(
    r"\s*(?:\(?\d{1,3}[.)]\s+|\d{1,3}[\u3001\uff0e\uff09]\s*|\(?[a-z]\)\s+|\(?[ivx]{1,5}\)\s+|[\u2460-\u2473]\s*"
    "|\\d\ufe0f?\u20e3\\s*)",
    re.IGNORECASE,
)
_EMPTY_ITEM: Final = re.compile(r"\s*(?:[-*+\u2022]|\(?\d{1,3}[.)])\s*(?:\[[ xX]?\])?\s*")
_CHECK_BOX: Final = re.compile(r"\[[ xX\u2713\u2714]?\]\s+")
# Without a space, or with a letter: only before a capital letter or one without case (not `2.x`, not `z. B.`).
_TIGHT: Final = re.compile(r"\s*(?:\d{1,2}[.)]|[a-h]\.\s+)(?=[^\W\d_a-z])")
_INLINE_BULLET: Final = re.compile(r"(?<=\S)\s+([\u2022\u2023\u25aa\u25e6])\s+(?=\S)")
_SUMMARY: Final = re.compile(r"<summary[^<>]*>([^<]*)</summary>", re.IGNORECASE)
_BARE_BOX: Final = re.compile(r"\s*(?=\[[ xX\u2713\u2714]\]\s+\S)")
_DEFINITION: Final = re.compile(r"\s{0,3}\[[^\]]+\]:\s*\S+.*")
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_PRE: Final = re.compile(r"<pre[^<>]*>(?:<code[^<>]*>)?(.*?)(?:</code>)?(?:</pre>|\Z)", re.DOTALL | re.IGNORECASE)
_INDENTED: Final = re.compile(r"(?: {4}|\t)\s*\S")
_STRUCK: Final = re.compile(r"~~(?=\S)[^~]+(?<=\S)~~|<(del|s|strike)>[^<]{0,2000}</\1>", re.IGNORECASE)
_TAG: Final = re.compile(
    r"</?(?:a|abbr|b|blockquote|body|code|dd|details|div|dl|dt|em|h[1-6]|hr|html|i|ins|kbd|li|mark|ol|p|pre|small|span"
    r"|strong|sub|summary|sup|table|tbody|td|tfoot|th|thead|tr|u|ul)(?:\s[^<>]{0,500})?/?>",
    re.IGNORECASE,
)
_IMAGE: Final = re.compile(r"!\[[^\]]*\](?:\([^()\s]*(?:\s+\"[^\"]*\")?\)|\[[^\]]*\])")
_LINK: Final = re.compile(r"\[([^\[\]]+)\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)?(?:\s+[\"'][^\"']*[\"'])?\)")
_REFERENCE: Final = re.compile(r"\[([^\[\]]+)\]\[[^\[\]]*\]")
_ADDRESS: Final = re.compile(r"<((?:https?://|mailto:)[^<>\s]+)>")
_CITATION: Final = re.compile(r"\s?(?:\[\^[^\]]+\]|\[\d{1,2}\]|\u3010[^\u3011]{1,40}\u3011)")
_CODE_SPAN: Final = re.compile(r"(?<!`)(`{1,3})(?!`)([^`]+)\1(?!`)")
_STARS: Final = re.compile(r"(\*{1,3})(?=[^\s*])([^*]+)(?<=[^\s*])\1")
_UNDERSCORES: Final = re.compile(r"(?<![^\W_])(_{1,3})(?=[^\s_])([^_]+)(?<=[^\s_])\1(?![^\W_])")
_ESCAPED: Final = re.compile(r"\\([\\`*_{}\[\]()#+.!|~>-])")
_INVISIBLE: Final = re.compile("[\u200b\u200e\u200f\u2060\ufeff\u00ad\u202a-\u202e\u2066-\u2069]")
_ALL_BOLD: Final = re.compile(r"\s*(\*\*|__)(?!\s)[^*_]+\1\s*")
_LONG_GAP: Final = re.compile(r"\s{40,}")
# A line of at least so many characters was broken by width, not because a thought ended; a shorter one where the next
# does not begin with a capital letter.
_FULL_LINE: Final = 60
_SHORT_LINE: Final = 40
_SPACELESS: Final = re.compile("[\u3040-\u30ff\u3400-\u9fff\uff00-\uffef\u3000-\u303f]")


def blocks(text: str) -> list[Block]:
    """The blocks of a text in their order; rules, comments, definitions of links and empty items are none."""
    return _Reading(textwrap.dedent("\n".join(plain_lines(text))).splitlines()).blocks()


def without_struck(text: str) -> str:
    """The text as it stands, but for what was struck out or is a comment: nobody says that."""
    return _STRUCK.sub("", _COMMENT.sub("", text))


def plain_lines(text: str) -> list[str]:
    """Lines in Unicode's composed form, without invisible characters and comments; `<br>` and the like end a line."""
    text = _COMMENT.sub("", _INVISIBLE.sub("", unicodedata.normalize("NFC", text)))
    text = _SUMMARY.sub(r"\n# \1\n", _INLINE_BULLET.sub(r"\n\1 ", text))
    text = _PRE.sub(r"\n```\n\1\n```\n", text)
    text = re.sub(r"<br\s*/?>|</(?:p|div|li|h[1-6]|tr)>", "\n", text, flags=re.IGNORECASE)
    lines = re.sub(r"<li(?:\s[^<>]*)?>", "\n- ", text, flags=re.IGNORECASE).splitlines()
    return [_LONG_GAP.sub(" ", line) for line in lines]


def whole_fence(text: str) -> tuple[str, str] | None:
    """Language and content of the one fenced block that the whole text is; None: it is more, or none."""
    lines = text.strip().splitlines()
    opening = _FENCE.fullmatch(lines[0]) if len(lines) > 1 else None
    if opening is None or lines[-1].strip() != opening[1] or any(opening[1] in line for line in lines[1:-1]):
        return None
    return opening[2].lower(), "\n".join(lines[1:-1])


def without_marks(text: str) -> str:
    """One line of text without Markdown and HTML; what was struck out is gone, a link is its words."""
    kept: list[str] = []

    def keep(span: re.Match[str]) -> str:
        kept.append(span[2].strip())
        return f"\x00{len(kept) - 1}\x00"

    text = _CODE_SPAN.sub(keep, text.replace("\x00", ""))
    text = _TAG.sub("", _STRUCK.sub("", text))
    text = _ADDRESS.sub(r"\1", _IMAGE.sub("", text))
    text = _REFERENCE.sub(r"\1", _LINK.sub(r"\1", text))
    text = _CITATION.sub("", text)
    for pattern in (_STARS, _UNDERSCORES):
        text = pattern.sub(r"\2", pattern.sub(r"\2", text))
    text = re.sub(r"(?<!\S)\*{2,3}|\*{2,3}(?!\S)", "", text)
    text = html.unescape(_ESCAPED.sub(r"\1", text))
    text = re.sub("\x00(\\d+)\x00", lambda found: kept[int(found[1])], text)
    return " ".join(_without_pictures(text).split())


def _without_pictures(text: str) -> str:
    """Without the check marks and pictures that stand before a text in place of a bullet."""
    text = text.lstrip()
    while text and (unicodedata.category(text[0]) in ("So", "Sk") or text[0] in "\ufe0f\u200d\u20e3"):
        text = text[1:].lstrip()
    return text


class _Reading:
    """One walk over the lines of a text."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = [_QUOTE.sub("", line, count=1) if _QUOTE.match(line) else line for line in lines]
        self._at = 0
        self._found: list[Block] = []
        self._open: list[str] = []  # lines of the paragraph or item that is being read
        self._kind: BlockKind = "paragraph"
        self._bold: set[int] = set()  # blocks that are one bold line: headings where something follows

    def blocks(self) -> list[Block]:
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            self._read(line)
        self._close()
        last = len(self._found) - 1
        return [
            Block("heading", block.text) if at in self._bold and at < last else block
            for at, block in enumerate(self._found)
        ]

    def _read(self, line: str) -> None:
        if fence := _FENCE.fullmatch(line):
            self._close()
            self._found.append(Block("code", "\n".join(self._until_end_of(fence[1]))))
        elif not line.strip():
            self._close()
        elif self._is_table(line):
            self._close()
            self._found += self._rows(line)
        elif self._open and self._kind == "paragraph" and _UNDERLINE.fullmatch(line):
            self._close("paragraph" if ends_a_sentence(self._open[-1]) else "heading")
        elif self._says_nothing(line):
            self._close()
        elif heading := _HEADING.fullmatch(line):
            self._close()
            self._add("heading", heading[1])
        elif (text := _item(line)) is not None:
            self._close()
            self._kind, self._open = "item", [text]
        elif self._begins_code(line):
            self._found.append(Block("code", "\n".join([line.strip(), *self._indented()])))
        else:
            self._go_on(line)

    def _begins_code(self, line: str) -> bool:
        """Four spaces after an empty line; below an item they go on with it."""
        below_item = bool(self._found) and self._found[-1].kind == "item"
        return not self._open and not below_item and bool(_INDENTED.match(line))

    def _indented(self) -> Iterator[str]:
        while self._at < len(self._lines) and _INDENTED.match(self._lines[self._at]):
            yield self._lines[self._at].strip()
            self._at += 1

    def _says_nothing(self, line: str) -> bool:
        if _EMPTY_ITEM.fullmatch(line):
            return len(self._lines) > 1  # alone it may be a figure
        return any(pattern.fullmatch(line) for pattern in (_BREAK, _TABLE_RULE, _DEFINITION))

    def _go_on(self, line: str) -> None:
        """The next line of what is being read, or the first of a new paragraph."""
        indented = line[:1] in " \t" and self._kind == "item"
        if self._open and not indented and not _goes_on(self._open[-1], line):
            self._close()
        self._open.append(line.strip())

    def _close(self, kind: BlockKind | None = None) -> None:
        if not self._open:
            self._kind = "paragraph"
            return
        lines, kind = self._open, kind or self._kind
        self._open, self._kind = [], "paragraph"
        text = lines[0]
        for line in lines[1:]:
            text += line if _SPACELESS.fullmatch(text[-1:]) and _SPACELESS.match(line) else f" {line}"
        if kind == "paragraph" and _ALL_BOLD.fullmatch(text) and not ends_a_sentence(without_marks(text)):
            self._bold.add(len(self._found))
        self._add(kind, text)

    def _add(self, kind: BlockKind, text: str) -> None:
        if said := without_marks(text):
            self._found.append(Block(kind, said))

    def _until_end_of(self, fence: str) -> Iterator[str]:
        """Lines up to the fence that closes this one, or to the end."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if line.strip().startswith(fence) and not line.strip().strip(fence[0]):
                return
            yield line

    def _is_table(self, line: str) -> bool:
        if "|" not in line:
            return False
        following = self._lines[self._at] if self._at < len(self._lines) else ""
        ruled = "-" in following and ("|" in following) and _TABLE_RULE.fullmatch(following)
        return bool(ruled) or (line.strip().startswith("|") and line.strip().endswith("|") and line.count("|") > 1)

    def _rows(self, line: str) -> Iterator[Block]:
        table = [line]
        while self._at < len(self._lines) and "|" in self._lines[self._at]:
            table.append(self._lines[self._at])
            self._at += 1
        ruled = len(table) > 1 and _TABLE_RULE.fullmatch(table[1])
        header = _cells(table[0]) if ruled else []
        for row in table[1 if ruled else 0 :]:
            if _TABLE_RULE.fullmatch(row):
                continue
            named = [
                f"{header[at]}: {cell}" if at < len(header) and header[at] else cell
                for at, cell in enumerate(_cells(row))
                if cell
            ]
            if named:
                yield Block("row", "; ".join(named))


def _cells(row: str) -> list[str]:
    inner = re.sub(r"^\s*\||(?<!\\)\|\s*$", "", row)
    return [without_marks(cell) for cell in re.split(r"(?<!\\)\|", inner)]


def _item(line: str) -> str | None:
    """What a line of a list says; None: it is no such line."""
    found = next(filter(None, (mark.match(line) for mark in (_BULLET, _NUMBER, _TIGHT, _BARE_BOX))), None)
    if found is None or (found.re in (_NUMBER, _TIGHT) and ordinal_goes_on(line[found.end() :])):
        return None
    return _CHECK_BOX.sub("", line[found.end() :], count=1)


def _goes_on(line: str, following: str) -> bool:
    """Whether a line was broken by its width: the next one goes on with it."""
    if ends_a_sentence(line) or line.endswith((":", "\uff1a")) or _ALL_BOLD.fullmatch(line):
        return False
    if line.endswith((",", "(", "\u3001", "\uff0c")):
        return True
    first = following.strip()[:1]
    return len(line) >= (_FULL_LINE if first.isupper() else _SHORT_LINE)
