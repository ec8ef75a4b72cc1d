"""Trace ids -> the scores that Langfuse's own evaluators have given them so far."""

from collections.abc import Collection, Sequence
from itertools import batched
from math import isfinite
from typing import Any, Final

from flywheel.adapters.langfuse import LangfuseApi
from flywheel.domain.live_evaluators import EVAL_SOURCE
from flywheel.errors import TransientError

_IDS_PER_REQUEST: Final = 100
_PAGE: Final = 100  # the most that /v3/scores gives at once
# A server that never ends its pages must not be followed for ever: so many re-evaluations nobody runs.
_PAGES_PER_REQUEST: Final = 100


class LangfuseLateScores:
    """Scores of source EVAL, by the traces that they were given to."""

    def __init__(self, api: LangfuseApi) -> None:
        self._api = api

    def read(
        self, traces: Sequence[str], names: Collection[str], *, deadline_s: float
    ) -> tuple[dict[str, dict[str, float]], TransientError | None]:
        """Give the values by name and trace, and why it broke off before all traces were asked for, if it did.

        Where an evaluator ran twice, its newest value counts. A value that is no number (a category) is left out.

        Raises:
            InvalidRequestError: Langfuse refuses the question or our keys.
        """
        end = self._api.monotonic() + deadline_s
        found: dict[str, dict[str, float]] = {name: {} for name in names}
        for batch in batched(traces, _IDS_PER_REQUEST, strict=False):
            try:
                self._read(batch, found, end)
            except TransientError as error:
                return found, error
        return found, None

    def _read(self, traces: Sequence[str], found: dict[str, dict[str, float]], end: float) -> None:
        asked = frozenset(traces)
        query: list[tuple[str, str | int]] = [
            ("traceId", ",".join(traces)),
            ("source", EVAL_SOURCE),
            ("fields", "subject"),
            ("limit", _PAGE),
        ]
        # The parameter is a list separated by commas: a name that has one cannot be asked for.
        if not any("," in name for name in found):
            query.append(("name", ",".join(sorted(found))))
        cursor: str | None = None
        for _ in range(_PAGES_PER_REQUEST):
            left_s = end - self._api.monotonic()
            if left_s <= 0:
                raise TransientError("Langfuse: there was no time to ask for the scores of all traces")
            page = self._api.get("v3/scores", [*query, ("cursor", cursor)] if cursor else query, deadline_s=left_s)
            rows, following = _rows(page)
            for score in rows:
                name, trace, value = score.get("name"), _trace(score), _number(score.get("value"))
                if name in found and trace in asked and value is not None and score.get("source", "EVAL") == "EVAL":
                    found[name].setdefault(trace, value)  # the newest comes first
            if not following or following == cursor:
                return
            cursor = following


def _rows(page: Any) -> tuple[list[dict[str, Any]], str | None]:
    """The scores of a page and where the next one begins; anything else is no answer of Langfuse."""
    rows = page.get("data") if isinstance(page, dict) else None
    if not isinstance(rows, list):
        raise TransientError("Langfuse answered something that is no page of scores")
    meta = page.get("meta")
    cursor = meta.get("cursor") if isinstance(meta, dict) else None
    return [row for row in rows if isinstance(row, dict)], cursor if isinstance(cursor, str) else None


def _trace(score: dict[str, Any]) -> str:
    subject = score.get("subject")
    if not isinstance(subject, dict):
        return ""
    trace = subject.get("id") if subject.get("kind") == "trace" else subject.get("traceId")
    return trace if isinstance(trace, str) else ""


def _number(value: Any) -> float | None:
    """A number or a boolean as a number; None for a category, a text, or what no mean can be taken of."""
    if not isinstance(value, bool | int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None
