"""A scripted reviewer: works an annotation queue through Langfuse's public API, as a person would by its pages.

It is no person, and says so: its name is on every score and comment. It works with the stand-in and with a real
Langfuse from 4.16 on.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import httpx

from local.errors import LocalStackError
from local.langfuse.settings import version_tuple
from local.langfuse.trace_reading import TraceSeen, read_trace

NAME = "scripted-reviewer"
_PAGE = 100
_TRIES = 6
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 10.0
# The first server that takes scores as an array only.
_ARRAYS_SINCE = (4, 59, 0)


class ReviewerError(LocalStackError):
    """The queue cannot be worked: the message says why."""


@dataclass(frozen=True, slots=True)
class Case:
    """What the reviewer sees of one item. `trajectory`: names of the tools, in the order in which they were called."""

    item_id: str
    trace_id: str
    question: str
    answer: str
    trajectory: tuple[str, ...]
    seen: TraceSeen


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the reviewer says. None: that question stays unanswered.

    `correction`: the right answer, put in the place of the wrong one in what the editor is filled with. `clicked`: the
    editor is opened, too, where nothing is changed in it.
    """

    correct: bool | None = None
    add_to_dataset: bool | None = None
    must_refuse: bool | None = None
    trajectory_confirmed: bool | None = None
    correction: str | None = None
    clicked: bool = False
    comment: str | None = None

    def answers(self) -> dict[str, bool]:
        """Answered questions of the form, by their names in Langfuse."""
        names = ("correct", "add_to_dataset", "must_refuse", "trajectory_confirmed")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def edited(seen: TraceSeen, right: str) -> str:
    """What is in the editor after a person has typed the right answer over the wrong one: in JSON only that text."""
    wrong, typed = (json.dumps(text, ensure_ascii=False)[1:-1] for text in (seen.answer, right))
    is_json = seen.prefilled.startswith(("{", "[")) and seen.answer != seen.prefilled
    return seen.prefilled.replace(wrong, typed) if is_json and wrong else right


# Id of a score, and the text of a correction: it is there from the click on, and changes.
type Known = tuple[str, str]


def _known_by(score: dict[str, Any]) -> Known:
    return score["id"], score["value"] if score["dataType"] == "CORRECTION" else ""


type Decide = Callable[[Case], Judgement | None]


@dataclass(frozen=True, slots=True)
class Worked:
    """What became of the queue. `left`: items that stay pending: nothing was decided, or the trace is not there."""

    queue_id: str
    judged: tuple[tuple[Case, Judgement], ...]
    left: tuple[str, ...]

    @property
    def flagged(self) -> int:
        return sum(judgement.add_to_dataset is True for _, judgement in self.judged)


