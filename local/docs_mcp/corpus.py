"""Markdown pages of the corpus folder -> pages and passages, the units that the search ranks."""

import re
from dataclasses import dataclass
from pathlib import Path

CORPUS_FOLDER = Path(__file__).parent / "corpus"

_FRONT_MATTER = re.compile(r"\A---\ntitle: (?P<title>\S.*)\npath: (?P<path>/\S*)\n---\n(?P<body>.*)\Z", re.DOTALL)
_HEADING = re.compile(r"^## +(.+)$", re.MULTILINE)


class CorpusError(ValueError):
    """A page of the corpus cannot be read; the message names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One section of a page. `heading` is the page's title for the text before the first heading."""

    title: str
    path: str
    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    title: str
    path: str
    passages: tuple[Passage, ...]

    @property
    def summary(self) -> str:
        """The first sentence of the page."""
        return self.passages[0].text.split(". ")[0].rstrip(".") + "."


def parse_page(name: str, source: str) -> Page:
    """Read one page; `name` is only for the message of an error.

    Raises:
        CorpusError: no front matter with title and path, no text before the first heading, or an empty section.
    """
    match = _FRONT_MATTER.match(source)
    if match is None:
        raise CorpusError(f"{name}: must start with the lines '---', 'title: ...', 'path: /...', '---'")
    title, path = match["title"].strip(), match["path"]
    pieces = _HEADING.split(match["body"])
    headings = [title, *(heading.strip() for heading in pieces[1::2])]
    texts = [" ".join(piece.split()) for piece in pieces[0::2]]
    for heading, text in zip(headings, texts, strict=True):
        if not text:
            raise CorpusError(f"{name}: no text under '{heading}'")
    passages = (Passage(title, path, heading, text) for heading, text in zip(headings, texts, strict=True))
    return Page(title, path, tuple(passages))


def load_pages(folder: Path = CORPUS_FOLDER) -> tuple[Page, ...]:
    """All pages of a folder, by file name.

    Raises:
        CorpusError: a page is malformed, two pages share a path, or the folder holds no page.
    """
    pages: dict[str, Page] = {}
    for file in sorted(folder.glob("*.md")):
        page = parse_page(file.name, file.read_text(encoding="utf-8"))
        if page.path in pages:
            raise CorpusError(f"{file.name}: path {page.path} is taken by another page")
        pages[page.path] = page
    if not pages:
        raise CorpusError(f"{folder}: no pages (*.md)")
    return tuple(pages.values())
