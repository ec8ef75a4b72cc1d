"""The harvest against stand-ins of both forms of Langfuse: what the scripted reviewer said, read by the adapters."""

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from flywheel.adapters.langfuse import LangfuseApi, LangfuseCredentials
from flywheel.adapters.langfuse_cases import LangfuseCases
from flywheel.adapters.langfuse_datasets import LangfuseDatasetStore
from flywheel.adapters.langfuse_queues import LangfuseReviewQueue
from flywheel.adapters.langfuse_reviews import LangfuseLiveReviews
from flywheel.clock import SystemClock
from flywheel.domain.golden import GoldenItem
from flywheel.domain.harvest import case_id
from flywheel.domain.live_form import CORRECTION
from flywheel.errors import NotFoundError, TransientError
from flywheel.harvest_run import HarvestParts, HarvestRun, HarvestSummary
from flywheel.redaction import PatternRedactor
from flywheel.similarity import WordLikeness
from local.langfuse.testing import RunningStandIn, running_stand_in
from local.reviewer import Case, Judgement, ScriptedReviewer
from tests.fakes.harvest import InMemoryHarvestNotes, WordCaseJudge
from tests.fakes.live import InMemoryLiveLedger, live_review
from tests.fakes.objects import InMemoryObjects
from tests.fakes.outside import InMemoryOnce, InMemorySettings, RecordingBus
from tests.fakes.state import InMemoryReleases
from tests.review_queues import live_queue, post_score, send_trace

FLAGGED = Judgement(
    correct=False,
    add_to_dataset=True,
    must_refuse=False,
    trajectory_confirmed=True,
    correction="- Data is kept for 30 days.\n- Ask help@example.org.",
    comment="It is of an older version.",
)
SOME_QUESTIONS = {
    "retention": "How long is data kept? Mail me at bob@example.org",
    "again": "how long is data kept, mail me at bob@example.org",
    "fine": "Which models are priced?",
}


@pytest.fixture(scope="module", params=["4.16.0", "4.59.0"])
def stand_in(request: pytest.FixtureRequest) -> Iterator[RunningStandIn]:
    with running_stand_in(server_version=request.param) as running:
        yield running


@pytest.fixture
def http(stand_in: RunningStandIn) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stand_in.url, auth=stand_in.auth) as client:
        yield client
        client.delete("/_faults").raise_for_status()


@pytest.fixture
def api(stand_in: RunningStandIn) -> LangfuseApi:
    return LangfuseApi(LangfuseCredentials(stand_in.url, stand_in.public_key, stand_in.secret_key))


class Harvest:
    """A dataset and a queue of their own, with the harvest over them; its other parts are doubles."""

    def __init__(self, http: httpx.Client, api: LangfuseApi) -> None:
        self.http, self.api = http, api
        self.dataset, self.queue = f"golden {uuid.uuid4().hex}", f"live {uuid.uuid4().hex}"
        self.ledger, self.notes, self.bus = InMemoryLiveLedger(), InMemoryHarvestNotes(), RecordingBus()
        self.objects, self.once = InMemoryObjects(), InMemoryOnce()
        self.traces: dict[str, str] = {}
        LangfuseDatasetStore(api).ensure(self.dataset)

    def ask(self, **questions: str) -> str:
        self.traces = {name: send_trace(self.http, question=question) for name, question in questions.items()}
        queue = live_queue(self.http, self.queue, list(self.traces.values()))
        now = datetime.now(UTC)
        for trace in self.traces.values():
            self.ledger.claim(live_review(trace, trace_at=now, queue_name=self.queue), now=now, until=now)
            self.ledger.settle(trace, queue, now=now)
        return queue

    def review(self, **said: Judgement) -> None:
        names = {trace: name for name, trace in self.traces.items()}

        def decide(case: Case) -> Judgement | None:
            return said.get(names.get(case.trace_id, ""))

        ScriptedReviewer(self.http).work(self.queue, decide)

    def run(self) -> HarvestSummary:
        parts = HarvestParts(
            dataset=self.dataset,
            ledger=self.ledger,
            reviews=LangfuseLiveReviews(self.api),
            queue=LangfuseReviewQueue(self.api),
            store=LangfuseCases(self.api),
            releases=InMemoryReleases(),
            notes=self.notes,
            redactor=PatternRedactor(),
            likeness=WordLikeness(),
            judge=WordCaseJudge,
            objects=self.objects,
            bus=self.bus,
            once=self.once,
            parameters=InMemorySettings(harvest='{"settle_minutes": 0}'),
            clock=SystemClock(),
        )
        return HarvestRun(parts).run()

    def items(self) -> list[GoldenItem]:
        return list(LangfuseDatasetStore(self.api).snapshot(self.dataset).items)


