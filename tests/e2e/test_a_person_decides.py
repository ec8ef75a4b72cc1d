"""What the evidence leaves open is left to a person: held without runtimes, decided once, carried out or not."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from flywheel.ports import GateRow, Settlement
from tests.e2e.agents import Told
from tests.e2e.announcements import Announcements
from tests.e2e.system import System, wait_for

# Twelve pairs cannot certify anything about a candidate, however good it is.
UNDECIDED = {"max_trials": 1, "alpha": 0.01, "slice_alpha": 0.005, "on_inconclusive": "hold"}


@pytest.fixture(autouse=True)
def incumbent(system: System, good: Told) -> str:
    """Digest of what is in production."""
    if system.production_digest() is None:
        system.gated(good)
    live = system.production_digest()
    assert live is not None
    return live


@pytest.fixture
def undecided(system: System) -> Iterator[None]:
    """A policy under which no gate is decided, and a person is asked."""
    with system.setting("policy", UNDECIDED | {"hold_h": 1.0}):
        yield


def held(system: System, told: Told) -> GateRow:
    """Push, and wait until the gate of it waits for a person."""
    gate = system.gate_of(system.push(told)).gate_id

    def look() -> GateRow | None:
        row = system.gates.get(gate)
        assert row is None or row.status == "running", row.reasons
        return row if row is not None and row.held else None

    return wait_for(f"gate {gate} is held", look)


def decide(system: System, command: str, gate: str, *more: str) -> tuple[int, Any]:
    """What a person types, in a script; the exit code and what was said as JSON."""
    done = system.run("gate", command, gate, "--reason", "I read all twelve answers", "--yes", "--json", *more)
    return done.exit_code, json.loads(done.stdout) if done.stdout else done.stderr


@pytest.mark.usefixtures("undecided")
def test_an_undecided_gate_is_held_without_runtimes_and_goes_to_production_when_it_is_approved(
    system: System, announcements: Announcements, good: Told, incumbent: str
) -> None:
    row = held(system, replace(good, mark="approved"))
    assert system.short_lived_runtimes() == []
    assert system.production_digest() == incumbent
    assert announcements.heard("GateHeld", gate_id=row.gate_id)["missing"]
    assert f"flywheel gate approve {row.gate_id}" in announcements.told(row.gate_id)
    announcements.letters.clear()
    shown = system.run("gate", "show", row.gate_id, "--json")
    assert json.loads(shown.stdout)["status"] == "held"
    assert "waits for a person" in system.run("gate", "show", row.gate_id).stdout

    code, said = decide(system, "approve", row.gate_id, "--by", "ada@desk")

    assert (code, said["kind"], said["name"]) == (0, "approved", "ada@desk"), said
    ended = system.ended(row.gate_id)
    assert (ended.verdict, set(ended.against), ended.promoted) == ("INCONCLUSIVE", {"undecided"}, True)
    assert "approved" in ended.notes
    assert system.production_digest() == row.digest
    kept = system.document(row.gate_id, "approval.json")
    assert (kept["by"], kept["name"], kept["reason"]) == (said["by"], "ada@desk", "I read all twelve answers")
    assert kept["by"].startswith("arn:")
    assert announcements.heard("GateApproved", gate_id=row.gate_id)["by"] == kept["by"]
    assert announcements.heard("AgentPromoted", gate_id=row.gate_id)["approved_by"] == kept["by"]
    report = system.document(row.gate_id, "report.json")
    assert (report["verdict"], "A person approved it" in report["meaning"]) == ("INCONCLUSIVE", True)
    assert "ada@desk" in announcements.told(row.gate_id)
    wait_for("the execution ends well", lambda: system.execution(row.execution_arn) == "SUCCEEDED", 15)
    # Watched afterwards it ends well; decided again it says what was decided.
    assert system.run("gate", "watch", row.gate_id).exit_code == 0
    code, said = decide(system, "approve", row.gate_id)
    assert (code, said["own"], said["name"]) == (0, False, "ada@desk")
    code, said = decide(system, "reject", row.gate_id)
    assert (code, said["kind"]) == (1, "approved")


@pytest.mark.usefixtures("undecided")
def test_a_superseded_gate_is_only_rejected_and_a_decision_whose_sender_died_is_carried_out(
    system: System, announcements: Announcements, good: Told, incumbent: str
) -> None:
    older = held(system, replace(good, mark="superseded while held"))
    newer = held(system, replace(good, mark="held beside it"))

    code, said = decide(system, "approve", older.gate_id)
    assert (code, newer.gate_id in said) == (2, True), said
    code, _ = decide(system, "reject", older.gate_id)
    assert code == 0
    ended = system.ended(older.gate_id)
    assert (ended.verdict, ended.promoted, "rejected_by_person" in ended.notes) == ("INCONCLUSIVE", False, True)
    assert announcements.heard("GateRejected", gate_id=older.gate_id)["reason"] == "I read all twelve answers"
    assert system.run("gate", "watch", older.gate_id).exit_code == 2
    assert system.production_digest() == incumbent

    # Recorded, and dead before the machine was woken: the same call again makes up for it.
    system.gates.settle(newer.gate_id, Settlement("approved", datetime.now(UTC), "arn:aws:iam::0:user/ada", "ada", "r"))
    code, said = decide(system, "approve", newer.gate_id)
    assert (code, said["own"], said["by"]) == (0, False, "arn:aws:iam::0:user/ada")
    assert system.ended(newer.gate_id).promoted
    assert system.production_digest() == newer.digest


def test_a_gate_that_nobody_decides_in_time_is_rejected_by_itself(system: System, good: Told, incumbent: str) -> None:
    with system.setting("policy", UNDECIDED | {"hold_h": 0.01}):
        row = held(system, replace(good, mark="timed out"))
        ended = system.ended(row.gate_id)
    assert (ended.verdict, ended.promoted, "hold_timed_out" in ended.notes) == ("INCONCLUSIVE", False, True)
    assert system.document(row.gate_id, "approval.json")["settlement"] == "timed_out"
    wait_for("the execution ends well", lambda: system.execution(row.execution_arn) == "SUCCEEDED", 15)
    code, said = decide(system, "approve", row.gate_id)
    assert (code, said["kind"]) == (1, "timed_out")
    assert system.production_digest() == incumbent


@pytest.mark.usefixtures("undecided")
def test_a_held_gate_that_is_stopped_by_hand_ends_and_cannot_be_approved_any_more(
    system: System, good: Told, incumbent: str
) -> None:
    row = held(system, replace(good, mark="stopped while held"))
    system.states.stop_execution(executionArn=row.execution_arn)

    def look() -> GateRow | None:
        row_now = system.gates.get(row.gate_id)
        return row_now if row_now is not None and row_now.status == "ended" else None

    ended = wait_for("the gate's end", look)
    assert (ended.verdict, ended.against, ended.promoted) == ("INCONCLUSIVE", ("execution_aborted",), False)
    code, said = decide(system, "approve", row.gate_id)
    assert (code, "was ended (execution_aborted)" in said) == (2, True), said
    assert system.production_digest() == incumbent
