"""Asking people about a gate from the command line."""

import json

from flywheel.evidence import GateEvidence
from tests.unit.cli.double_session import DoubleSession, run
from tests.unit.test_annotation import decided, small_world


def judged_session(kind: str = "FAIL") -> tuple[DoubleSession, str]:
    """A session that sees a decided gate of six answers."""
    world = small_world()
    gate = decided(world, kind)  # type: ignore[arg-type]
    session = DoubleSession()
    session.store.objects |= world.objects.objects
    session.open_gate(gate)
    session.end_gate(kind, gate, report=False)
    return session, gate


def test_a_gate_can_be_asked_for_with_reviews() -> None:
    session = DoubleSession()
    assert run(session, "gate", "start", "--image", "v1", "--annotate").exit_code == 0
    assert run(session, "gate", "start", "--image", "v1").exit_code == 0

    assert [detail.get("annotate", False) for _, detail, _ in session.asked.sent] == [True, False]


def test_a_decided_gate_is_annotated_once_however_often_it_is_asked() -> None:
    session, gate = judged_session()
    first, second = (run(session, "gate", "annotate", gate, "--json") for _ in range(2))

    said = json.loads(first.stdout)
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert json.loads(second.stdout) == said
    assert (said["state"], said["queue"], said["answers"]) == (
        "queued",
        "flywheel gate reviews",
        {"random": 5, "decided": 1},
    )
    assert sorted(trace for _, trace in session.people.items) == sorted(said["traces"])
    shown = run(session, "gate", "annotate", gate).stdout
    assert "6 answers wait for review" in shown
    assert "https://langfuse.test/project/p/annotation-queues/queue-1" in shown
    assert f"next: flywheel gate reviews {gate}" in shown


def test_a_gate_that_is_not_decided_is_refused_in_words() -> None:
    session, gate = judged_session()
    del session.store.objects[f"gates/{gate}/verdict.json"]
    refused = run(session, "gate", "annotate", gate)

    assert refused.exit_code == 2
    assert "no verdict" in refused.stderr
    assert GateEvidence(session.store).annotation(gate) is None