@pytest.fixture
def harvest(http: httpx.Client, api: LangfuseApi) -> Harvest:
    return Harvest(http, api)


def test_what_the_reviewer_flags_is_in_the_dataset_without_personal_data(harvest: Harvest) -> None:
    harvest.ask(**SOME_QUESTIONS)
    harvest.review(retention=FLAGGED, again=FLAGGED, fine=Judgement(correct=True))
    summary = harvest.run()

    assert summary.states == {"harvested": 1, "linked": 1, "unflagged": 1}
    (item,) = harvest.items()
    assert item.question in (
        "How long is data kept? Mail me at <EMAIL_1>",
        "how long is data kept, mail me at <EMAIL_1>",
    )
    assert item.response_facts == ("Data is kept for 30 days.", "Ask <EMAIL_2>.")
    assert item.trajectory == ("search_docs", "read_page")
    assert item.metadata["reviewers"] == ["scripted-reviewer"]
    stored = harvest.api.get(f"dataset-items/{item.item_id}")
    assert case_id(stored["sourceTraceId"]) == item.item_id
    assert [kind for kind, _ in harvest.bus.events].count("GoldenDatasetGrown") == 1

    again = harvest.run()
    assert (again.states, again.unchanged, len(harvest.items())) == ({}, 3, 1)


def test_only_finished_items_are_harvested(harvest: Harvest) -> None:
    harvest.ask(**SOME_QUESTIONS)
    harvest.review(fine=Judgement(correct=True))
    assert (harvest.run().states, harvest.run().waiting) == ({"unflagged": 1}, 2)


def test_an_item_deleted_from_the_queue_is_gone(harvest: Harvest) -> None:
    queue = harvest.ask(**SOME_QUESTIONS)
    for item in harvest.http.get(f"/api/public/annotation-queues/{queue}/items").json()["data"]:
        harvest.http.delete(f"/api/public/annotation-queues/{queue}/items/{item['id']}").raise_for_status()
    assert harvest.run().states == {"gone": 3}


def test_a_conflict_is_commented_and_queued_again_once(harvest: Harvest) -> None:
    queue = harvest.ask(**SOME_QUESTIONS)
    harvest.review(retention=replace(FLAGGED, correction=None))
    assert harvest.run().states == {"conflict": 1}
    harvest.run()

    trace = harvest.traces["retention"]
    items = harvest.http.get(f"/api/public/annotation-queues/{queue}/items").json()["data"]
    assert sorted(i["status"] for i in items if i["objectId"] == trace) == ["COMPLETED", "PENDING"]
    remarks = [c.text for c in LangfuseLiveReviews(harvest.api).comments(trace) if c.text.startswith("flywheel")]
    assert len(remarks) == 1

    harvest.review(retention=FLAGGED)
    assert harvest.run().states == {"harvested": 1}


def test_an_item_changed_by_hand_is_left_and_one_that_is_unflagged_is_archived(harvest: Harvest) -> None:
    harvest.ask(**SOME_QUESTIONS)
    other = replace(FLAGGED, correction="Prices are listed.")
    harvest.review(retention=FLAGGED, fine=other)
    harvest.run()
    changed, kept = (case_id(harvest.traces[name]) for name in ("retention", "fine"))
    by_hand = {"trajectory": [], "response_facts": ["Somebody knows better."]}
    body = {"datasetName": harvest.dataset, "id": changed, "expectedOutput": by_hand}
    harvest.http.post("/api/public/dataset-items", json=body).raise_for_status()
    for name in ("retention", "fine"):
        unflag(harvest.http, harvest.traces[name])

    assert harvest.run().states == {"conflict": 1, "unflagged": 1}
    assert [(item.item_id, item.response_facts) for item in harvest.items()] == [(changed, ("Somebody knows better.",))]
    assert LangfuseCases(harvest.api).find(harvest.dataset, kept)


def unflag(http: httpx.Client, trace: str) -> None:
    found = http.get("/api/public/v3/scores", params={"traceId": trace, "fields": "details,annotation"}).json()["data"]
    score = next(score for score in found if score["name"] == "add_to_dataset")
    body: dict[str, Any] = {key: score[key] for key in ("id", "name", "configId", "dataType")}
    post_score(http, body | {"value": 0, "traceId": trace, "source": "ANNOTATION"})


