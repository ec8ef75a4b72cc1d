"""`flywheel setup langfuse` against a stand-in and a model that run: made once, and its evaluators give scores."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from flywheel.adapters.experiment_spans import LangfuseSpanSink
from flywheel.adapters.langfuse import LangfuseApi, LangfuseCredentials
from flywheel.adapters.langfuse_late_scores import LangfuseLateScores
from flywheel.domain.golden import GoldenItem
from flywheel.domain.live_evaluators import CORRECTNESS, EVAL_SOURCE, HELPFULNESS
from flywheel.domain.outcome import TrialKey, TrialRecord
from flywheel.domain.own_traffic import gate_environment
from flywheel.domain.synthetic import SYNTHETIC_TAG
from flywheel.evaluation import identity
from flywheel.evaluation.ports import Span
from flywheel.evaluation.tracing import Timings, experiments, spans_of
from local.langfuse.testing import RunningStandIn, running_stand_in
from tests.integration.test_model_server import serve
from tests.unit.cli.double_session import FACTS, DoubleSession, run
from tests.unit.evaluation.doubles import plan

type Json = dict[str, Any]

ENABLE = ("setup", "langfuse", "--enable-evaluators", "--json")


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    yield from serve("local.model")


@pytest.fixture
def stand_in() -> Iterator[RunningStandIn]:
    with running_stand_in(evaluation_delay_s=0.1) as running:
        yield running


@pytest.fixture
def session(stand_in: RunningStandIn, model: str) -> DoubleSession:
    session = DoubleSession()
    session.ssm.texts["judge-api-key"] = "sk-local-judge"
    session.__dict__ |= {
        "langfuse_api": LangfuseApi(LangfuseCredentials(stand_in.url, stand_in.public_key, stand_in.secret_key)),
        "facts": replace(FACTS, judge_base_url=f"{model}/v1"),
    }
    return session


def writes(stand_in: RunningStandIn) -> int:
    counted: dict[str, int] = httpx.get(f"{stand_in.url}/_statistics").json()
    return sum(number for route, number in counted.items() if not route.startswith("GET "))


def rows(session: DoubleSession, *command: str) -> list[Json]:
    result = run(session, *command)
    assert result.exit_code == 0, result.output
    found: list[Json] = json.loads(result.stdout)["rows"]
    return found


def wait_until[T](look: Callable[[], T | None], timeout_s: float = 60.0) -> T:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("not within the deadline")


def evaluations(stand_in: RunningStandIn, ended: int) -> list[Json]:
    """All of them, once so many have ended."""

    def look() -> list[Json] | None:
        newest: list[Json] = httpx.get(f"{stand_in.url}/_evaluations").json()["newest"]
        return newest if sum(row["status"] != "PENDING" for row in newest) >= ended else None

    return wait_until(look)


def scores(session: DoubleSession) -> list[Json]:
    query = [("fields", "details,subject"), ("source", EVAL_SOURCE)]
    found: list[Json] = session.langfuse_api.get("v3/scores", query)["data"]
    return found


def test_a_dry_run_writes_nothing_the_first_run_makes_all_of_it_and_the_second_writes_nothing(
    stand_in: RunningStandIn, session: DoubleSession
) -> None:
    assert {row["state"] for row in rows(session, *ENABLE, "--dry-run")} == {"create"}
    assert writes(stand_in) == 0
    assert {row["state"] for row in rows(session, *ENABLE)} == {"created"}
    before = writes(stand_in)
    assert {row["state"] for row in rows(session, *ENABLE)} == {"exists"}
    assert writes(stand_in) == before


def test_items_of_a_gates_experiment_get_a_score_of_langfuse_against_their_facts(
    stand_in: RunningStandIn, session: DoubleSession
) -> None:
    rows(session, *ENABLE)
    dataset = session.langfuse_api.get("v2/datasets/flywheel-golden")["id"]
    fact = "The minimum retention is 3 days."
    golden = [
        GoldenItem(f"item-{n}", f"Question {n}: how long is data kept?", response_facts=(fact,)) for n in range(2)
    ]
    of_arm = experiments(plan(golden), dataset_id=dataset, environment=gate_environment("dev"))["candidate"]
    now_ns = time.time_ns()
    answers = {"item-0": fact, "item-1": "Sessions group traces."}
    records = [
        TrialRecord(TrialKey(item.item_id, 1, "candidate"), "answered", answer=answers[item.item_id]) for item in golden
    ]
    spans = [
        span
        for item, record in zip(golden, records, strict=True)
        for span in spans_of(of_arm, item, record, Timings(now_ns, now_ns + 1, now_ns + 2))
    ]
    LangfuseSpanSink(session.langfuse_api).export(spans, deadline_s=10)

    ended = evaluations(stand_in, 2)
    assert {row["status"] for row in ended} == {"COMPLETED"}
    found = {score["subject"]["id"]: score for score in scores(session)}
    roots = [identity.root_span_id(of_arm.gate_id, record.key) for record in records]
    assert {root: found[root]["value"] for root in roots} == dict(zip(roots, [1, 0], strict=True))
    assert {score["name"] for score in found.values()} == {CORRECTNESS}
    # The report of an experiment finds them by trace.
    traces = [identity.trace_id(of_arm.gate_id, record.key) for record in records]
    late = LangfuseLateScores(session.langfuse_api).read(traces, [CORRECTNESS], deadline_s=10)
    assert late == ({CORRECTNESS: dict(zip(traces, [1.0, 0.0], strict=True))}, None)
    # And they are there where an experiment is read.
    query = [("fromStartTime", "2020-01-01T00:00:00Z"), ("fields", "core,scores")]
    items = session.langfuse_api.get("experiment-items", query)["data"]
    assert all(CORRECTNESS in json.dumps(item) for item in items)


def live(question: str, answer: str, *tags: str) -> Span:
    now_ns = time.time_ns()
    return Span(
        trace_id=uuid.uuid4().hex,
        span_id=uuid.uuid4().hex[:16],
        parent_id=None,
        name="invocation",
        start_ns=now_ns,
        end_ns=now_ns + 1,
        attributes={
            "langfuse.environment": "dev",
            "langfuse.trace.tags": tags,
            "langfuse.observation.input": json.dumps({"question": question}),
            "langfuse.observation.output": answer,
        },
    )


def test_live_traces_of_people_are_judged_and_those_of_synthetic_users_are_not(
    stand_in: RunningStandIn, session: DoubleSession
) -> None:
    rows(session, *ENABLE, "--live-sampling", "1", "--live-model", "local.small")
    question = "How long is data kept at least?"
    people = [live(question, "Data is kept for at least 3 days."), live(question, "Sessions group traces.")]
    synthetic = live(question, "Data is kept for at least 3 days.", SYNTHETIC_TAG)
    LangfuseSpanSink(session.langfuse_api).export([synthetic, *people], deadline_s=10)

    assert {row["trace_id"] for row in evaluations(stand_in, 2)} == {span.trace_id for span in people}
    found = {score["subject"]["traceId"]: (score["name"], score["value"]) for score in scores(session)}
    assert found == {people[0].trace_id: (HELPFULNESS, 1), people[1].trace_id: (HELPFULNESS, 0)}


def test_a_model_that_fails_leaves_no_score_and_later_traces_get_theirs(
    stand_in: RunningStandIn, session: DoubleSession, model: str
) -> None:
    rows(session, *ENABLE, "--live-sampling", "1")
    sink = LangfuseSpanSink(session.langfuse_api)
    httpx.post(f"{model}/_faults", json={"kind": "error", "role": "judge", "times": 1}).raise_for_status()
    question, answer = "How long is data kept at least?", "Data is kept for at least 3 days."
    sink.export([live(question, answer)], deadline_s=10)
    assert [row["status"] for row in evaluations(stand_in, 1)] == ["ERROR"]
    assert scores(session) == []
    sink.export([live(question, answer)], deadline_s=10)
    assert sorted(row["status"] for row in evaluations(stand_in, 2)) == ["COMPLETED", "ERROR"]
    assert len(scores(session)) == 1
