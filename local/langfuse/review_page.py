"""The reviewer's page: one item of a queue at a time, for the keyboard. What it writes is in `review_actions`."""

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from local.langfuse import pages, review_items
from local.langfuse.call import Call
from local.langfuse.clock import iso
from local.langfuse.problems import ApiError
from local.langfuse.review_items import Item
from local.langfuse.routing import Routes
from local.langfuse.store import Where
from local.langfuse.trace_reading import read_trace

_QUEUES = "/project/{projectId}/annotation-queues"
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_STATIC = {
    "pico.css": ("pico.classless.min.css", "text/css"),
    "review.css": ("review.css", "text/css"),
    "review.js": ("review.js", "text/javascript"),
}
_MAXIMUM_QUEUES = 200
_MAXIMUM_SPANS = 2000


def add_routes(routes: Routes) -> None:
    routes.add("GET", _QUEUES, _list)
    routes.add("GET", f"{_QUEUES}/{{queueId}}/review", _next)
    routes.add("GET", f"{_QUEUES}/{{queueId}}/review/{{itemId}}", _show)
    routes.add("GET", "/_static/{file}", _static)


@cache
def _content(name: str) -> bytes:
    return (Path(__file__).parent / "static" / name).read_bytes()


def _static(call: Call) -> Response:
    found = _STATIC.get(call.params["file"])
    if found is None:
        return pages.not_found_page()
    return Response(_content(found[0]), headers={"content-type": f"{found[1]}; charset=utf-8"} | _HEADERS)


def _list(call: Call) -> Response:
    if pages.other_project(call):
        return pages.not_found_page()
    author = review_items.author_of(call)
    queues: list[dict[str, Any]] = []
    for row in call.store.select("queues", Where(), "created_us, id", _MAXIMUM_QUEUES):
        place = review_items.place_of(call, row, None)
        path = review_items.review_path(call, row["id"], None, author)
        queues.append({"name": row["name"], "about": row["description"] or "", "place": place, "path": path})
    return _remembering(pages.page(call, "review_queues.html", headers=_HEADERS, queues=queues, author=author), author)


def _next(call: Call) -> Response:
    author = review_items.author_of(call)
    try:
        queue = review_items.queue_of(call)
    except ApiError as error:
        return _gone(call, error, author)
    place = review_items.place_of(call, queue, None)
    if place.following is None:
        last = _last(call, queue["id"], author) if place.total else None
        values = {"name": queue["name"], "place": place, "last": last, "author": author}
        return _remembering(pages.page(call, "review_done.html", headers=_HEADERS, **values), author)
    path = review_items.review_path(call, queue["id"], place.following, author)
    return _remembering(RedirectResponse(path, 307, headers=_HEADERS), author)


def _last(call: Call, queue_id: str, author: str) -> str | None:
    where = Where()
    where.equal("queue_id", queue_id)
    row = next(call.store.select("queue_items", where, "completed_us DESC, id", 1), None)
    return None if row is None else review_items.review_path(call, queue_id, row["id"], author)


def _show(call: Call) -> Response:
    author = review_items.author_of(call)
    try:
        item = review_items.item_of(call)
    except ApiError as error:
        return _gone(call, error, author)
    queue_id = item.queue["id"]
    place = review_items.place_of(call, item.queue, item.id)
    judged = review_items.has_judged(call, item, author)
    correction = review_items.correction_of(call, item)
    # Somebody else's correction would tell what the answer should be before it was judged.
    hidden = correction is not None and correction["author_user_id"] != author and not judged
    values: dict[str, Any] = {
        "item": item,
        "place": place,
        "author": author,
        "here": review_items.review_path(call, queue_id, item.id, author),
        "next": review_items.review_path(call, queue_id, place.following, author),
        "previous": place.previous and review_items.review_path(call, queue_id, place.previous, author),
        "questions": review_items.questions(call, item, author),
        "chosen": review_items.why_chosen(call, item),
        "correction": "" if correction is None or hidden else correction["text"],
        "correction_seen": None if correction is None else correction["updated_us"],
        "correction_hidden": hidden,
        "comments": review_items.my_comments(call, item, author),
        "others": review_items.others(call, item, author) if judged else [],
        "judged": judged,
    }
    return _remembering(pages.page(call, "review.html", headers=_HEADERS, **values, **_trace(call, item)), author)


def _trace(call: Call, item: Item) -> dict[str, Any]:
    """What the agent did; `seen` None: the trace is not there, not yet or not any more."""
    where = Where("visible_us <= ?")
    where.parameters.append(call.now_us())
    where.equal("trace_id", item.trace_id or "")
    rows = list(call.store.select("observations", where, "start_us, id", _MAXIMUM_SPANS))
    seen = read_trace([pages.span(dict(row)) for row in rows])
    if seen is None:
        return {"seen": None, "latency_s": None, "started": None}
    latency_s = (max(row["end_us"] for row in rows) - rows[0]["start_us"]) / 1_000_000
    return {"seen": seen, "latency_s": latency_s, "started": iso(rows[0]["start_us"])}


def _gone(call: Call, error: ApiError, author: str) -> Response:
    message = (error.body or {}).get("message", "")
    page = pages.page(call, "review_gone.html", 404, headers=_HEADERS, message=message, author=author)
    return _remembering(page, author)


def _remembering(response: Response, author: str) -> Response:
    response.set_cookie(review_items.COOKIE, quote(author, safe=""), httponly=True, samesite="strict", path="/project")
    return response