class ScriptedReviewer:
    """Works queues of one project. What it did before an interruption it does not do twice."""

    def __init__(
        self,
        http: httpx.Client,
        *,
        name: str = NAME,
        user_id: str | None = None,
        readable_within_s: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`http` has the address of the server as its base, and the project's keys.

        `user_id` writes the comments: a member of the organisation, Langfuse takes nobody else. None: nobody is named.
        """
        self._http = http
        self._name = name
        self._user_id = user_id
        self._readable_within_s = readable_within_s
        self._sleep = sleep
        self._monotonic = monotonic

    @classmethod
    def at(cls, host: str, public_key: str, secret_key: str, *, name: str = NAME) -> Self:
        return cls(httpx.Client(base_url=host, auth=(public_key, secret_key), timeout=20.0), name=name)

    def work(self, queue_name: str, decide: Decide) -> Worked:
        """Judge every pending item on which `decide` says something, then complete it.

        Items are completed when their scores are readable, which on a real server takes some seconds: whoever looks
        at a completed item then finds all of its judgement.

        Raises:
            ReviewerError: no such queue, a question that it does not ask, or the server does not answer.
        """
        queue = next((queue for queue in self._rows("annotation-queues") if queue["name"] == queue_name), None)
        if queue is None:
            raise ReviewerError(f"Langfuse has no annotation queue {queue_name!r}")
        asked = set(queue["scoreConfigIds"])
        configs = {config["name"]: config for config in self._rows("score-configs") if config["id"] in asked}
        items_path = f"annotation-queues/{queue['id']}/items"
        pending = list(self._rows(items_path, status="PENDING"))
        judged: list[tuple[Case, Judgement]] = []
        left: list[str] = []
        scores: dict[str, set[Known]] = {}
        for item in reversed(pending):  # oldest first, as Langfuse's own page offers them
            case = self._case(item)
            judgement = None if case is None else decide(case)
            if case is None or judgement is None:
                left.append(item["id"])
                continue
            scores.setdefault(case.trace_id, set()).update(self._say(case, judgement, configs, queue["id"]))
            judged.append((case, judgement))
        self._until_readable(scores)
        for case, _ in judged:
            self._send("PATCH", f"{items_path}/{case.item_id}", json={"status": "COMPLETED"})
        return Worked(queue["id"], tuple(judged), tuple(left))

    def _case(self, item: dict[str, Any]) -> Case | None:
        if item["objectType"] != "TRACE":
            return None
        seen = read_trace(self._observations(item["objectId"]))
        if seen is None:
            return None
        trajectory = tuple(step.tool for step in seen.steps)
        return Case(item["id"], item["objectId"], seen.question, seen.answer, trajectory, seen)

    def _observations(self, trace_id: str) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        query: dict[str, Any] = {"traceId": trace_id, "fields": "core,basic,io", "limit": 1000}
        while True:
            page = self._send("GET", "v2/observations", params=query).json()
            found |= {row["id"]: row for row in page["data"]}
            cursor = page["meta"].get("cursor")
            if not cursor or cursor == query.get("cursor"):
                return sorted(found.values(), key=lambda row: (row["startTime"], row["id"]))
            query["cursor"] = cursor

    def _say(self, case: Case, judgement: Judgement, configs: dict[str, Any], queue_id: str) -> set[Known]:
        """Post scores, correction and comment; what the scores are known by."""
        common = {"traceId": case.trace_id, "source": "ANNOTATION", "metadata": {"reviewer": self._name}}
        said: list[dict[str, Any]] = []
        for name, value in judgement.answers().items():
            config = configs.get(name)
            if config is None or config["dataType"] != "BOOLEAN":
                raise ReviewerError(f"the queue does not ask the yes-or-no question {name!r}")
            answer = {"name": name, "value": int(value), "dataType": "BOOLEAN", "configId": config["id"]}
            said.append(common | answer | {"id": self._id(case.item_id, name), "queueId": queue_id})
        if judgement.correction or judgement.clicked:
            correction = {"name": "output", "dataType": "CORRECTION", "id": self._id(case.trace_id, "correction")}
            # The click saves what the editor is filled with; it is typed over after that.
            self._post_scores([common | correction | {"value": case.seen.prefilled}])
            typed = edited(case.seen, judgement.correction) if judgement.correction else case.seen.prefilled
            said.append(common | correction | {"value": typed})
        self._post_scores(said)
        if judgement.comment:
            self._comment(case.trace_id, judgement.comment)
        return {_known_by(score) for score in said}

    def _id(self, *parts: str) -> str:
        """The same for the same thing said again, so that Langfuse keeps one of them."""
        return "review-" + hashlib.sha256("\0".join((self._name, *parts)).encode()).hexdigest()[:24]

    def _post_scores(self, said: Sequence[dict[str, Any]]) -> None:
        if version_tuple(str(self._send("GET", "health").json()["version"]).removeprefix("v")) < _ARRAYS_SINCE:
            for score in said:
                self._send("POST", "scores", json=score)
        elif said:
            reply = self._send("POST", "scores", json=list(said))
            if reply.status_code == httpx.codes.MULTI_STATUS:
                raise ReviewerError(f"Langfuse refused a judgement: {reply.text[:300]}")

    def _comment(self, trace_id: str, content: str) -> None:
        """Comments have no id of the client's: one that is there already is not written again."""
        query = {"objectType": "TRACE", "objectId": trace_id}
        known = self._rows("comments", **query)
        if any((found["content"], found["authorUserId"]) == (content, self._user_id) for found in known):
            return
        project = self._send("GET", "projects").json()["data"][0]["id"]
        body = query | {"projectId": project, "content": content, "authorUserId": self._user_id}
        self._send("POST", "comments", json=body)

    def _until_readable(self, expected: dict[str, set[Known]]) -> None:
        end = self._monotonic() + self._readable_within_s
        wait_s = _FIRST_WAIT_S
        while True:
            missing = {trace: ids - self._readable(trace) for trace, ids in expected.items() if ids}
            expected = {trace: ids for trace, ids in missing.items() if ids}
            if not expected:
                return
            if self._monotonic() + wait_s > end:
                named = ", ".join(sorted(expected))[:200]
                raise ReviewerError(f"Langfuse took the scores of {named} and does not show them; nothing is completed")
            self._sleep(wait_s)
            wait_s = min(_LONGEST_WAIT_S, wait_s * 2)

    def _readable(self, trace_id: str) -> set[Known]:
        found: set[Known] = set()
        query: dict[str, Any] = {"traceId": trace_id, "source": "ANNOTATION", "limit": _PAGE}
        while True:
            page = self._send("GET", "v3/scores", params=query).json()
            found |= {_known_by(score) for score in page["data"]}
            cursor = page.get("meta", {}).get("cursor")
            if not cursor or cursor == query.get("cursor"):
                return found
            query["cursor"] = cursor

    def _rows(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        page = 1
        while True:
            reply = self._send("GET", path, params={**query, "limit": _PAGE, "page": page}).json()
            yield from reply["data"]
            if page >= reply["meta"]["totalPages"] or not reply["data"]:
                return
            page += 1

    def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        """Send until it is answered for good; every request here may be repeated."""
        wait_s = _FIRST_WAIT_S
        problem = ""
        for _ in range(_TRIES):
            try:
                reply = self._http.request(method, f"/api/public/{path}", **content)
            except httpx.TransportError as error:
                problem = f"{type(error).__name__}: {error}"
            else:
                if reply.is_success:
                    return reply
                problem = f"{reply.status_code}: {reply.text[:300]}"
                if reply.status_code < httpx.codes.INTERNAL_SERVER_ERROR and reply.status_code not in (408, 409, 429):
                    break
                asked = reply.headers.get("retry-after", "")
                wait_s = max(wait_s, float(asked) if asked.isdecimal() else 0.0)
            self._sleep(wait_s)
            wait_s = min(_LONGEST_WAIT_S, wait_s * 2)
        raise ReviewerError(f"Langfuse does not take {method} {path}: {problem}")
