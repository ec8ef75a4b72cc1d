"""Words of a query -> passages of the corpus, best first (BM25 of SQLite's FTS5, in memory, deterministic)."""

import difflib
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from local.docs_mcp.corpus import Page, Passage

MAX_QUERY_CHARS = 1000
MAX_QUERY_TERMS = 32
RESULTS = 10
"""Most passages in an answer."""

_WORD = re.compile(r"[^\W_]+")
_MIN_TYPO_LENGTH = 4
_TYPO_SIMILARITY = 0.75
# Weights of title, heading and text. A heading is short and says what its passage is about.
_RANK = "bm25(passage, 1.5, 2.5, 1.0)"


class QueryError(ValueError):
    """The query cannot be searched for; the message says why and what to send instead."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A ranked passage. `score` is above 0 for a match and 0 for a neighbour of a match."""

    passage: Passage
    score: float


class DocsIndex:
    """Full-text index over pages. Not safe for use by several threads at once."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self._passages = [passage for page in pages for passage in page.passages]
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.execute(
            "CREATE VIRTUAL TABLE passage USING fts5(title, heading, body, tokenize='porter unicode61')"
        )
        self._database.executemany(
            "INSERT INTO passage (rowid, title, heading, body) VALUES (?, ?, ?, ?)",
            ((row, p.title, p.heading, p.text) for row, p in enumerate(self._passages)),
        )
        words = (word for p in self._passages for word in _WORD.findall(f"{p.title} {p.heading} {p.text}".lower()))
        self._vocabulary = sorted(set(words))
        self._correct = lru_cache(maxsize=4096)(self._correct_uncached)

    def close(self) -> None:
        self._database.close()

    def search(self, query: str, limit: int = RESULTS) -> list[Hit]:
        """Passages that hold at least one word of the query; when they are fewer than `limit`, then also
        their neighbours. Empty when no word is known.

        Raises:
            QueryError: the query has no word, or is longer than MAX_QUERY_CHARS.
        """
        if len(query) > MAX_QUERY_CHARS:
            raise QueryError(f"query has {len(query)} characters, at most {MAX_QUERY_CHARS} are allowed: send keywords")
        words = list(dict.fromkeys(_WORD.findall(query.lower())))[:MAX_QUERY_TERMS]
        if not words:
            raise QueryError("query has no word: send one or more keywords, for example 'data retention'")
        hits = self._match([self._correct(word) for word in words], limit)
        return hits + self._neighbours(hits, limit - len(hits))

    def _match(self, words: list[str], limit: int) -> list[Hit]:
        expression = " OR ".join(f'"{word}"' for word in words)
        # The row number breaks ties, so that equal passages keep the order of the corpus.
        rows = self._database.execute(
            f"SELECT rowid, {_RANK} FROM passage WHERE passage MATCH ? ORDER BY 2, 1 LIMIT ?",  # noqa: S608
            (expression, limit),
        ).fetchall()
        return [Hit(self._passages[row], round(-rank, 4)) for row, rank in rows]

    def _neighbours(self, hits: list[Hit], count: int) -> list[Hit]:
        """Up to `count` more passages: first of the pages that matched, then those most like the best match."""
        if not hits or count <= 0:
            return []
        paths = list(dict.fromkeys(hit.passage.path for hit in hits))
        siblings = [p for path in paths for p in self._passages if p.path == path]
        alike = [hit.passage for hit in self._match(_WORD.findall(hits[0].passage.text.lower()), 3 * RESULTS)]
        shown = {hit.passage for hit in hits}
        others = [p for p in dict.fromkeys(siblings + alike) if p not in shown]
        return [Hit(passage, 0.0) for passage in others[:count]]

    def _correct_uncached(self, word: str) -> str:
        """The word itself when the index knows it (in any inflection), else the most similar word of the corpus."""
        known = self._database.execute("SELECT 1 FROM passage WHERE passage MATCH ? LIMIT 1", (f'"{word}"',)).fetchone()
        if known or len(word) < _MIN_TYPO_LENGTH:
            return word
        similar = difflib.get_close_matches(
            word, [v for v in self._vocabulary if v[0] == word[0]], n=1, cutoff=_TYPO_SIMILARITY
        )
        return similar[0] if similar else word
