"""An item of an annotation queue as its reviewer meets it: who reviews, what is asked, what was said, what follows."""

import hashlib
import re
import sqlite3
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from local.langfuse import scores_read
from local.langfuse.call import Call
from local.langfuse.problems import ApiError
from local.langfuse.score_configs import find as find_config
from local.langfuse.store import Where
from local.langfuse.wire import from_json, plain_number

DEFAULT_AUTHOR = "local-reviewer"
COOKIE = "reviewer"
# What the sampler leaves on a trace that it queued: its reasons are in the metadata.
_SAMPLED = "review_sampled"
_AUTHOR = re.compile(r"[\w.@+ -]{1,64}")
_MAXIMUM_SCORES = 200
_ORDER = "created_us, id"


def author_of(call: Call) -> str:
    """Who reviews: `?as=`, else who did last in this browser, else a fixed name."""
    asked = parse_qs(call.query_string, max_num_fields=200).get("as", [""])[0]
    cookies = dict(part.strip().partition("=")[::2] for part in call.headers.get("cookie", "").split(";"))
    for name in (asked.strip(), unquote(cookies.get(COOKIE, ""))):
        if _AUTHOR.fullmatch(name):
            return name
    return DEFAULT_AUTHOR


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a queue, with its queue."""

    queue: sqlite3.Row
    row: sqlite3.Row

    @property
    def id(self) -> str:
        return str(self.row["id"])

    @property
    def trace_id(self) -> str | None:
        """None: it is an observation or a session, which only Langfuse's own page shows."""
        return str(self.row["object_id"]) if self.row["object_type"] == "TRACE" else None

    @property
    def completed(self) -> bool:
        return str(self.row["status"]) == "COMPLETED"

    @property
    def config_ids(self) -> list[str]:
        return list(dict.fromkeys(from_json(self.queue["score_config_ids"])))


def queue_of(call: Call) -> sqlite3.Row:
    """Raise `ApiError` 404 when there is no such queue."""
    queue = call.store.row("SELECT * FROM queues WHERE id = ?", call.params["queueId"])
    if queue is None or call.params["projectId"] != call.settings.project_id:
        raise ApiError(404, {"message": "This queue is not there."})
    return queue


def item_of(call: Call) -> Item:
    """Raise `ApiError` 404 when the item is not there, or not there any more."""
    queue = queue_of(call)
    sql = "SELECT * FROM queue_items WHERE id = ? AND queue_id = ?"
    row = call.store.row(sql, call.params["itemId"], queue["id"])
    if row is None:
        raise ApiError(
            404, {"message": "This item was deleted from the queue. What you wrote here is not lost: copy it."}
        )
    return Item(queue, row)


def score_id(item: Item, config_id: str, author: str) -> str:
    """One score for each question, trace and reviewer: given again it is changed."""
    return _id("score", str(item.row["object_id"]), config_id, author)


def correction_id(item: Item) -> str:
    """One correction for each trace, whoever writes it, as in Langfuse."""
    return _id("correction", str(item.row["object_id"]))


def comment_id(item: Item, author: str, content: str) -> str:
    """The same words of the same reviewer are one comment: a repeated request adds none."""
    return _id("comment", str(item.row["object_id"]), author, content)


def _id(*parts: str) -> str:
    return "page-" + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Question:
    """One score that the queue asks for; `mine`: what this reviewer said, None when nothing yet."""

    id: str
    name: str
    description: str
    data_type: str
    low: float | None
    high: float | None
    categories: tuple[str, ...]
    mine: float | str | None


def questions(call: Call, item: Item, author: str) -> list[Question]:
    found: list[Question] = []
    for config_id in item.config_ids:
        config = find_config(call.store, config_id)
        if config is None or config["is_archived"]:
            continue
        labels = [str(entry["label"]) for entry in from_json(config["categories"]) or []]
        found.append(
            Question(
                id=config_id,
                name=config["name"],
                description=config["description"] or "",
                data_type=config["data_type"],
                low=_plain(config["min_value"]),
                high=_plain(config["max_value"]),
                categories=tuple(labels) if config["data_type"] == "CATEGORICAL" else (),
                mine=value_of(call, score_id(item, config_id, author)),
            )
        )
    return found


def _plain(value: float | None) -> float | None:
    return None if value is None else plain_number(value)


def value_of(call: Call, identifier: str) -> float | str | None:
    """The value of a score that is there; None when it is not."""
    row = call.store.row("SELECT number, text FROM scores WHERE id = ? AND gone_us IS NULL", identifier)
    if row is None:
        return None
    return str(row["text"]) if row["number"] is None else plain_number(row["number"])


