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
        {"random": 10, "decided": 2},
    )
    assert sorted(trace for _, trace in session.people.items) == sorted(said["traces"])
    shown = run(session, "gate", "annotate", gate).stdout
    assert "12 answers wait for review" in shown
    assert "https://langfuse.test/project/p/annotation-queues/queue-1" in shown
    assert f"next: flywheel gate reviews {gate}" in shown


def test_a_gate_that_is_not_decided_is_refused_in_words() -> None:
    session, gate = judged_session()
    del session.store.objects[f"gates/{gate}/verdict.json"]
    refused = run(session, "gate", "annotate", gate)

    assert refused.exit_code == 2
    assert "no verdict" in refused.stderr
    assert GateEvidence(session.store).annotation(gate) is None


def reviewed_session() -> tuple[DoubleSession, str, list[str]]:
    session, gate = judged_session()
    said = json.loads(run(session, "gate", "annotate", gate, "--json").stdout)
    return session, gate, said["traces"]


def test_what_people_said_comes_back_with_what_is_open() -> None:
    session, gate, (first, second, *_) = reviewed_session()
    session.people.review(first, 1.0, "the judge missed [bold] the point")
    session.people.review(second, 0.0)
    asked = run(session, "gate", "reviews", gate, "--json")

    said = json.loads(asked.stdout)
    assert asked.exit_code == 1  # four answers wait
    assert (said["asked"], said["reviewed"], said["open"], said["agreed"]) == (12, 2, 10, 1)
    assert said["verdict"] == "FAIL"
    assert said["reviewed_verdict"]["kind"] in {"FAIL", "INCONCLUSIVE"}
    assert {(r["trace_id"], r["judge"], r["people"]) for r in said["reviews"]} == {
        (first, 0.2, 1.0),
        (second, 0.2, 0.0),
    }
    shown = run(session, "gate", "reviews", gate).stdout
    assert "2 of 12 answers judged, 10 open" in shown
    assert "judge and people agree on 1 of 2" in shown
    assert "the judge missed [bold] the point" in shown
    evidence = GateEvidence(session.store)
    assert evidence.reviewed_verdict(gate) is not None
    assert len(evidence.reviews(said["judge_version"], gate) or ()) == 2


def test_waiting_ends_when_the_last_answer_is_judged() -> None:
    session, gate, traces = reviewed_session()
    session.steps = [lambda trace=trace: session.people.review(trace, 1.0) for trace in traces]  # type: ignore[misc]
    done = run(session, "gate", "reviews", gate, "--wait")

    assert done.exit_code == 0
    assert "12 of 12 answers judged, 0 open" in done.stdout
    assert "with people's scores PASS" in done.stdout


def test_waiting_ends_with_its_time_and_says_what_is_open() -> None:
    session, gate, _ = reviewed_session()
    late = run(session, "gate", "reviews", gate, "--wait", "--timeout", "30")

    assert late.exit_code == 1
    assert "0 of 12 answers judged, 12 open" in late.stdout
    assert "next: judge the answers: https://langfuse.test" in late.stdout


def test_a_gate_that_nobody_was_asked_about_says_how_to_ask() -> None:
    session, gate = judged_session()
    refused = run(session, "gate", "reviews", gate)

    assert refused.exit_code == 2
    assert f"flywheel gate annotate {gate}" in refused.stderr


def test_show_says_how_far_the_review_is_without_asking_langfuse() -> None:
    session, gate = judged_session()
    assert json.loads(run(session, "gate", "show", gate, "--json").stdout)["reviews"] is None
    assert "reviews:" not in run(session, "gate", "show", gate).stdout

    asked = json.loads(run(session, "gate", "annotate", gate, "--json").stdout)
    session.people.review(asked["traces"][0], 1.0)
    assert "reviews: 0 of 12 answers collected; https://langfuse.test" in run(session, "gate", "show", gate).stdout
    run(session, "gate", "reviews", gate)
    said = json.loads(run(session, "gate", "show", gate, "--json").stdout)["reviews"]
    assert (said["asked"], said["reviewed"], said["queue"]) == (12, 1, "flywheel gate reviews")
    assert f", by people's scores {said['reviewed_verdict']}; " in run(session, "gate", "show", gate).stdout
