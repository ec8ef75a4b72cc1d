"""`flywheel doctor --gate`: what the end of a small gate says of the way there."""

from datetime import UTC, datetime

import pytest

from cli import doctor_gate
from cli.gate_progress import Progress
from flywheel.domain.golden import GoldenItem
from flywheel.ports import GateRow
from tests.unit.cli.double_session import DoubleSession, run

ROW = GateRow(
    "g-1", "arn:execution", "doctor", datetime(2026, 12, 1, tzinfo=UTC), "2026-12-01T00:00:00Z", status="ended"
)


def row(verdict: str, *reasons: str, refused: tuple[str, ...] = ()) -> GateRow:
    from dataclasses import replace  # noqa: PLC0415

    return replace(ROW, verdict=verdict, reasons=reasons, refused=refused)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "progress", "status"),
    [
        (row("PASS"), Progress(trials=6, done=6), "ok"),
        (row("PASS", "cost_unknown"), Progress(trials=6, done=6), "ok"),
        (row("INCONCLUSIVE", "undecided"), Progress(trials=6, done=6), "ok"),
        (row("FAIL", "minimum"), Progress(trials=6, done=6), "ok"),
        (row("PASS"), Progress(trials=6, done=6, errored=1), "wrong"),
        (row("INCONCLUSIVE", "evidence_missing"), Progress(trials=6, done=6), "wrong"),
        (row("INCONCLUSIVE", "judge_unavailable", "undecided"), Progress(trials=6, done=6), "wrong"),
        (row("FAIL", "never_ready"), Progress(), "wrong"),
        (row("INCONCLUSIVE", "execution_aborted"), Progress(trials=6, done=2), "wrong"),
        (row("INCONCLUSIVE", "dataset_missing", refused=("dataset_missing",)), Progress(), "wrong"),
    ],
)
def test_a_verdict_about_the_agent_is_fine_and_everything_else_broke(
    found: GateRow, progress: Progress, status: str
) -> None:
    said = doctor_gate.ended("gate", found, progress)

    assert said.status == status
    assert ("flywheel gate show g-1" in said.mend) is (status == "wrong")


def test_without_production_there_is_nothing_to_send() -> None:
    session = DoubleSession()

    said = doctor_gate.send(session, timeout_s=1, show=lambda _: None)

    assert said.status == "cannot be known"
    assert session.asked.sent == []


def test_help_says_what_it_costs_and_shows_examples() -> None:
    shown = run(DoubleSession(), "doctor", "--help").stdout

    assert "--before-deploy" in shown
    assert "promotes nothing" in shown


def test_a_gate_is_small_and_promotes_nothing() -> None:
    from cli.gate_start import request_gate  # noqa: PLC0415

    session = DoubleSession([GoldenItem(item_id="i-1", question="?", slice="happy_path", response_facts=("a",))])
    request_gate(session, "production", prompt=None, promote=False, item_ids=("i-1",), reason="doctor")

    (sent,) = session.asked.sent
    assert "'item_ids': ['i-1']" in str(sent)
    assert "'promote': False" in str(sent)


def test_what_broke_is_named_by_state_function_error_and_log() -> None:
    found = row("INCONCLUSIVE", "AccessDeniedError")
    said = doctor_gate.ended("gate", found, Progress(), ("Deploy Candidate", "AccessDeniedError"), "tst")

    assert said.status == "wrong"
    assert "it broke at Deploy Candidate (deploy_candidate): AccessDeniedError" in said.detail
    assert "/aws/lambda/flywheel-tst-deploy-candidate" in said.mend
    assert "flywheel gate show g-1" in said.mend
    # A call that failed and was repeated with success is no break.
    assert doctor_gate.ended("gate", row("PASS"), Progress(trials=6, done=6), ("Plan Gate", "x")).status == "ok"
