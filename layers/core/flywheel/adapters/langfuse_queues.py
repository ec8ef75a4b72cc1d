"""Annotation queues of Langfuse: made with what reviewers are asked, filled trace by trace, read with their scores."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched, islice
from typing import Any, Final

from flywheel.adapters.langfuse import LangfuseApi, Query, json_bytes, segment
from flywheel.adapters.langfuse_score_configs import LangfuseScoreConfigs, pages
from flywheel.domain.review_form import CORRECT, GATE_FORM, FormScore
from flywheel.errors import ConflictError, InvalidRequestError, TransientError
from flywheel.ports import HumanScore, Queue

# What the reviewers of gates are asked: is the answer correct? Yes or no; why is their comment.
SCORE_NAME: Final = CORRECT.name
_ABOUT_GATES = "Answers of gates. Read question, answer and expected facts, then judge; who answered does not matter."
_ABOUT_LIVE = (
    "Answers that users were given. Judge each one; say which case every later version should be tested against."
)
_KINDS: Final = {"BOOLEAN": "yes-or-no", "CATEGORICAL": "categorical", "NUMERIC": "numeric"}
_PARAMETERS: Final = {GATE_FORM: "ReviewQueueName"}
_PAGE = 100
_IDS_PER_REQUEST = 100
_MOST_ITEMS = 5_000
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 8.0
# Langfuse's clock and ours may differ by so much.
_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class QueueForm:
    """What a queue asks, beside a form. `unasked`: names of the form's scores that it does not ask for."""

    queue_id: str
    unasked: tuple[str, ...]


