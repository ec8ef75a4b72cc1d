"""`flywheel gate approve | reject`, and what the other commands say of a held gate."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flywheel.domain.releases import GateRequest
from flywheel.domain.verdict import Reason, Verdict
from flywheel.evidence import report_key, verdict_key, verdict_to_dict
from flywheel.ports import GateArm, Hold, Settlement
from tests.fakes.clock import NOON
from tests.fakes.world import World
from tests.unit.cli.double_session import GATE_ID, DoubleSession, run

WHO = "arn:aws:iam::000000000000:user/ada"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Held(DoubleSession):
    """A session whose stack has one held gate; `gate` is its id."""

    def __init__(self) -> None:
        super().__init__()
        world = World(clock=self.time, objects=self.store, gates=self.rows, releases=self.line)
        self.gate = world.held()


@pytest.fixture
def session() -> Held:
    return Held()


def settled(session: Held) -> Settlement | None:
    hold = session.rows.rows[session.gate].hold
    assert hold is not None
    return hold.settled


def approve(session: Held, *more: str, command: str = "approve") -> Any:
    return run(session, "gate", command, session.gate, "--reason", "I read them", "--by", "ada", *more)


def test_approve_shows_the_evidence_and_what_follows_then_records_who_and_why(session: Held) -> None:
    done = approve(session, "--yes")
    assert done.exit_code == 0, done.output
    for said in (
        "held",
        "the mean is neither certified nor refuted",
        "as the first release",
        f"ada ({WHO}): I read them",
    ):
        assert said in done.stdout
    it = settled(session)
    assert it is not None
    assert (it.kind, it.by, it.name, it.reason) == ("approved", WHO, "ada", "I read them")
    assert session.woken.woken == [f"token-of-{session.gate}"]
    assert f"next: flywheel gate watch {session.gate}" in done.stdout


def test_reject_records_it_too(session: Held) -> None:
    done = approve(session, "--yes", "--json", command="reject")
    said = json.loads(done.stdout)
    assert (done.exit_code, said["kind"], said["done"], said["own"]) == (0, "rejected", True, True)
    assert (said["by"], said["name"], said["reason"]) == (WHO, "ada", "I read them")


def test_a_dry_run_and_a_no_change_nothing_and_a_script_must_say_yes(
    session: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert approve(session, "--dry-run").exit_code == 0
    asked = approve(session)
    assert (asked.exit_code, "--yes" in asked.stderr) == (2, True)
    monkeypatch.setattr("cli.gate_hold._at_terminal", lambda: True)
    answered = run(session, "gate", "approve", session.gate, "--reason", "r", typed="n\n")
    assert answered.exit_code == 1
    assert "nothing was changed" in answered.stdout
    assert settled(session) is None
    answered = run(session, "gate", "approve", session.gate, "--reason", "r", typed="y\n")
    assert answered.exit_code == 0
    assert settled(session) is not None


@pytest.mark.parametrize("command", ["approve", "reject"])
def test_a_decision_needs_a_reason(session: Held, command: str) -> None:
    assert run(session, "gate", command, session.gate, "--yes").exit_code == 2
    assert run(session, "gate", command, session.gate, "--yes", "--reason", " \n").exit_code == 2
    assert settled(session) is None


def test_the_same_decision_again_is_told_so_and_another_one_is_not_done(session: Held) -> None:
    approve(session, "--yes")
    first = settled(session)
    session.time.advance(60)
    again = approve(session)
    assert again.exit_code == 0
    assert f"it was decided before: approved by ada ({WHO}) on 2026-11-23 12:00 UTC" in again.stdout
    other = approve(session, "--yes", command="reject")
    assert other.exit_code == 1
    assert "it was decided before: approved by ada" in other.stdout
    assert settled(session) == first
    assert len(session.woken.woken) == 1


def test_a_call_that_died_before_it_woke_the_gate_is_made_up_for(session: Held) -> None:
    session.woken.failures = 1
    died = approve(session, "--yes")
    assert died.exit_code == 2
    assert "the decision is on record" in died.stderr
    assert approve(session).exit_code == 0
    assert session.woken.woken == [f"token-of-{session.gate}"]


def test_a_gate_whose_token_is_void_says_that_the_decision_is_on_record(session: Held) -> None:
    session.woken.closed.add(f"token-of-{session.gate}")
    done = approve(session, "--yes")
    assert done.exit_code == 2
    assert "on record, but gate" in done.stderr
    assert settled(session) is not None


def test_after_its_time_the_gate_can_be_judged_again_only(session: Held) -> None:
    session.time.advance(3600)
    late = approve(session, "--yes")
    assert late.exit_code == 2
    assert "its time is over: flywheel gate start" in late.stderr
    session.rows.settle(session.gate, Settlement("timed_out", session.time.now()))
    later = approve(session, "--yes")
    assert later.exit_code == 1
    assert "timed out on 2026-11-23 13:00 UTC" in later.stdout


def test_a_superseded_gate_is_not_approved(session: Held) -> None:
    session.line.note_request(GateRequest("g-20261123t130000-00000000", NOON + timedelta(hours=1), "newer"))
    done = approve(session, "--yes")
    assert done.exit_code == 2
    assert "g-20261123t130000-00000000 was asked for later" in done.stderr
    assert settled(session) is None
    assert approve(session, "--yes", command="reject").exit_code == 0


def test_a_gate_that_waits_for_nobody_says_so() -> None:
    session = DoubleSession()
    session.open_gate()
    done = run(session, "gate", "approve", "latest", "--reason", "r", "--yes")
    assert done.exit_code == 2
    assert "waits for nobody: it is still at work" in done.stderr


def test_the_token_is_never_shown(session: Held) -> None:
    shown = "".join(
        result.stdout + result.stderr
        for result in (
            run(session, "gate", "list", "--json"),
            run(session, "gate", "show", "--json"),
            run(session, "gate", "show"),
            approve(session, "--yes", "--json"),
            approve(session),
        )
    )
    assert session.gate in shown
    assert "token-of" not in shown


# --- what the other commands say ------------------------------------------------------------------------------------


def test_list_and_show_tell_a_held_gate_and_how_to_decide_it(session: Held) -> None:
    assert "held" in run(session, "gate", "list").stdout
    (row,) = json.loads(run(session, "gate", "list", "--json").stdout)
    assert (row["status"], row["hold"]["until"], row["hold"]["settled"]) == ("held", "2026-11-23T13:00:00+00:00", None)
    shown = run(session, "gate", "show").stdout
    assert "waits for a person until 2026-11-23 13:00 UTC" in shown
    assert f"next: until 2026-11-23 13:00 UTC: flywheel gate approve {session.gate} --reason TEXT" in shown
    approve(session, "--yes")
    (row,) = json.loads(run(session, "gate", "list", "--json").stdout)
    assert (row["status"], row["hold"]["settled"]["name"]) == ("running", "ada")
    assert f"approved by ada ({WHO})" in run(session, "gate", "show").stdout


def test_a_held_gate_has_a_report_to_decide_by(session: Held) -> None:
    done = run(session, "gate", "report", "--no-open", "--json")
    assert done.exit_code == 0, done.output
    page = Path(json.loads(done.stdout)["html"]).read_text()
    assert "It waits for a person" in page
    assert report_key(session.gate, "html") not in session.store.objects


def watched_to(session: DoubleSession, *, promoted: bool, settlement: Settlement) -> None:
    """End the held gate as the machine would after this settlement."""
    session.rows.settle(GATE_ID, settlement)
    session.machine.status_now = "SUCCEEDED"
    note = "approved" if promoted else "rejected_by_person"
    session.rows.end(
        GATE_ID,
        verdict="INCONCLUSIVE",
        reasons=["undecided", note],
        promoted=promoted,
        ended=session.time.now(),
        report_key=None,
    )


@pytest.mark.parametrize(("kind", "code"), [("approved", 0), ("rejected", 2), ("timed_out", 2)])
def test_watch_says_that_a_gate_is_held_goes_on_and_ends_as_it_was_decided(kind: Any, code: int) -> None:
    session = DoubleSession()
    session.open_gate(arms={"candidate": GateArm("fw_c")})
    at = NOON + timedelta(minutes=1)
    by: Mapping[str, str] = {} if kind == "timed_out" else {"by": WHO, "name": "ada", "reason": "r"}
    verdict = Verdict("INCONCLUSIVE", (Reason("undecided", "nobody knows"),))
    session.store.create(verdict_key(GATE_ID), json.dumps(verdict_to_dict(verdict)).encode())
    session.steps = [
        lambda: session.rows.hold(GATE_ID, Hold(NOON, NOON + timedelta(hours=1)), "token"),
        lambda: None,
        lambda: watched_to(session, promoted=kind == "approved", settlement=Settlement(kind, at, **by)),
    ]
    done = run(session, "gate", "watch", "--json")
    assert done.exit_code == code
    status, end = map(json.loads, done.stdout.splitlines())
    assert (status["status"], status["hold"]["settled"]) == ("held", None)
    assert (end["status"], end["hold"]["settled"]["kind"]) == ("ended", kind)
    held = [line for line in done.stderr.splitlines() if line.startswith("held")]
    assert held == [
        f"held  {GATE_ID}  until 2026-11-23 13:00 UTC: flywheel gate approve {GATE_ID} --reason TEXT, or reject"
    ]


def test_watch_that_runs_out_of_time_says_that_the_gate_is_held(session: Held) -> None:
    done = run(session, "gate", "watch", "--timeout", "5")
    assert done.exit_code == 2
    assert "is held, and waits until 2026-11-23 13:00 UTC" in done.stderr
