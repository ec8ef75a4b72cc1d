"""The laws of the gate, each shown by making happen what they are for."""

import os
import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from flywheel.domain.golden import GoldenItem
from local import stack
from tests.e2e.agents import Told
from tests.e2e.system import ANSWERS, DATASET, System, wait_for

# Slow enough that there is a middle of the gate to break things in.
UNHURRIED = 1.5


@contextmanager
def no_push_starts_a_gate(system: System) -> Iterator[None]:
    """Switch the push rule off: the test delivers the events itself."""
    events = boto3.client("events")
    rules = [r["Name"] for r in events.list_rules()["Rules"] if "aws.ecr" in r.get("EventPattern", "")]
    assert rules
    for name in rules:
        events.disable_rule(Name=name)
    try:
        yield
    finally:
        for name in rules:
            events.enable_rule(Name=name)


def wait_for_trials(system: System, gate_id: str) -> None:
    wait_for("the first wave's shards", lambda: system.evidence.keys(f"gates/{gate_id}/shards/"))


def test_a_tag_that_moves_during_the_gate_changes_nothing(system: System, good: Told) -> None:
    with no_push_starts_a_gate(system):
        tested = system.push(replace(good, delay_s=UNHURRIED, mark="tested"), tag="moving")
        event = system.push_event(tested)
        event["detail"]["image-tag"] = "moving"
        system.deliver(event)
        gate = system.gate_of(tested)
        wait_for_trials(system, gate.gate_id)
        other = system.push(replace(good, mark="other"), tag="moving")

        row = system.ended(gate.gate_id)

    assert (row.verdict, row.promoted) == ("PASS", True), row.reasons
    assert system.production_digest() == tested != other


def test_an_event_that_is_delivered_three_times_is_one_gate(system: System, good: Told) -> None:
    with no_push_starts_a_gate(system):
        digest = system.push(replace(good, mark="thrice"))
        event = system.push_event(digest)
        arns = [system.deliver(event) for _ in range(3)]
        row = system.ended(system.gate_of(digest).gate_id)
        wait_for("all executions end", lambda: all(system.execution(arn) == "SUCCEEDED" for arn in arns))

    gates = [r for r in system.gates.recent(50) if r.digest == digest]
    assert [r.gate_id for r in gates] == [row.gate_id]
    keys = [record.key for record in system.records(row.gate_id)]
    assert len(keys) == len(set(keys))


def test_a_newer_push_supersedes_the_gate_that_runs(system: System, good: Told) -> None:
    older = system.push(replace(good, delay_s=UNHURRIED, mark="older"))
    gate = system.gate_of(older)
    wait_for_trials(system, gate.gate_id)
    newer = system.gated(replace(good, mark="newer"))
    first = system.ended(gate.gate_id)

    assert (first.verdict, first.promoted) == ("INCONCLUSIVE", False)
    assert first.reasons[0] == "superseded"
    assert (newer.verdict, newer.promoted) == ("PASS", True), newer.reasons
    assert system.production_digest() == newer.digest


def test_an_older_push_that_arrives_late_does_not_supersede(system: System, good: Told) -> None:
    newer = system.gated(replace(good, mark="in time"))
    with no_push_starts_a_gate(system):
        late = system.push(replace(good, mark="late"))
        arn = system.deliver(system.push_event(late, time_=datetime.now(UTC) - timedelta(minutes=30)))
        # Looked up by its execution: its time makes it older than every gate of this run, and `recent` shows 50.
        row = system.ended(wait_for("the late gate", lambda: system.gates.by_execution(arn)).gate_id)

    assert (row.verdict, row.promoted) == ("INCONCLUSIVE", False)
    assert "superseded" in (*row.reasons, *row.refused)
    assert system.production_digest() == newer.digest


def test_two_gates_that_race_to_promote_leave_one_production(system: System, good: Told) -> None:
    """Both were planned against the same incumbent; only requests of one second race, so that neither is newer."""
    with no_push_starts_a_gate(system):
        digests = [system.push(replace(good, delay_s=0.3, mark=f"racer {n}")) for n in range(2)]
        now = datetime.now(UTC)
        for digest in digests:
            system.deliver(system.push_event(digest, time_=now))
        rows = [system.ended(system.gate_of(digest).gate_id) for digest in digests]

    promoted = [row.digest for row in rows if row.promoted]
    assert len(promoted) == 1
    assert system.production_digest() == promoted[0]
    loser = next(row for row in rows if not row.promoted)
    assert loser.verdict == "INCONCLUSIVE"


