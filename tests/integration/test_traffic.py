"""Synthetic users against an agent on the local AgentCore host: real sessions, real slowness, real crashes, real S3."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import httpx
import pytest

from flywheel.adapters.agentcore import AgentCoreInvoker, AgentCoreRuntimes
from flywheel.adapters.s3 import S3ObjectStore
from flywheel.domain.load_profile import LoadProfile
from flywheel.domain.prices import load_prices
from flywheel.domain.traffic_results import PartResult
from flywheel.traffic import identity
from flywheel.traffic.conversation import Production
from flywheel.traffic.plan import TrafficPlan
from flywheel.traffic.reporting import report_run
from flywheel.traffic.run import Assignment, TrafficRun
from flywheel.traffic.work import PartWorker
from local.stack import StackInfo
from tests.fakes.clock import FixedClock
from tests.local_agents import SERVER, Agents
from tests.unit.traffic.doubles import assignment, cast, chat
from tests.unit.traffic.test_work import LIVE, World

PROFILE = LoadProfile(rate_per_minute=300, duration_s=2, spacing="even")
# Keeps what it was asked in a file beside it, and takes a second for an answer.
NOTING = SERVER.replace(
    "    payload = await request.json()\n",
    """    payload = await request.json()
    with pathlib.Path("asked.jsonl").open("a") as file:
        file.write(json.dumps(payload) + "\\n")
    asked = pathlib.Path("asked.jsonl").resolve()
""",
).replace('"file": __file__', '"file": str(asked)')
SLOW = SERVER.replace('payload.get("sleep", 0)', "1.0")
CRASHING = SERVER.replace('payload.get("exit")', "True")


@pytest.fixture
def agents(aws: StackInfo, tmp_path: Path) -> Iterator[Agents]:
    made = Agents(aws, tmp_path)
    yield made
    httpx.delete(f"{aws.agentcore_url}/_faults")
    made.clean()


def production(agents: Agents, code: str) -> dict[str, Any]:
    """A runtime whose endpoint `production` is on its first version."""
    runtime = agents.ready(code)
    control = AgentCoreRuntimes.from_environment()
    control.move_endpoint(runtime["agentRuntimeId"], "production", "1", "t" * 40)
    deadline = time.monotonic() + 20
    while (found := control.endpoint(runtime["agentRuntimeId"], "production")) is None or found.status != "READY":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return runtime


def run(runtime: dict[str, Any], **more: Any) -> PartResult:
    work: Assignment = assignment(**({"profile": PROFILE} | more))
    invoker = AgentCoreInvoker.from_environment(timeout_s=work.answer_timeout_s, concurrency=work.concurrency)
    where = Production(runtime["agentRuntimeArn"], "production", "local.extractive-large")
    return TrafficRun(work, invoker=invoker, production=where, prices=load_prices()).run()


def sessions(agents: Agents, runtime: dict[str, Any]) -> int:
    found = httpx.get(f"{agents.info.agentcore_url}/_control/runtimes").json()["containers"]
    return sum(one["sessions"] for one in found if one["runtime"] == runtime["agentRuntimeId"])


def test_users_reach_production_under_their_marks_and_leave_no_session(agents: Agents) -> None:
    runtime = production(agents, NOTING % "A trace is one request.")
    result = run(runtime, cast=cast(chat(2)))
    assert (result.conversations, len(result.turns), result.sessions_left) == (10, 20, 0)
    assert {row.outcome for row in result.turns} == {"answered"}
    assert sessions(agents, runtime) == 0
    where = agents.invoke(runtime["agentRuntimeArn"], {}, qualifier="production", runtimeSessionId=str(uuid4()) * 2)
    asked = [json.loads(line) for line in Path(where["file"]).read_text().splitlines()]
    marked = [one for one in asked if one.get("tags") == ["synthetic", f"traffic:{result.run_id}"]]
    assert len(marked) == 20
    assert all(one["user_id"].startswith("synthetic-") for one in marked)


def test_a_slow_agent_is_asked_at_the_same_times_and_its_slowness_shows(agents: Agents) -> None:
    runtime = production(agents, SLOW % "A trace is one request.")
    began = time.monotonic()
    result = run(runtime)
    assert time.monotonic() - began < 6  # ten users of a second each would take ten in a row
    assert [round(row.at_s, 1) for row in sorted(result.turns, key=lambda one: one.arrival)] == [
        round(0.2 * number, 1) for number in range(10)
    ]
    assert min(row.latency_ms for row in result.turns) >= 1000


def test_an_answer_that_never_comes_in_time_is_an_error_and_its_session_ends(agents: Agents) -> None:
    runtime = production(agents, SLOW.replace("1.0", "30.0") % "late")
    result = run(runtime, answer_timeout_s=1.0, max_arrivals=3)
    assert [row.error for row in result.turns] == ["timeout"] * 3
    assert all(row.latency_ms >= 1000 for row in result.turns)
    assert sessions(agents, runtime) == 0


def test_an_agent_that_crashes_shows_as_errors_of_a_kind(agents: Agents) -> None:
    result = run(production(agents, CRASHING % "x"), max_arrivals=3)
    assert {row.outcome for row in result.turns} == {"errored"}
    assert all(row.error for row in result.turns)


def test_a_part_in_s3_is_claimed_and_written_once(agents: Agents) -> None:
    runtime = production(agents, SERVER % "A trace is one request.")
    bucket = f"traffic-{uuid4().hex[:12]}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    store = S3ObjectStore.from_bucket(bucket)
    world = World(parts=2, duration_s=2, rate_per_minute=300, store=store)
    sent: list[str] = []

    def start(work: Assignment, _: TrafficPlan) -> TrafficRun:
        sent.append(f"{work.run_id}/{work.part}")
        invoker = AgentCoreInvoker.from_environment(timeout_s=20, concurrency=work.concurrency)
        where = Production(runtime["agentRuntimeArn"], "production", "m")
        return TrafficRun(work, invoker=invoker, production=where, prices=load_prices())

    planned = world.plan()
    clock = FixedClock()
    worker = PartWorker(store, start, clock)
    for pointer in (*planned.parts, *planned.parts):
        assert worker.carry_out(pointer, LIVE).done
    assert len(sent) == 2
    reported = report_run(store, planned.run_id)
    assert (reported.new, reported.report.arrivals, reported.report.errors) == (True, 10, {})
    assert report_run(store, planned.run_id).new is False
    assert store.create(identity.part_key(planned.run_id, 0), b"{}") is False
