"""Annotation queues where only a script can play the other side: races, refusals, replies that are lost."""

from datetime import timedelta

import pytest

from flywheel.adapters.langfuse_queues import LangfuseReviewQueue
from flywheel.errors import InvalidRequestError, TransientError
from tests.fakes.clock import NOON
from tests.unit.adapters.langfuse_double import FakeLangfuse, Request, answer, scripted

CONFIG = {"id": "c-1", "name": "correct", "dataType": "BOOLEAN", "isArchived": False, "createdAt": "2026-11-01T00:00Z"}
QUEUE = {"id": "q-1", "name": "gate reviews", "scoreConfigIds": ["c-1"]}
ITEM = {"objectId": "t-1", "objectType": "TRACE", "createdAt": NOON.isoformat()}


def page(*rows: object) -> object:
    return {"data": list(rows), "meta": {"page": 1, "limit": 100, "totalItems": len(rows), "totalPages": 1}}


def reviews(langfuse: FakeLangfuse) -> LangfuseReviewQueue:
    return LangfuseReviewQueue(langfuse.api(), now=lambda: NOON)


def posts(langfuse: FakeLangfuse) -> int:
    return sum(request.method == "POST" for request in langfuse.requests)


def test_who_loses_the_race_for_a_queue_finds_that_of_the_winner() -> None:
    made = False

    def respond(request: Request) -> object:
        nonlocal made
        if request.method == "POST":
            made = True
            return answer({"message": "A queue with this name already exists."}, 400)
        if request.path == "projects":
            return answer({"data": [{"id": "p-1"}]})
        if request.path == "score-configs":
            return answer(page(CONFIG))
        return answer(page(QUEUE) if made else page())

    found = reviews(FakeLangfuse(respond)).ensure("gate reviews")  # type: ignore[arg-type]
    assert (found.queue_id, found.url) == ("q-1", "http://langfuse.test/project/p-1/annotation-queues/q-1")


def test_a_plan_that_allows_no_further_queue_says_so() -> None:
    def respond(request: Request) -> object:
        if request.method == "POST":
            return answer({"message": "Maximum number of annotation queues reached on Hobby plan."}, 405)
        return answer(page(CONFIG) if request.path == "score-configs" else page())

    with pytest.raises(InvalidRequestError, match="Maximum number of annotation queues"):
        reviews(FakeLangfuse(respond)).ensure("gate reviews")  # type: ignore[arg-type]


def test_of_several_configs_of_the_name_the_oldest_that_fits_is_asked() -> None:
    newer = CONFIG | {"id": "c-0", "createdAt": "2026-11-02T00:00Z"}
    others = CONFIG | {"id": "c-8", "dataType": "NUMERIC"}, CONFIG | {"id": "c-9", "isArchived": True}
    langfuse = scripted(
        answer(page()),
        answer(page(newer, CONFIG, *others)),
        answer(QUEUE),
        answer(page(CONFIG)),
        answer({"data": [{"id": "p-1"}]}),
    )
    reviews(langfuse).ensure("gate reviews")

    assert [r.content["scoreConfigIds"] for r in langfuse.requests if r.method == "POST"] == [["c-1"]]


def test_a_lost_reply_is_looked_up_and_not_sent_again() -> None:
    langfuse = scripted(OSError("reset"), answer(page(ITEM)))
    reviews(langfuse).add("q-1", "t-1", tried_since=None)

    assert (posts(langfuse), langfuse.paths()[-1]) == (1, "GET annotation-queues/q-1/items")


def test_what_did_not_arrive_is_sent_again_after_a_look() -> None:
    langfuse = scripted(answer({}, 503), answer(page()), answer(ITEM))
    reviews(langfuse).add("q-1", "t-1", tried_since=None)

    assert posts(langfuse) == 2


def test_a_look_does_not_read_items_from_before_the_attempt() -> None:
    old = ITEM | {"objectId": "t-0", "createdAt": (NOON - timedelta(hours=1)).isoformat()}
    many = {"data": [old], "meta": {"page": 1, "limit": 100, "totalItems": 900, "totalPages": 9}}
    langfuse = scripted(answer(many), answer(ITEM))
    reviews(langfuse).add("q-1", "t-1", tried_since=NOON)

    assert langfuse.paths() == ["GET annotation-queues/q-1/items", "POST annotation-queues/q-1/items"]


def test_a_rate_limit_is_waited_for_as_long_as_it_asks() -> None:
    langfuse = scripted(answer({}, 429, retry_after="20"), answer(page()), answer(ITEM))
    reviews(langfuse).add("q-1", "t-1", tried_since=None)
    assert langfuse.slept_s == [20.0]

    langfuse = scripted(answer({}, 429, retry_after="20"))
    with pytest.raises(TransientError):
        reviews(langfuse).add("q-1", "t-1", tried_since=None, deadline_s=10)
    assert langfuse.slept_s == []


def test_scores_are_asked_for_by_trace_and_never_by_time() -> None:
    langfuse = scripted(answer({"data": [], "meta": {}}))
    reviews(langfuse).scores([f"t-{n}" for n in range(150)])

    assert [len(r.query["traceId"][0].split(",")) for r in langfuse.requests] == [100, 50]
    assert all(r.query["source"] == ["ANNOTATION"] and "fromTimestamp" not in r.query for r in langfuse.requests)


def test_a_word_or_a_number_out_of_range_is_no_judgement() -> None:
    values = {"a": "yes", "b": 7, "c": True, "d": 0.5}
    said = [
        {"subject": {"kind": "trace", "id": trace}, "value": value, "timestamp": NOON.isoformat()}
        for trace, value in values.items()
    ]
    langfuse = scripted(answer({"data": said, "meta": {}}))
    found = reviews(langfuse).scores(["a", "b", "c", "d"])

    assert {trace: it.value for trace, it in found.items()} == {"c": 1.0, "d": 0.5}
    assert (found["c"].reviewer, found["c"].comment) == ("", "")
