"""The scripted reviewer against stand-ins of both forms of POST /scores: what the API shows afterwards."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from flywheel.domain.review_form import LIVE_FORM
from local.langfuse.testing import running_stand_in
from local.reviewer import NAME, Case, Judgement, ReviewerError, ScriptedReviewer
from tests.review_queues import live_queue, send_trace


@pytest.fixture(scope="module", params=["4.16.0", "4.59.0"])
def http(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    with (
        running_stand_in(server_version=request.param) as running,
        httpx.Client(base_url=running.url, auth=running.auth) as client,
    ):
        yield client


@pytest.fixture(autouse=True)
def no_fault_is_left(http: httpx.Client) -> Iterator[None]:
    yield
    http.delete("/_faults").raise_for_status()


def scores(http: httpx.Client, trace: str) -> dict[str, dict[str, Any]]:
    query = {"traceId": trace, "fields": "details,subject,annotation"}
    found = http.get("/api/public/v3/scores", params=query).raise_for_status().json()["data"]
    assert len({score["name"] for score in found}) == len(found)
    return {score["name"]: score for score in found}


def comments(http: httpx.Client, trace: str) -> list[dict[str, Any]]:
    query = {"objectType": "TRACE", "objectId": trace}
    return list(http.get("/api/public/comments", params=query).raise_for_status().json()["data"])


def statuses(http: httpx.Client, queue_id: str) -> dict[str, str]:
    found = http.get(f"/api/public/annotation-queues/{queue_id}/items").raise_for_status().json()["data"]
    return {item["objectId"]: item["status"] for item in found}


JUDGEMENT = Judgement(
    correct=False,
    add_to_dataset=True,
    must_refuse=False,
    trajectory_confirmed=True,
    correction="Retention is 30 days.\nIt is set per project.",
    comment="The answer is of an older version.",
)


def test_it_sees_question_answer_and_tools_and_leaves_a_person_s_traces(http: httpx.Client) -> None:
    trace, other = send_trace(http), send_trace(http, question="Is it free?")
    name = f"live {uuid.uuid4().hex}"
    queue = live_queue(http, name, [trace, other, "f" * 32])
    seen: list[Case] = []

    def decide(case: Case) -> Judgement | None:
        seen.append(case)
        return JUDGEMENT if case.trace_id == trace else None

    worked = ScriptedReviewer(http).work(name, decide)

    assert [(case.question, case.answer, case.trajectory) for case in seen] == [
        ("How long is data kept?", "For ever.", ("search_docs", "read_page")),
        ("Is it free?", "For ever.", ("search_docs", "read_page")),
    ]
    assert [step.failed for step in seen[0].seen.steps] == [False, True]
    assert (len(worked.judged), len(worked.left), worked.flagged) == (1, 2, 1)
    assert statuses(http, queue) == {trace: "COMPLETED", other: "PENDING", "f" * 32: "PENDING"}
    given = scores(http, trace)
    assert {name: score["value"] for name, score in given.items()} == JUDGEMENT.answers() | {
        "output": JUDGEMENT.correction
    }
    assert {score["source"] for score in given.values()} == {"ANNOTATION"}
    assert {score["metadata"]["reviewer"] for score in given.values()} == {NAME}
    assert given["correct"]["queueId"] == queue
    assert given["correct"]["configId"]
    assert (given["output"]["dataType"], given["output"]["configId"]) == ("CORRECTION", None)
    assert [(said["content"], said["authorUserId"]) for said in comments(http, trace)] == [(JUDGEMENT.comment, None)]
    assert scores(http, other) == {}


def corrections(http: httpx.Client, trace: str) -> list[str]:
    query = {"traceId": trace, "dataType": "CORRECTION"}
    return [
        score["value"] for score in http.get("/api/public/v3/scores", params=query).raise_for_status().json()["data"]
    ]


@pytest.mark.parametrize(
    ("output", "typed"),
    [
        ("For ever.", "Thirty days."),
        (json.dumps({"answer": "For ever.", "stop_reason": "end_turn"}), None),
        (json.dumps({"answer": 'Say "for ever".\nAlways.', "stop_reason": "end_turn"}), None),
    ],
)
def test_it_types_over_the_answer_in_the_editor_that_is_filled_with_the_output(
    http: httpx.Client, output: str, typed: str | None
) -> None:
    trace, name = send_trace(http, raw=('{"question": "How long?"}', output)), f"live {uuid.uuid4().hex}"
    live_queue(http, name, [trace])
    ScriptedReviewer(http).work(name, lambda _: Judgement(correct=False, correction="Thirty days."))

    (said,) = corrections(http, trace)
    if typed is not None:
        assert said == typed
    else:
        assert json.loads(said) == {"answer": "Thirty days.", "stop_reason": "end_turn"}
        assert "\n  " in said  # laid out as the editor shows JSON


@pytest.mark.parametrize("output", ["For ever.", json.dumps({"answer": "For ever.", "stop_reason": "end_turn"})])
def test_a_click_leaves_the_whole_output_as_the_correction(http: httpx.Client, output: str) -> None:
    trace, name = send_trace(http, raw=('{"question": "How long?"}', output)), f"live {uuid.uuid4().hex}"
    live_queue(http, name, [trace])
    ScriptedReviewer(http).work(name, lambda _: Judgement(correct=False, clicked=True))

    (said,) = corrections(http, trace)
    assert said == output or json.loads(said) == json.loads(output)


def test_the_questions_are_those_of_the_form_of_live_reviews() -> None:
    assert set(JUDGEMENT.answers()) == {asked.name for asked in LIVE_FORM}


def test_what_was_interrupted_before_completing_is_said_once(http: httpx.Client) -> None:
    trace, name = send_trace(http), f"live {uuid.uuid4().hex}"
    queue = live_queue(http, name, [trace])
    broken = {"path_prefix": f"/api/public/annotation-queues/{queue}/items", "method": "PATCH", "status": 403}
    http.post("/_faults", json=broken | {"times": 1}).raise_for_status()
    reviewer = ScriptedReviewer(http, sleep=lambda _: None)

    with pytest.raises(ReviewerError, match="PATCH"):
        reviewer.work(name, lambda _: JUDGEMENT)
    assert statuses(http, queue) == {trace: "PENDING"}
    reviewer.work(name, lambda _: JUDGEMENT)

    assert statuses(http, queue) == {trace: "COMPLETED"}
    assert len(scores(http, trace)) == 5
    assert len(comments(http, trace)) == 1


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429, "retry_after_s": 1}])
def test_a_server_that_is_busy_is_waited_for(http: httpx.Client, fault: dict[str, Any]) -> None:
    trace, name = send_trace(http), f"live {uuid.uuid4().hex}"
    queue = live_queue(http, name, [trace])
    http.post("/_faults", json={"path_prefix": "/api/public/", "times": 2} | fault).raise_for_status()

    waits: list[float] = []
    ScriptedReviewer(http, sleep=waits.append).work(name, lambda _: Judgement(correct=True))

    assert len(waits) == 2
    assert statuses(http, queue) == {trace: "COMPLETED"}


def test_scores_that_the_server_swallows_complete_nothing(http: httpx.Client) -> None:
    trace, name = send_trace(http), f"live {uuid.uuid4().hex}"
    queue = live_queue(http, name, [trace])
    http.post("/_faults", json={"path_prefix": "/api/public/scores", "drop": True, "times": 1}).raise_for_status()

    with pytest.raises(ReviewerError, match="does not show them"):
        ScriptedReviewer(http, readable_within_s=0.0).work(name, lambda _: Judgement(correct=True))

    assert statuses(http, queue) == {trace: "PENDING"}


def test_a_question_that_the_queue_does_not_ask_is_refused(http: httpx.Client) -> None:
    trace, name = send_trace(http), f"gate {uuid.uuid4().hex}"
    live_queue(http, name, [trace], questions=("correct",))

    with pytest.raises(ReviewerError, match="does not ask the yes-or-no question 'must_refuse'"):
        ScriptedReviewer(http).work(name, lambda _: Judgement(correct=True, must_refuse=True))
    with pytest.raises(ReviewerError, match="no annotation queue 'nosuch'"):
        ScriptedReviewer(http).work("nosuch", lambda _: Judgement(correct=True))


def test_a_trace_of_another_agent_shows_its_input_and_output_as_they_are(http: httpx.Client) -> None:
    trace, name = send_trace(http, raw=("plain words", json.dumps([1, 2]))), f"live {uuid.uuid4().hex}"
    live_queue(http, name, [trace])
    seen: list[Case] = []

    ScriptedReviewer(http).work(name, seen.append)

    assert [(case.question, case.answer) for case in seen] == [("plain words", "[1, 2]")]
