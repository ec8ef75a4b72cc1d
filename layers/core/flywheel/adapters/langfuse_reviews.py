"""What people said of production traces, and the traces, <- Langfuse; in lists of traces where its API takes them."""

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import batched
from typing import Any, Final

from flywheel.adapters.langfuse import LangfuseApi, Query, json_bytes, segment
from flywheel.adapters.langfuse_traces import head_of
from flywheel.domain.exchange import read_question
from flywheel.domain.golden_check import unfit
from flywheel.domain.live_form import CORRECTION, SaidComment, SaidScore
from flywheel.errors import NotFoundError
from flywheel.ports.harvest import TraceContent

_PAGE: Final = 100
_IDS_PER_REQUEST = 100
# With inputs, a reply has to stay below the 5 MB that Langfuse Cloud gives.
_TRACES_PER_REQUEST = 50
_OBSERVATIONS = 1_000
_LONGEST_REMARK = 5_000
# Langfuse's clock and ours may differ by so much; a trace may begin so much before it was noticed.
_SKEW = timedelta(minutes=5)
_AROUND = timedelta(hours=1)
_TOOL_SPAN = "execute_tool "
_OWN: Final = "flywheel asked it itself (a gate, an experiment or a smoke test), so that it is no production traffic"


class LangfuseLiveReviews:
    """`LiveReviews` of one project."""

    def __init__(self, api: LangfuseApi) -> None:
        self._api = api
        self._project: str | None = None

    def waiting(self, queue_id: str) -> frozenset[str]:
        try:
            return frozenset(
                str(item["objectId"]) for item in self._items(queue_id, "PENDING") if item["objectType"] == "TRACE"
            )
        except NotFoundError:
            return frozenset()

    def finished(self, queue_id: str, trace_ids: Collection[str], *, since: datetime) -> frozenset[str]:
        wanted, found = set(trace_ids), set[str]()
        try:
            for item in self._items(queue_id, "COMPLETED"):
                # The newest items come first: what lies before the first of ours is not read.
                if wanted <= found or datetime.fromisoformat(item["createdAt"]) < since - _SKEW:
                    break
                if item["objectType"] == "TRACE" and item["objectId"] in wanted:
                    found.add(str(item["objectId"]))
        except NotFoundError:
            return frozenset()
        return frozenset(found)

    def scores(self, trace_ids: Collection[str]) -> dict[str, list[SaidScore]]:
        found: dict[str, list[SaidScore]] = {}
        for traces in batched(trace_ids, _IDS_PER_REQUEST, strict=False):
            query: list[tuple[str, str | int]] = [
                ("traceId", ",".join(traces)),
                ("fields", "details,subject,annotation"),
                ("limit", _PAGE),
            ]
            for score in self._cursor("v3/scores", query):
                subject = score.get("subject") or {}
                whole = subject.get("kind") == "trace"
                people = score["source"] == "ANNOTATION"
                # People are asked about the trace as a whole; an evaluator may have looked at one observation of it,
                # and Langfuse's page puts a correction on the observation that it shows.
                if people and not whole and score["dataType"] != CORRECTION:
                    continue
                trace = str(subject.get("id") if whole else subject.get("traceId"))
                found.setdefault(trace, []).append(_score(score, people=people))
        return found

    def comments(self, trace_id: str) -> list[SaidComment]:
        # The server keeps no order between pages: a comment may come twice, so they are told apart by their ids.
        found: dict[str, SaidComment] = {}
        query: Query = [("objectType", "TRACE"), ("objectId", trace_id)]
        for comment in self._pages("comments", query):
            author = _reviewer(comment.get("authorUserId"))
            at = datetime.fromisoformat(comment["createdAt"])
            found[str(comment["id"])] = SaidComment(author, str(comment["content"]), at)
        return sorted(found.values(), key=lambda comment: (comment.at, comment.text))

    def traces(self, trace_ids: Collection[str], *, around: Sequence[datetime]) -> dict[str, TraceContent]:
        found: dict[str, TraceContent] = {}
        for traces in batched(trace_ids, _TRACES_PER_REQUEST, strict=False):
            window: Query = [
                ("fromStartTime", _iso(min(around) - _AROUND)),
                ("toStartTime", _iso(max(around) + _AROUND)),
            ]
            root_fields = ("fields", "core,basic,io,trace_context")
            roots = self._observations(traces, [*window, ("isRootObservation", "true"), root_fields])
            tools = self._observations(traces, [*window, ("type", "TOOL"), ("fields", "basic")])
            called: dict[str, list[tuple[str, str, str]]] = {}
            for tool in tools:
                name = str(tool.get("name") or "").removeprefix(_TOOL_SPAN)
                called.setdefault(str(tool["traceId"]), []).append((str(tool["startTime"]), str(tool["id"]), name))
            for root in roots:
                trace = str(root["traceId"])
                # Spans that were sent again may be there twice.
                names = tuple(name for _, _, name in sorted(set(called.get(trace, []))))
                asked = read_question(root.get("input"))
                found[trace] = TraceContent(
                    trace,
                    asked.question,
                    names,
                    asked.rest,
                    root.get("output"),
                    turns=asked.turns,
                    unreadable=_OWN if head_of(root).own else unfit(asked),
                    root_id=str(root["id"]),
                )
        return found

    def remark(self, trace_id: str, text: str) -> None:
        if self._project is None:
            self._project = str(self._api.get("projects")["data"][0]["id"])
        body = {
            "projectId": self._project,
            "objectType": "TRACE",
            "objectId": trace_id,
            "content": text[:_LONGEST_REMARK],
        }
        # Once: a comment has no id of ours; who asks looks for it before it asks again.
        self._api.request("POST", "comments", json_bytes(body), deadline_s=30.0, repeat=False)

    def _observations(self, traces: Collection[str], query: Query) -> Iterator[dict[str, Any]]:
        wanted = [{"type": "stringOptions", "column": "traceId", "operator": "any of", "value": list(traces)}]
        return self._cursor("v2/observations", [*query, ("filter", json.dumps(wanted)), ("limit", _OBSERVATIONS)])

    def _items(self, queue_id: str, status: str) -> Iterator[dict[str, Any]]:
        return self._pages(f"annotation-queues/{segment(queue_id)}/items", [("status", status)])

    def _pages(self, path: str, query: Query) -> Iterator[dict[str, Any]]:
        page = 1
        while True:
            reply = self._api.get(path, [*query, ("limit", _PAGE), ("page", page)])
            yield from reply["data"]
            if page >= int(reply["meta"]["totalPages"]) or not reply["data"]:
                return
            page += 1

    def _cursor(self, path: str, query: Query) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            reply = self._api.get(path, [*query, ("cursor", cursor)] if cursor else query)
            yield from reply["data"]
            following = reply.get("meta", {}).get("cursor")
            if not following or following == cursor:
                return
            cursor = following


def _author(score: dict[str, Any]) -> str:
    """Whom Langfuse names; a score that came through the API names nobody, and may say in its metadata who gave it."""
    metadata = score.get("metadata")
    said = metadata.get("reviewer") if isinstance(metadata, dict) else None
    return _reviewer(score.get("authorUserId") or (said if isinstance(said, str) else ""))


def _reviewer(name: Any) -> str:
    """Two reviewers stay two, and a mail address stays in Langfuse: ledger, dataset and logs get what stands for it."""
    text = str(name or "")
    return "reviewer-" + sha256(text.encode()).hexdigest()[:8] if "@" in text else text


def _score(score: dict[str, Any], *, people: bool) -> SaidScore:
    subject = score.get("subject") or {}
    return SaidScore(
        name=str(score["name"]),
        value=score["value"],
        data_type=str(score["dataType"]),
        author=_author(score),
        at=datetime.fromisoformat(score["timestamp"]),
        people=people,
        comment=str(score.get("comment") or ""),
        observation_id=str(subject.get("id") or "") if subject.get("kind") == "observation" else "",
    )


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