def correction_of(call: Call, item: Item) -> sqlite3.Row | None:
    """The newest correction of the trace, by whatever way it came."""
    where = Where("gone_us IS NULL")
    where.equal("trace_id", item.row["object_id"])
    where.equal("data_type", "CORRECTION")
    return next(call.store.select("scores", where, "updated_us DESC, id", 1), None)


def others(call: Call, item: Item, author: str) -> list[dict[str, Any]]:
    """What everybody else said about the trace, machines included: for the eyes of who has judged."""
    where = scores_read.readable(call)
    where.equal("trace_id", item.row["object_id"])
    where.add("name <> ?", _SAMPLED)
    where.add("(source <> 'ANNOTATION' OR author_user_id IS NULL OR author_user_id <> ?)", author)
    shown = []
    for row in call.store.select("scores", where, "timestamp_us, id", _MAXIMUM_SCORES):
        score = scores_read.shown(call, row, frozenset({"details", "annotation"}))
        metadata = score["metadata"] if isinstance(score["metadata"], dict) else {}
        who = score["authorUserId"] or metadata.get("reviewer") or score["source"].lower()
        shown.append({"who": str(who), "name": score["name"], "value": _worded(score["value"])})
    sql = "SELECT * FROM comments WHERE object_type = 'TRACE' AND object_id = ? ORDER BY created_us, id LIMIT 200"
    comments = call.store.rows(sql, item.row["object_id"])
    return shown + [
        {"who": row["author_user_id"] or "somebody", "name": "comment", "value": row["content"]}
        for row in comments
        if row["author_user_id"] != author
    ]


def _worded(value: float | bool | str) -> str:  # noqa: FBT001 - a score's value
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def has_judged(call: Call, item: Item, author: str) -> bool:
    """Whether this reviewer answered the queue's first question, or the item is finished."""
    first = item.config_ids[:1]
    return item.completed or any(value_of(call, score_id(item, config, author)) is not None for config in first)


def my_comments(call: Call, item: Item, author: str) -> list[str]:
    where = Where("object_type = 'TRACE'")
    where.equal("object_id", item.row["object_id"])
    where.equal("author_user_id", author)
    return [str(row["content"]) for row in call.store.select("comments", where, _ORDER)]


def why_chosen(call: Call, item: Item) -> dict[str, Any] | None:
    """Reasons, stratum and probability, as the sampler left them; None: it left nothing."""
    where = scores_read.readable(call)
    where.equal("trace_id", item.row["object_id"])
    where.equal("name", _SAMPLED)
    row = next(call.store.select("scores", where, "timestamp_us DESC, id", 1), None)
    if row is None:
        return None
    metadata = from_json(row["metadata"])
    metadata = metadata if isinstance(metadata, dict) else {}
    reasons = metadata.get("reasons") or []
    reasons = reasons if isinstance(reasons, list) else [reasons]
    return {
        "reasons": [str(reason) for reason in reasons],
        "stratum": str(metadata.get("stratum") or ""),
        "probability": row["number"],
    }


@dataclass(frozen=True, slots=True)
class Place:
    """Where an item stands in its queue; `following`: the next that waits, after it and then from the start."""

    number: int
    total: int
    completed: int
    following: str | None
    previous: str | None


def place_of(call: Call, queue: sqlite3.Row, item_id: str | None) -> Place:
    """`item_id` None: before the first item."""
    sql = f"SELECT id, status FROM queue_items WHERE queue_id = ? ORDER BY {_ORDER}"  # noqa: S608 - a literal of ours
    rows = [(str(row["id"]), row["status"]) for row in call.store.rows(sql, queue["id"])]
    at = next((index for index, (found, _) in enumerate(rows) if found == item_id), -1)
    after = rows[at + 1 :] + rows[: max(at, 0)]
    return Place(
        number=at + 1,
        total=len(rows),
        completed=sum(status == "COMPLETED" for _, status in rows),
        following=next((found for found, status in after if status == "PENDING"), None),
        previous=rows[at - 1][0] if at > 0 else None,
    )


def review_path(call: Call, queue_id: str, item_id: str | None, author: str) -> str:
    """Path of an item's page; None: of whatever waits next."""
    base = f"/project/{quote(call.settings.project_id, safe='')}/annotation-queues/{quote(queue_id, safe='')}/review"
    item = "" if item_id is None else f"/{quote(item_id, safe='')}"
    return f"{base}{item}?as={quote(author, safe='')}"