class LangfuseReviewQueue:
    """Queues, score configs and human scores of one project."""

    def __init__(self, api: LangfuseApi, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._api = api
        self._score_configs = LangfuseScoreConfigs(api)
        self._now = now

    def ensure(self, name: str, form: Sequence[FormScore] = GATE_FORM, *, deadline_s: float = 30.0) -> Queue:
        end = self._api.monotonic() + deadline_s
        found = self._find(name, end) or self._create(name, form, end)
        unasked = self._unasked(found, form, end)
        missing = [score.name for score in form if score.required and score.name in unasked]
        if missing:
            raise InvalidRequestError(
                f"the annotation queue {name!r} does not ask for the {_KINDS[form[0].data_type]} score "
                f"{', '.join(map(repr, missing))}: name another one by the stack's "
                f"{_PARAMETERS.get(tuple(form), 'LiveQueueName')}; Langfuse cannot change what a queue asks"
            )
        return Queue(str(found["id"]), name, self._url(str(found["id"]), end))

    def find(self, name: str, *, deadline_s: float = 30.0) -> Queue | None:
        end = self._api.monotonic() + deadline_s
        found = self._find(name, end)
        return None if found is None else Queue(str(found["id"]), name, self._url(str(found["id"]), end))

    def inspect(self, name: str, form: Sequence[FormScore], *, deadline_s: float = 30.0) -> QueueForm | None:
        """Compare the queue of that name with a form; None: there is no such queue. Makes nothing."""
        end = self._api.monotonic() + deadline_s
        found = self._find(name, end)
        return None if found is None else QueueForm(str(found["id"]), self._unasked(found, form, end))

    def _unasked(self, queue: dict[str, Any], form: Sequence[FormScore], end: float) -> tuple[str, ...]:
        configs = self._configs(form, end)
        asked = set(queue["scoreConfigIds"])
        return tuple(score.name for score in form if not asked.intersection(configs[score.name]))

    def _find(self, name: str, end: float) -> dict[str, Any] | None:
        return next((queue for queue in self._rows("annotation-queues", (), end) if queue["name"] == name), None)

    def _create(self, name: str, form: Sequence[FormScore], end: float) -> dict[str, Any]:
        standing = self._configs(form, end)
        ids = [standing[score.name][0] if standing[score.name] else self._config(score, end) for score in form]
        about = _ABOUT_GATES if tuple(form) == GATE_FORM else _ABOUT_LIVE
        body = {"name": name, "description": about, "scoreConfigIds": ids}
        try:
            created: dict[str, Any] = self._api.post("annotation-queues", body, deadline_s=self._left_s(end))
        except (ConflictError, InvalidRequestError):
            # Somebody else was first, or our own request whose reply was lost.
            found = self._find(name, end)
            if found is None:
                raise
            return found
        return created

    def _config(self, score: FormScore, end: float) -> str:
        return self._score_configs.create(score, deadline_s=self._left_s(end))

    def _configs(self, form: Sequence[FormScore], end: float) -> dict[str, list[str]]:
        """Ids of each score's configs, the oldest first."""
        found = self._score_configs.standing(form, deadline_s=self._left_s(end))
        return {name: [str(config["id"]) for config in configs] for name, configs in found.items()}

    def _url(self, queue_id: str, end: float) -> str:
        project = self._api.get("projects", deadline_s=self._left_s(end))["data"][0]["id"]
        return f"{self._api.host}/project/{segment(str(project))}/annotation-queues/{segment(queue_id)}"

    def add(self, queue_id: str, trace_id: str, *, tried_since: datetime | None, deadline_s: float = 30.0) -> None:
        end = self._api.monotonic() + deadline_s
        body = json_bytes({"objectId": trace_id, "objectType": "TRACE"})
        path = f"annotation-queues/{segment(queue_id)}/items"
        wait_s = _FIRST_WAIT_S
        while True:
            if tried_since is not None and self._has(queue_id, trace_id, tried_since, end):
                return
            tried_since = tried_since or self._now()
            try:
                # Once: a repetition would queue it twice when only the reply was lost. Whether it was is looked up.
                self._api.request("POST", path, body, deadline_s=self._left_s(end), repeat=False)
            except TransientError as error:
                pause_s = max(wait_s, error.retry_after_s)
                if self._api.monotonic() + pause_s >= end:
                    raise
                self._api.sleep(pause_s)
                wait_s = min(_LONGEST_WAIT_S, wait_s * 2)
            else:
                return

    def _has(self, queue_id: str, trace_id: str, since: datetime, end: float) -> bool:
        """Look among the items since then; the newest come first."""
        for item in self._rows(f"annotation-queues/{segment(queue_id)}/items", (), end):
            if datetime.fromisoformat(item["createdAt"]) < since - _SKEW:
                return False
            if (item["objectType"], item["objectId"]) == ("TRACE", trace_id):
                return True
        return False

    def holding(
        self, queue_id: str, trace_ids: Collection[str], *, since: datetime, deadline_s: float = 30.0
    ) -> frozenset[str]:
        wanted, found = set(trace_ids), set[str]()
        rows = self._rows(f"annotation-queues/{segment(queue_id)}/items", (), self._api.monotonic() + deadline_s)
        # The API filters by no trace and gives the newest first: 50 requests at most, usually one.
        for item in islice(rows, _MOST_ITEMS):
            if wanted <= found or datetime.fromisoformat(item["createdAt"]) < since - _SKEW:
                break
            if item["objectType"] == "TRACE" and item["objectId"] in wanted:
                found.add(str(item["objectId"]))
        return frozenset(found)

    def waiting(self, queue_id: str) -> frozenset[str]:
        end = self._api.monotonic() + 30.0
        rows = self._rows(f"annotation-queues/{segment(queue_id)}/items", [("status", "PENDING")], end)
        return frozenset(str(item["objectId"]) for item in rows if item["objectType"] == "TRACE")

    def scores(self, trace_ids: Collection[str]) -> dict[str, HumanScore]:
        found: dict[str, HumanScore] = {}
        for traces in batched(trace_ids, _IDS_PER_REQUEST, strict=False):
            for score in self._scores(traces):
                subject = score.get("subject") or {}
                trace = str(subject.get("id") if subject.get("kind") == "trace" else subject.get("traceId"))
                value = score["value"]
                # A BOOLEAN arrives as true or false; who asks for a number in [0, 1] under the same name gets it.
                if isinstance(value, bool | int | float) and 0 <= value <= 1 and trace not in found:
                    found[trace] = HumanScore(
                        trace_id=trace,
                        value=float(value),
                        reviewer=str(score.get("authorUserId") or ""),
                        at=datetime.fromisoformat(score["timestamp"]),
                        comment=str(score.get("comment") or ""),
                    )
        return found

    def _scores(self, traces: Collection[str]) -> Iterator[dict[str, Any]]:
        """Newest first. Asked for by trace, not by time: an edit in Langfuse moves no time of a score."""
        query: list[tuple[str, str | int]] = [
            ("traceId", ",".join(traces)),
            ("name", SCORE_NAME),
            ("source", "ANNOTATION"),
            ("fields", "details,subject,annotation"),
            ("limit", _PAGE),
        ]
        cursor: str | None = None
        while True:
            page = self._api.get("v3/scores", [*query, ("cursor", cursor)] if cursor else query)
            yield from page["data"]
            following = page.get("meta", {}).get("cursor")
            if not following or following == cursor:
                return
            cursor = following

    def _rows(self, path: str, query: Query, end: float) -> Iterator[dict[str, Any]]:
        return pages(self._api, path, query, deadline_s=self._left_s(end))

    def _left_s(self, end: float) -> float:
        return max(0.1, end - self._api.monotonic())
