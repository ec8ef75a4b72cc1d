"""Production's stored answers stand for it in the next gate: one runtime, and half of the invocations."""

import json
from dataclasses import replace
from typing import Any

from flywheel.adapters.dynamodb_gates import DynamoDbGates
from tests.e2e.agents import Told
from tests.e2e.system import System

# At this alpha every one of the twelve items is asked at least once before a gate is settled.
CACHED = {"incumbent": "cached", "cached_trials": 1, "alpha": 0.1}


def judged(system: System, digest: str | None) -> dict[str, Any]:
    """What a gate over this image says that could not promote."""
    done = system.run("gate", "start", "--image", str(digest), "--no-promote", "--wait", "--json")
    assert done.exit_code == 0, done.output
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_a_second_gate_judges_productions_stored_answers_again_and_asks_only_the_candidate(
    system: System, good: Told
) -> None:
    older = system.gated(replace(good, mark="stored: older"))
    now = system.gated(replace(good, mark="stored: in production"))
    assert (older.promoted, now.promoted) == (True, True), (older.reasons, now.reasons)
    gates: DynamoDbGates = system.gates

    # Nothing is stored of what has just come into production: its own gate's trials are lucky ones.
    candidate_id = system.document(now.gate_id, "plan.json")["arms"][0]["candidate"]
    with system.setting("policy", CACHED):
        first = judged(system, older.digest)
    assert "incumbent_rerun" in first["notes"]
    rerun = system.document(first["gate_id"], "report.json")
    row = gates.get(first["gate_id"])
    assert row is not None
    assert set(row.arms) == {"candidate", "incumbent"}

    # That gate asked it, and what it answered stands for it now.
    with system.setting("policy", CACHED):
        shown = system.run("gate", "plan")
        second = judged(system, older.digest)
    assert "stored answers of 12 items, judged again" in shown.stdout
    report = system.document(second["gate_id"], "report.json")
    plan = system.document(second["gate_id"], "plan.json")
    row = gates.get(second["gate_id"])
    assert row is not None
    assert (second["verdict"], list(row.arms)) == ("PASS", ["candidate"])
    incumbent = next(arm for arm in plan["stored"] if arm["arm"] == "incumbent")
    assert (incumbent["candidate"], incumbent["sources"]) == (candidate_id, [first["gate_id"]])
    assert system.document(second["gate_id"], "verdict.json")["estimates"]["design"] == "cached"
    assert report["invocations"] <= rerun["invocations"] / 2

    records = system.records(second["gate_id"])
    again = [record for record in records if record.key.arm == "incumbent"]
    assert len(again) == sum(incumbent["trials"].values())
    assert {record.stored_from for record in again} == {first["gate_id"]}
    assert {record.scores["correctness"] for record in again} == {1.0}
    # The trace of each is that of the invocation, in the gate that made it.
    assert {record.trace_id for record in again} <= {r.trace_id for r in system.records(first["gate_id"])}


def test_a_push_is_held_against_cached_incumbent_and_anchor_with_one_runtime_and_promoted(
    system: System, good: Told
) -> None:
    first, second = (system.gated(replace(good, mark=f"anchored: {n}")) for n in (1, 2))
    assert (first.promoted, second.promoted) == (True, True), (first.reasons, second.reasons)
    with system.setting("policy", CACHED | {"anchor_margin": 0.3}):
        judged(system, first.digest)  # asks the incumbent, so that its answers are stored
        row = system.gated(replace(good, mark="anchored: 3"))

    assert (row.verdict, row.promoted, list(row.arms)) == ("PASS", True, ["candidate"]), row.reasons
    stored = {arm["arm"]: arm for arm in system.document(row.gate_id, "plan.json")["stored"]}
    assert stored["anchor"]["release_no"] < stored["incumbent"]["release_no"]
    estimates = system.document(row.gate_id, "verdict.json")["estimates"]
    assert (estimates["design"], estimates["anchor"]["state"]) == ("cached", "certified")
    shown = system.run("gate", "anchor", "--json")
    assert json.loads(shown.stdout)["anchor"]["release"] == "oldest"
