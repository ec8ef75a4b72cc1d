"""Scores, the writing side: one object (4.16), an array (from 4.59), an ingestion event; and deletion."""

import sqlite3
import uuid
from typing import Any

from starlette.responses import Response

from local.langfuse.call import Call
from local.langfuse.problems import invalid_data
from local.langfuse.routing import Routes
from local.langfuse.score_bodies import PostedScore, score_body
from local.langfuse.score_configs import find as find_config
from local.langfuse.store import Store, Where
from local.langfuse.validation import Issue, parse, too_small
from local.langfuse.wire import from_json, json_reply, to_json

_SECOND_US = 1_000_000


def add_routes(routes: Routes) -> None:
    routes.add("POST", "/api/public/scores", _post)
    routes.add("DELETE", "/api/public/scores/{scoreId}", _delete)


def _post(call: Call) -> Response:
    sent = call.json()
    if isinstance(sent, list) and call.settings.takes_score_arrays:
        return _post_many(call, sent)
    posted: PostedScore = parse(score_body, sent)
    score_id = posted.id or str(uuid.uuid4())
    # A single object has no time of its own; only the array form has.
    accept(call, posted, score_id, None)
    return json_reply({"id": score_id})


def _post_many(call: Call, sent: list[Any]) -> Response:
    if not sent:
        raise invalid_data([too_small("array", 1, ())])
    errors = []
    with call.store.together():
        for index, entry in enumerate(sent):
            issues: list[Issue] = []
            posted = score_body(entry, (), issues)
            if posted is None:
                errors.append({"message": f"Score {index}: {'; '.join(_worded(issue) for issue in issues)}"})
            else:
                accept(call, posted, posted.id or str(uuid.uuid4()), posted.timestamp_us)
    if not errors:
        return json_reply({"message": "Accepted"}, 202)
    counts = {"accepted": len(sent) - len(errors), "rejected": len(errors)}
    return json_reply(counts | {"errors": errors}, 207)


def _worded(issue: Issue) -> str:
    return f"{'.'.join(str(part) for part in issue['path']) or 'score'}: {issue['message']}"


def accept(call: Call, posted: PostedScore, score_id: str, timestamp_us: int | None, author: str | None = None) -> bool:
    """Store a score, or drop it silently where the real server's worker would (or a fault rule says so): False then.

    `author`: who gave it on a page; the public API has no such field.
    """
    if call.lateness.dropped:
        return False
    typed = _typed(call.store, posted)
    if typed is None:
        return False
    _write(call, posted, score_id, typed, timestamp_us, author=author)
    return True


def _typed(store: Store, posted: PostedScore) -> dict[str, Any] | None:
    """Name, data type and value after the config was looked at; None when the score is to be dropped."""
    config = None
    if posted.config_id is not None:
        config = find_config(store, posted.config_id)
        if config is None or config["is_archived"]:
            return None
    if posted.data_type == "CORRECTION" and posted.trace_id is None:
        return None
    inferred = "CATEGORICAL" if isinstance(posted.value, str) else "NUMERIC"
    data_type = posted.data_type or (config["data_type"] if config is not None else inferred)
    is_text = data_type in ("CATEGORICAL", "TEXT", "CORRECTION")
    if is_text != isinstance(posted.value, str):
        return None
    if config is not None and not _fits(config, data_type, posted.value):
        return None
    return {
        "name": posted.name if config is None else config["name"],
        "data_type": data_type,
        "number": None if isinstance(posted.value, str) else float(posted.value),
        "text": posted.value if isinstance(posted.value, str) else None,
    }


def _fits(config: sqlite3.Row, data_type: str, value: float | str) -> bool:
    if data_type != config["data_type"]:
        return False
    if data_type == "CATEGORICAL":
        return value in [category["label"] for category in from_json(config["categories"])]
    if isinstance(value, str):
        return True
    if data_type == "BOOLEAN":
        return value in (0, 1)
    low, high = config["min_value"], config["max_value"]
    return (low is None or value >= low) and (high is None or value <= high)


def _write(
    call: Call,
    posted: PostedScore,
    score_id: str,
    typed: dict[str, Any],
    timestamp_us: int | None,
    *,
    author: str | None,
) -> None:
    store = call.store
    now = call.now_us()
    optional = {
        "config_id": posted.config_id,
        "queue_id": posted.queue_id,
        "comment": posted.comment,
        "author_user_id": author,
        "metadata": None if posted.metadata is None else to_json(posted.metadata),
    }
    sent = {column: value for column, value in optional.items() if value is not None}
    existing = store.row("SELECT gone_us FROM scores WHERE id = ?", score_id)
    if existing is not None and existing["gone_us"] is not None:
        store.run("DELETE FROM scores WHERE id = ?", score_id)
        existing = None
    if existing is not None:
        # The id, the target, the environment and both times of the first write stay.
        where = Where()
        where.equal("id", score_id)
        store.update("scores", where, typed | sent | {"source": posted.source, "updated_us": now})
        return
    row: dict[str, Any] = {"id": score_id, "metadata": "{}", "source": posted.source, "environment": posted.environment}
    row |= {"trace_id": posted.trace_id, "observation_id": posted.observation_id}
    row |= {"session_id": posted.session_id, "run_id": posted.run_id}
    times = {
        "timestamp_us": now if timestamp_us is None else timestamp_us,
        "created_us": now // _SECOND_US * _SECOND_US,  # the real server keeps whole seconds here
        "updated_us": now,
        "visible_us": call.visible_from(now),
    }
    store.insert("scores", row | typed | sent | times)


def _delete(call: Call) -> Response:
    """Queued, as on the real server: the score stays readable for a while, and an unknown id is no error."""
    gone_us = call.now_us() + int(call.settings.deletion_delay_s * 1_000_000)
    call.store.run("UPDATE scores SET gone_us = ? WHERE id = ?", gone_us, call.params["scoreId"])
    return json_reply({"message": "Score deletion queued successfully"}, 202)