def test_an_execution_that_is_stopped_by_hand_leaves_nothing(system: System, good: Told) -> None:
    before = system.production_digest()
    digest = system.push(replace(good, delay_s=UNHURRIED, mark="stopped"))
    gate = system.gate_of(digest)
    wait_for_trials(system, gate.gate_id)
    assert system.short_lived_runtimes()

    system.states.stop_execution(executionArn=gate.execution_arn)

    wait_for("the runtimes are gone", lambda: not system.short_lived_runtimes(), 30.0)
    row = wait_for(
        "the gate is marked as ended",
        lambda: next((r for r in system.gates.recent(50) if r.gate_id == gate.gate_id and r.status == "ended"), None),
    )
    assert (row.verdict, row.promoted) == ("INCONCLUSIVE", False)
    assert system.production_digest() == before


def worker_pids(system: System, function: str) -> list[int]:
    """Processes of the emulator's that run this function's code."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            variables = environ.read_bytes()
        except OSError:
            continue
        if f"AWS_LAMBDA_FUNCTION_NAME={function}".encode() in variables and str(system.state).encode() in variables:
            found.append(int(environ.parent.name))
    return found


def test_a_function_that_is_killed_in_the_middle_of_a_shard_goes_on_from_its_checkpoint(
    system: System, good: Told
) -> None:
    functions = boto3.client("lambda").list_functions()["Functions"]
    (name,) = [f["FunctionName"] for f in functions if "EvaluateShard" in f["FunctionName"]]
    digest = system.push(replace(good, delay_s=2.0, mark="killed"))
    gate = system.gate_of(digest)
    wait_for("a checkpoint", lambda: system.evidence.keys(f"gates/{gate.gate_id}/checkpoints/"))
    pids = worker_pids(system, name)
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGKILL)

    row = system.ended(gate.gate_id)

    assert (row.verdict, row.promoted) == ("PASS", True), row.reasons
    keys = [record.key for record in system.records(gate.gate_id)]
    assert len(keys) == len(set(keys))


@pytest.mark.stand_in
@pytest.mark.parametrize("status", [429, 500])
def test_a_langfuse_that_refuses_for_a_while_is_waited_for(system: System, good: Told, status: int) -> None:
    system.fault("langfuse", [{"path_prefix": "/api/public", "status": status, "retry_after_s": 1, "for_s": 4}])
    row = system.gated(replace(good, mark=f"langfuse {status}"))

    assert (row.verdict, row.promoted) == ("PASS", True), row.reasons


@pytest.mark.stand_in
def test_a_langfuse_that_is_down_for_twenty_seconds_is_survived(system: System, good: Told) -> None:
    digest = system.push(replace(good, delay_s=UNHURRIED, mark="langfuse down"))
    gate = system.gate_of(digest)
    wait_for_trials(system, gate.gate_id)
    pid = system.info.processes["langfuse"].pid
    os.kill(pid, signal.SIGKILL)
    back = threading.Timer(20.0, lambda: stack.up(state=system.state, environment={}))
    back.start()
    try:
        row = system.ended(gate.gate_id, 150.0)
    finally:
        back.join()

    assert (row.verdict, row.promoted) == ("PASS", True), row.reasons


@pytest.mark.stand_in
def test_scores_that_langfuse_accepts_and_then_drops_prevent_a_pass(system: System, good: Told) -> None:
    before = system.production_digest()
    system.fault("langfuse", [{"path_prefix": "/api/public/scores", "drop": True}])
    row = system.gated(replace(good, mark="dropped"))

    assert (row.verdict, row.promoted) == ("INCONCLUSIVE", False)
    assert row.reasons[0] == "evidence_missing"
    assert system.production_digest() == before


def test_a_judge_that_is_down_never_lets_a_candidate_pass(system: System, good: Told) -> None:
    before = system.production_digest()
    system.fault("model", {"role": "judge", "kind": "error"})
    with system.setting("policy", {"judgement_cache_h": 0}):
        row = system.gated(replace(good, mark="judge down"))

    assert (row.verdict, row.promoted) == ("INCONCLUSIVE", False)
    assert row.reasons[0] == "judge_unavailable"
    assert system.production_digest() == before


@pytest.mark.stand_in
def test_a_judge_that_is_down_is_not_missed_where_it_has_judged_the_same_answers_before(
    system: System, good: Told
) -> None:
    with system.setting("policy", {"anchor_margin": None}):  # beside stored answers, what was judged before is old
        assert system.gated(replace(good, mark="judged")).verdict == "PASS"
        system.fault("model", {"role": "judge", "kind": "error"})
        row = system.gated(replace(good, mark="judged before"))

    assert row.verdict == "PASS"


def test_a_fifth_of_the_invocations_failing_never_passes_and_shows_as_errored(system: System, good: Told) -> None:
    system.fault("agentcore", {"kind": "error", "share": 0.2, "runtime_prefix": "fw_"})
    row = system.gated(replace(good, mark="failing invocations"))
    report = system.document(row.gate_id, "report.json")

    assert row.verdict in {"FAIL", "INCONCLUSIVE"}
    assert not row.promoted
    assert row.reasons[0] in {"error_rate", "void"}
    assert "errored" in str(report)


def test_a_dataset_that_changes_during_the_gate_prevents_a_pass(system: System, good: Told) -> None:
    digest = system.push(replace(good, delay_s=UNHURRIED, mark="dataset"))
    gate = system.gate_of(digest)
    wait_for_trials(system, gate.gate_id)
    question = next(iter(ANSWERS))
    item = GoldenItem("e2e-late", "Which colour has the last project?", response_facts=("The colour of it is red.",))
    system.datasets.upsert(DATASET, [item])
    try:
        row = system.ended(gate.gate_id)
    finally:
        system.datasets.archive(DATASET, [item.item_id])

    assert question
    assert (row.verdict, row.promoted) == ("INCONCLUSIVE", False)
    assert row.reasons[0] == "dataset_changed"


def test_no_secret_is_in_a_runtime_an_execution_or_a_report(system: System, good: Told) -> None:
    digest = system.push(replace(good, delay_s=0.5, mark="secrets"))
    gate = system.gate_of(digest)
    wait_for_trials(system, gate.gate_id)
    environments = [
        system.control.get_agent_runtime(agentRuntimeId=r["agentRuntimeId"]).get("environmentVariables", {})
        for r in system.runtimes()
    ]
    row = system.ended(gate.gate_id)
    history = system.states.get_execution_history(executionArn=gate.execution_arn, includeExecutionData=True)
    secret = system.info.langfuse.secret_key
    everything = [
        str(environments),
        str(history),
        *(str(system.document(row.gate_id, n)) for n in ("plan.json", "report.json")),
    ]

    assert environments
    for text in everything:
        assert secret not in text
    assert next(iter(ANSWERS)) not in str(history)


def test_the_sweep_finds_what_nothing_else_retired(system: System) -> None:
    """A runtime tagged short-lived and old, of no gate that runs; and one that is tagged otherwise."""
    name = f"fw_dev_{uuid.uuid4().hex[:8]}_candidate"
    created = (datetime.now(UTC) - timedelta(hours=9)).isoformat()
    role = boto3.client("iam").list_roles()["Roles"][0]["Arn"]
    image: Any = {"containerConfiguration": {"containerUri": f"{system.outputs['RepositoryUri']}@sha256:{'0' * 64}"}}
    for runtime, lifetime in ((name, "short-lived"), ("bystander", "production")):
        system.control.create_agent_runtime(
            agentRuntimeName=runtime,
            agentRuntimeArtifact=image,
            roleArn=role,
            networkConfiguration={"networkMode": "PUBLIC"},
            tags={"flywheel:lifetime": lifetime, "flywheel:stack": "flywheel-dev", "flywheel:created": created},
        )
    functions = boto3.client("lambda")
    (sweep,) = [f["FunctionName"] for f in functions.list_functions()["Functions"] if "Sweep" in f["FunctionName"]]
    functions.invoke(FunctionName=sweep, Payload=b"{}")

    names = [r["agentRuntimeName"] for r in system.runtimes()]
    assert "bystander" in names
    wait_for("the leftover is swept", lambda: name not in [r["agentRuntimeName"] for r in system.runtimes()], 20.0)
    bystander = next(r["agentRuntimeId"] for r in system.runtimes() if r["agentRuntimeName"] == "bystander")
    system.control.delete_agent_runtime(agentRuntimeId=bystander)