def test_a_server_that_is_down_midway_loses_nothing_and_adds_nothing_twice(harvest: Harvest, api: LangfuseApi) -> None:
    harvest.ask(**SOME_QUESTIONS)
    harvest.review(retention=FLAGGED, fine=replace(FLAGGED, correction="Prices are listed."))
    request = LangfuseApi.request
    posts = 0

    def breaks(self: LangfuseApi, method: str, path: str, *args: Any, **more: Any) -> Any:
        nonlocal posts
        if method == "POST" and path == "dataset-items":
            posts += 1
            if posts > 1:
                raise TransientError("down")
        return request(self, method, path, *args, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LangfuseApi, "request", breaks)
        with pytest.raises(TransientError):
            harvest.run()
    harvest.run()

    assert len(harvest.items()) == 2
    named = [item for kind, detail in harvest.bus.events if kind == "GoldenDatasetGrown" for item in detail["item_ids"]]
    assert sorted(named) == sorted(case_id(harvest.traces[name]) for name in ("retention", "fine"))


def test_scores_come_by_trace_with_who_gave_them(harvest: Harvest) -> None:
    harvest.ask(**SOME_QUESTIONS)
    trace = harvest.traces["retention"]
    post_score(harvest.http, {"name": "helpfulness", "value": 0.4, "traceId": trace, "dataType": "NUMERIC"})
    harvest.review(retention=FLAGGED)
    said = LangfuseLiveReviews(harvest.api).scores(list(harvest.traces.values()))

    assert set(said) == {trace}
    people = {(score.name, score.data_type) for score in said[trace] if score.people}
    assert people >= {("correct", "BOOLEAN"), ("add_to_dataset", "BOOLEAN"), ("output", CORRECTION)}
    assert [score.name for score in said[trace] if not score.people] == ["helpfulness"]


def test_a_reviewer_who_goes_by_a_mail_address_is_not_named(harvest: Harvest) -> None:
    harvest.ask(**SOME_QUESTIONS)
    trace = harvest.traces["retention"]
    configs = harvest.http.get("/api/public/score-configs", params={"limit": 100}).json()["data"]
    config = next(found["id"] for found in configs if found["name"] == "correct")
    for author in ("ann@example.org", "bert@example.org"):
        score = {"id": uuid.uuid4().hex, "name": "correct", "value": 1, "traceId": trace, "dataType": "BOOLEAN"}
        said = {"source": "ANNOTATION", "configId": config, "metadata": {"reviewer": author}}
        post_score(harvest.http, score | said)
    authors = {score.author for score in LangfuseLiveReviews(harvest.api).scores([trace])[trace]}
    assert len(authors) == 2
    assert all(author.startswith("reviewer-") for author in authors)


def test_traces_that_are_there_come_with_question_and_tools(harvest: Harvest) -> None:
    harvest.ask(**SOME_QUESTIONS)
    odd = send_trace(harvest.http, raw=("Only text?", "Yes."), tools=())
    context = send_trace(harvest.http, raw=(json.dumps({"question": "And then?", "earlier": ["Hi"]}), "x"), tools=())
    now = datetime.now(UTC)
    wanted = [*harvest.traces.values(), odd, context, "0" * 32]
    found = LangfuseLiveReviews(harvest.api).traces(wanted, around=[now, now - timedelta(minutes=1)])

    assert set(found) == set(wanted) - {"0" * 32}
    assert (found[odd].question, found[odd].tools) == ("Only text?", ())
    assert (found[context].question, found[context].context) == ("And then?", {"earlier": ["Hi"]})
    assert found[harvest.traces["fine"]].tools == ("search_docs", "read_page")


def test_a_queue_or_trace_that_is_not_there_is_no_error_where_it_may_be_gone(api: LangfuseApi) -> None:
    reviews = LangfuseLiveReviews(api)
    assert reviews.waiting("no-such-queue") == frozenset()
    assert reviews.finished("no-such-queue", ["t"], since=datetime.now(UTC)) == frozenset()
    with pytest.raises(NotFoundError):
        reviews.remark("0" * 32, "text")


def test_what_flywheel_asked_itself_is_never_harvested_as_production(harvest: Harvest, http: httpx.Client) -> None:
    trace, own = send_trace(http), uuid.uuid4().hex
    at = time.time_ns()
    attributes = {
        "langfuse.observation.input": '{"question": "q"}',
        "session.id": "smoke-g-20261201t101500-0123abcd-ab",
    }
    span = {
        "traceId": own,
        "spanId": "1" * 16,
        "name": "answer_question",
        "startTimeUnixNano": str(at),
        "endTimeUnixNano": str(at + 1),
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
    }
    export = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    http.post("/api/public/otel/v1/traces", json=export).raise_for_status()
    reviews = LangfuseLiveReviews(harvest.api)
    end = time.monotonic() + 10
    while len(found := reviews.traces([trace, own], around=[datetime.now(UTC)])) < 2 and time.monotonic() < end:
        time.sleep(0.1)

    assert found[trace].unreadable == ""
    assert "no production traffic" in found[own].unreadable
