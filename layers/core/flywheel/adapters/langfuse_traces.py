"""Production traces <- Langfuse `/v2/observations` and `/v3/scores`, in as few requests as they take.

Heads come 1000 a page without inputs and outputs. What the server finds too much (422) is asked for again in halves.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any, Final

from flywheel.adapters.langfuse import LangfuseApi, LangfuseTooMuchError
from flywheel.domain.exchange import read_answer, read_question
from flywheel.domain.golden_check import unfit
from flywheel.domain.live_trace import TraceHead, TraceScore, TraceTexts, Window

_PATH: Final = "v2/observations"
_HEADS_PER_PAGE = 1000
# Langfuse answers with 5 MB at most: so many questions and answers fit, unless they are very long.
_TEXTS_PER_PAGE = 100
_IDS_PER_REQUEST = 100
_SCORES_PER_PAGE = 100
_TRACES_OF_A_SESSION = 50
_NARROWEST = timedelta(seconds=2)


class LangfuseTraces:
    """`TraceSource` on the public API. `patience_s`: how long one request may take, rate limits waited for."""

    def __init__(self, api: LangfuseApi, environment: str, *, patience_s: float = 60.0) -> None:
        self._api = api
        self._environment = environment
        self._patience_s = patience_s

    def heads(self, window: Window) -> Iterator[Sequence[TraceHead]]:
        query: list[tuple[str, str | int]] = [
            ("isRootObservation", "true"),
            ("fields", "core,basic,trace_context"),
        ]
        for rows in self._windowed(window, query):
            yield [head_of(row) for row in rows]

    def failing(self, window: Window) -> frozenset[str]:
        query: list[tuple[str, str | int]] = [("level", "ERROR"), ("fields", "core,basic")]
        return frozenset(
            str(row["traceId"])
            for rows in self._windowed(window, query)
            for row in rows
            if not row.get("isRootObservation")
        )

    def texts(self, heads: Sequence[TraceHead]) -> dict[str, TraceTexts]:
        found: dict[str, TraceTexts] = {}
        for some in batched(heads, _TEXTS_PER_PAGE, strict=False):
            found |= self._texts(some)
        return found

    def _texts(self, heads: Sequence[TraceHead]) -> dict[str, TraceTexts]:
        times = [head.at for head in heads]
        wanted = {
            "type": "stringOptions",
            "column": "traceId",
            "operator": "any of",
            "value": [head.trace_id for head in heads],
        }
        query: list[tuple[str, str | int]] = [
            ("isRootObservation", "true"),
            ("fields", "core,io"),
            ("filter", json.dumps([wanted], separators=(",", ":"))),
        ]
        window = Window(min(times) - timedelta(seconds=1), max(times) + timedelta(seconds=1))
        try:
            rows = [row for page in self._pages(window, query, _HEADS_PER_PAGE) for row in page]
        except LangfuseTooMuchError:
            if len(heads) == 1:
                return {heads[0].trace_id: TraceTexts("", "", "its texts alone are more than Langfuse gives at once")}
            half = len(heads) // 2
            return self._texts(heads[:half]) | self._texts(heads[half:])
        return {str(row["traceId"]): _texts_of(row) for row in rows}

    def scores(self, trace_ids: Sequence[str]) -> dict[str, tuple[TraceScore, ...]]:
        found: dict[str, list[TraceScore]] = {}
        for some in batched(trace_ids, _IDS_PER_REQUEST, strict=False):
            query: list[tuple[str, str | int]] = [
                ("traceId", ",".join(some)),
                ("fields", "subject"),
                ("limit", _SCORES_PER_PAGE),
            ]
            for score in _all(self._get("v3/scores", query)):
                subject, value = score.get("subject") or {}, score.get("value")
                trace = subject.get("id") if subject.get("kind") == "trace" else subject.get("traceId")
                if trace and isinstance(value, bool | int | float):
                    found.setdefault(str(trace), []).append(TraceScore(str(score["name"]), float(value)))
        return {trace: tuple(scores) for trace, scores in found.items()}

    def named(self, trace_ids: Sequence[str], session_ids: Sequence[str]) -> list[TraceHead]:
        asked = [("traceId", trace, 1) for trace in trace_ids]
        asked += [("sessionId", session, _TRACES_OF_A_SESSION) for session in session_ids]
        found: dict[str, TraceHead] = {}
        for column, value, limit in asked:
            query: list[tuple[str, str | int]] = [
                (column, value),
                ("isRootObservation", "true"),
                ("fields", "core,basic,trace_context"),
                ("limit", limit),
            ]
            for row in self._api.get(_PATH, query, deadline_s=self._patience_s)["data"]:
                head = head_of(row)
                found.setdefault(head.trace_id, head)
        return list(found.values())

    def _windowed(self, window: Window, query: Sequence[tuple[str, str | int]]) -> Iterator[list[dict[str, Any]]]:
        """Pages of a window; one that is too much is read again in halves, so rows may come twice."""
        try:
            yield from self._pages(window, query, _HEADS_PER_PAGE)
        except LangfuseTooMuchError:
            if window.until - window.since <= _NARROWEST:
                raise
            middle = window.since + (window.until - window.since) / 2
            yield from self._windowed(Window(middle, window.until), query)
            yield from self._windowed(Window(window.since, middle), query)

    def _pages(
        self, window: Window, query: Sequence[tuple[str, str | int]], limit: int
    ) -> Iterator[list[dict[str, Any]]]:
        yield from _pages_of(
            self._get(
                _PATH,
                [
                    ("environment", self._environment),
                    ("fromStartTime", _time(window.since)),
                    ("toStartTime", _time(window.until)),
                    ("limit", limit),
                    *query,
                ],
            )
        )

    def _get(self, path: str, query: Sequence[tuple[str, str | int]]) -> Callable[[str | None], dict[str, Any]]:
        def ask(cursor: str | None) -> dict[str, Any]:
            more = [("cursor", cursor)] if cursor else []
            page: dict[str, Any] = self._api.get(path, [*query, *more], deadline_s=self._patience_s)
            return page

        return ask


def _pages_of(ask: Callable[[str | None], dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    cursor: str | None = None
    while True:
        page = ask(cursor)
        yield page["data"]
        following = page.get("meta", {}).get("cursor")
        if not following or following == cursor:
            return
        cursor = following


def _all(ask: Callable[[str | None], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for page in _pages_of(ask):
        yield from page


def head_of(row: dict[str, Any]) -> TraceHead:
    """The head of a trace, out of its root observation with the fields core, basic and trace_context."""
    latency = row.get("latency")
    return TraceHead(
        trace_id=str(row["traceId"]),
        at=datetime.fromisoformat(row["startTime"]),
        name=str(row.get("traceName") or row.get("name") or ""),
        level=str(row.get("level") or "DEFAULT"),
        # Seconds; figures may come as text.
        latency_s=None if latency is None else float(latency),
        tags=tuple(map(str, row.get("tags") or ())),
        environment=str(row.get("environment") or ""),
        user_id=str(row.get("userId") or ""),
        session_id=str(row.get("sessionId") or ""),
    )


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _texts_of(row: dict[str, Any]) -> TraceTexts:
    asked = read_question(row.get("input"))
    return TraceTexts(asked.question, read_answer(row.get("output")).text, unfit(asked))
