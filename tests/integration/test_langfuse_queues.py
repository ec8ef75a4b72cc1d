"""Annotation queues and human scores against the stand-in."""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from flywheel.adapters.langfuse import LangfuseApi, LangfuseCredentials
from flywheel.adapters.langfuse_queues import LangfuseReviewQueue
from flywheel.errors import InvalidRequestError
from local.langfuse.testing import RunningStandIn, running_stand_in
from tests.fakes.review_contracts import ReviewQueueContract


@pytest.fixture(scope="module", params=["4.16.0", "4.59.0"])
def stand_in(request: pytest.FixtureRequest) -> Iterator[RunningStandIn]:
    with running_stand_in(server_version=request.param) as running:
        yield running


@pytest.fixture
def api(stand_in: RunningStandIn) -> Iterator[LangfuseApi]:
    yield LangfuseApi(LangfuseCredentials(stand_in.url, stand_in.public_key, stand_in.secret_key))
    httpx.delete(f"{stand_in.url}/_faults").raise_for_status()


@pytest.fixture
def reviews(api: LangfuseApi) -> LangfuseReviewQueue:
    return LangfuseReviewQueue(api)


@pytest.fixture
def queued(api: LangfuseApi) -> Callable[[str], list[str]]:
    def look(queue_id: str) -> list[str]:
        page = api.get(f"annotation-queues/{queue_id}/items", [("limit", 100)])
        return [item["objectId"] for item in page["data"]]

    return look


@pytest.fixture
def judge(api: LangfuseApi, reviews: LangfuseReviewQueue) -> Callable[[str, float], None]:
    return lambda trace, value: said(api, trace, value)


def said(api: LangfuseApi, trace: str, value: float, score_id: str | None = None, **more: Any) -> None:
    """What a reviewer's click leaves in Langfuse."""
    configs = api.get("score-configs", [("limit", 100)])["data"]
    config = next(c["id"] for c in configs if c["name"] == "correct" and not c["isArchived"])
    body = {"name": "correct", "value": value, "traceId": trace, "configId": config, "source": "ANNOTATION"}
    api.post("scores", body | {"id": score_id or uuid.uuid4().hex, "dataType": "BOOLEAN"} | more)


class TestLangfuseReviewQueue(ReviewQueueContract):
    pass


def test_the_queue_asks_one_yes_or_no_question(api: LangfuseApi, reviews: LangfuseReviewQueue) -> None:
    first = reviews.ensure(f"queue {uuid.uuid4().hex}")
    second = reviews.ensure(f"queue {uuid.uuid4().hex}")
    asked = [api.get(f"annotation-queues/{queue.queue_id}")["scoreConfigIds"] for queue in (first, second)]

    assert asked[0] == asked[1]
    config = api.get(f"score-configs/{asked[0][0]}")
    assert (config["name"], config["dataType"]) == ("correct", "BOOLEAN")
    assert first.url.startswith(f"{api.host}/project/")


def test_a_queue_that_asks_something_else_is_refused_with_what_to_do(
    api: LangfuseApi, reviews: LangfuseReviewQueue
) -> None:
    name = f"queue {uuid.uuid4().hex}"
    tone = api.post("score-configs", {"name": "tone", "dataType": "BOOLEAN"})["id"]
    api.post("annotation-queues", {"name": name, "scoreConfigIds": [tone]})

    with pytest.raises(InvalidRequestError, match=r"does not ask for the yes-or-no score 'correct'.*ReviewQueueName"):
        reviews.ensure(name)


@pytest.mark.parametrize("fault", [{"delay_s": 1.0}, {"status": 503}, {"status": 429, "retry_after_s": 1}])
def test_a_trace_is_queued_once_whatever_became_of_the_reply(
    fault: dict[str, Any], stand_in: RunningStandIn, queued: Callable[[str], list[str]], api: LangfuseApi
) -> None:
    impatient = LangfuseApi(api.credentials, request_timeout_s=0.6)
    reviews = LangfuseReviewQueue(impatient)
    queue = reviews.ensure(f"queue {uuid.uuid4().hex}")
    rule = {"path_prefix": "/api/public/annotation-queues", "method": "POST", "times": 1} | fault
    httpx.post(f"{stand_in.url}/_faults", json=rule).raise_for_status()
    trace = uuid.uuid4().hex
    reviews.add(queue.queue_id, trace, tried_since=None)

    assert queued(queue.queue_id) == [trace]


def test_a_long_queue_is_read_to_its_end(api: LangfuseApi, reviews: LangfuseReviewQueue) -> None:
    queue = reviews.ensure(f"queue {uuid.uuid4().hex}")
    before = datetime.now(UTC)
    traces = [uuid.uuid4().hex for _ in range(130)]
    for trace in traces:
        reviews.add(queue.queue_id, trace, tried_since=None)
    reviews.add(queue.queue_id, traces[0], tried_since=before)
    item = api.get(f"annotation-queues/{queue.queue_id}/items", [("limit", 1)])["data"][0]
    api.request(
        "PATCH", f"annotation-queues/{queue.queue_id}/items/{item['id']}", b'{"status":"COMPLETED"}', deadline_s=5
    )

    assert reviews.waiting(queue.queue_id) == set(traces) - {traces[-1]}


def test_the_newest_word_of_a_person_counts_and_an_edit_too(api: LangfuseApi, reviews: LangfuseReviewQueue) -> None:
    reviews.ensure(f"queue {uuid.uuid4().hex}")
    trace, score = uuid.uuid4().hex, uuid.uuid4().hex
    said(api, trace, 1, comment="fine")
    said(api, trace, 0, score)
    assert reviews.scores([trace])[trace].value == 0.0
    said(api, trace, 1, score, comment="on second thoughts")

    assert (reviews.scores([trace])[trace].value, reviews.scores([trace])[trace].comment) == (1.0, "on second thoughts")


def test_a_score_of_a_span_counts_for_its_trace_and_machines_do_not_count(
    api: LangfuseApi, reviews: LangfuseReviewQueue
) -> None:
    reviews.ensure(f"queue {uuid.uuid4().hex}")
    person, machine = uuid.uuid4().hex, uuid.uuid4().hex
    said(api, person, 0, observationId="1" * 16)
    api.post("scores", {"name": "correct", "value": 1, "traceId": machine, "dataType": "BOOLEAN"})

    assert {t: s.value for t, s in reviews.scores([person, machine]).items()} == {person: 0.0}


def test_a_queue_of_several_pages_is_read_until_it_is_older_than_the_traces(
    api: LangfuseApi, reviews: LangfuseReviewQueue
) -> None:
    before = datetime.now(UTC)
    queue = reviews.ensure(f"queue {uuid.uuid4().hex}").queue_id
    traces = [uuid.uuid4().hex for _ in range(120)]
    for trace in traces:
        reviews.add(queue, trace, tried_since=None)
    items = api.get(f"annotation-queues/{queue}/items", [("limit", 100), ("page", 2)])["data"]
    done = next(item for item in items if item["objectId"] == traces[0])
    api.request("PATCH", f"annotation-queues/{queue}/items/{done['id']}", b'{"status":"COMPLETED"}', deadline_s=5.0)

    assert reviews.holding(queue, [traces[0], traces[-1], "none"], since=before) == {traces[0], traces[-1]}
    later = before + timedelta(hours=1)
    assert reviews.holding(queue, [traces[0]], since=later) == frozenset()
