"""What a reviewer does on the page -> scores, corrections, comments and the item's status, as the API keeps them."""

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from local.langfuse import comments, queues, review_items, scores
from local.langfuse.call import Call
from local.langfuse.problems import ApiError
from local.langfuse.review_items import Item
from local.langfuse.routing import Routes
from local.langfuse.score_bodies import PostedScore, score_body
from local.langfuse.score_configs import find as find_config
from local.langfuse.validation import fields, parse
from local.langfuse.wire import json_reply

# A page of another site can send a form here, but no header of this name.
_OURS = "x-flywheel-review"


def add_routes(routes: Routes) -> None:
    routes.add("POST", "/project/{projectId}/annotation-queues/{queueId}/review/{itemId}", _act)


def _act(call: Call) -> Response:
    """Do one thing. The reply's `undo` is what takes it back, sent to the same address; None: nothing to take back."""
    if call.headers.get(_OURS) is None:
        raise ApiError(403, {"message": "This address belongs to the reviewer's page."})
    body = call.json()
    action = _ACTIONS.get(body.get("action")) if isinstance(body, dict) else None
    if action is None:
        raise _refused(f"There is no such action; there are: {', '.join(_ACTIONS)}.")
    item, author = review_items.item_of(call), review_items.author_of(call)
    with call.store.together():
        reply = action(call, item, author, body)
    return json_reply({"undo": None} | reply)


def _refused(message: str) -> ApiError:
    return ApiError(400, {"message": message})


def _score(call: Call, item: Item, author: str, body: dict[str, Any]) -> dict[str, Any]:
    """`value` None: take the answer back."""
    config_id = body.get("configId")
    config = find_config(call.store, config_id) if config_id in item.config_ids else None
    if config is None:
        raise _refused("The queue does not ask this question.")
    score_id = review_items.score_id(item, config["id"], author)
    before = review_items.value_of(call, score_id)
    if body.get("value") is None:
        call.store.run("DELETE FROM scores WHERE id = ?", score_id)
    else:
        wanted = {"name": config["name"], "value": body["value"], "dataType": config["data_type"]}
        posted = _posted(call, item, wanted | {"configId": config["id"], "queueId": item.queue["id"]})
        if not scores.accept(call, posted, score_id, None, author):
            raise _refused(f"{config['name']}: {body['value']!r} is not among the values that it may have.")
    judged = review_items.has_judged(call, item, author)
    undo = {"action": "score", "configId": config["id"], "value": before}
    return {"undo": undo, "others": review_items.others(call, item, author) if judged else None}


def _posted(call: Call, item: Item, wanted: dict[str, Any]) -> PostedScore:
    """The body that the API would get, checked as the API checks it."""
    target = {"traceId": _trace_id(item), "source": "ANNOTATION", "environment": _environment(call, item)}
    posted: PostedScore = parse(score_body, wanted | target)
    return posted


def _trace_id(item: Item) -> str:
    if item.trace_id is None:
        raise _refused("Only traces can be judged here; skip this item.")
    return item.trace_id


def _environment(call: Call, item: Item) -> str:
    sql = "SELECT environment FROM observations WHERE trace_id = ? ORDER BY start_us LIMIT 1"
    row = call.store.row(sql, item.row["object_id"])
    return "default" if row is None else str(row["environment"])


def _correct(call: Call, item: Item, author: str, body: dict[str, Any]) -> dict[str, Any]:
    """Saved while it is typed. `seen`: the version that the page knows; another one is never written over."""
    text = body.get("text")
    if not isinstance(text, str):
        raise _refused("A correction is a text.")
    stands = review_items.correction_of(call, item)
    version = None if stands is None else stands["updated_us"]
    if version != body.get("seen"):
        if stands is not None and stands["text"] == text:
            return {"seen": version}
        raise ApiError(
            409,
            {"message": "The correction was changed elsewhere. Copy your text, then reload the page: Ctrl+R."},
        )
    if not text.strip():
        if stands is not None:
            call.store.run("DELETE FROM scores WHERE id = ?", stands["id"])
        return {"seen": None}
    score_id = review_items.correction_id(item) if stands is None else str(stands["id"])
    posted = _posted(call, item, {"name": "output", "value": text, "dataType": "CORRECTION"})
    scores.accept(call, posted, score_id, None, author)
    written = review_items.correction_of(call, item)
    return {"seen": None if written is None else written["updated_us"]}


def _comment(call: Call, item: Item, author: str, body: dict[str, Any]) -> dict[str, Any]:
    wanted = {"projectId": call.settings.project_id, "content": body.get("content"), "authorUserId": author}
    checked = parse(fields(comments.BODY), wanted | {"objectType": "TRACE", "objectId": _trace_id(item)})
    comment_id = review_items.comment_id(item, author, checked["content"])
    if call.store.row("SELECT 1 FROM comments WHERE id = ?", comment_id) is None:
        comments.write(call, checked, comment_id)
    return {"undo": {"action": "uncomment", "id": comment_id}}


def _uncomment(call: Call, item: Item, author: str, body: dict[str, Any]) -> dict[str, Any]:
    sql = "DELETE FROM comments WHERE id = ? AND object_id = ? AND author_user_id = ?"
    call.store.run(sql, str(body.get("id")), item.row["object_id"], author)
    return {}


def _complete(call: Call, item: Item, author: str, _body: dict[str, Any]) -> dict[str, Any]:
    """An item that is completed already, in another tab perhaps, stays as it is."""
    if not item.completed:
        queues.set_status(call, item.row, "COMPLETED")
    place = review_items.place_of(call, item.queue, item.id)
    undo = None if item.completed else {"action": "reopen"}
    return {"undo": undo, "next": review_items.review_path(call, item.queue["id"], place.following, author)}


def _reopen(call: Call, item: Item, _author: str, _body: dict[str, Any]) -> dict[str, Any]:
    queues.set_status(call, item.row, "PENDING")
    return {}


_ACTIONS: dict[Any, Callable[[Call, Item, str, dict[str, Any]], dict[str, Any]]] = {
    "score": _score,
    "correction": _correct,
    "comment": _comment,
    "uncomment": _uncomment,
    "complete": _complete,
    "reopen": _reopen,
}
