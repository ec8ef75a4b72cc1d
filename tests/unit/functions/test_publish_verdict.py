"""Verdict, failure and promotion -> what the gate says in the end, told exactly once."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from flywheel.domain.annotation import Annotation
from flywheel.domain.gate import Reason, Verdict
from flywheel.errors import DeploymentFailedError, NotFoundError, TransientError
from flywheel.events import Failure, PublishRequest
from flywheel.evidence import verdict_key, verdict_to_dict
from flywheel.ports import Promotion
from flywheel.publication import final_outcome
from flywheel.report.wording import headline, next_step
from functions.publish_verdict.app import make_render
from tests.fakes.clock import NOON
from tests.fakes.world import DIGEST, World, ecr_event, requested_event

PASS = Verdict("PASS")
FAIL = Verdict("FAIL", (Reason("minimum", "too low"),))
UNDECIDED = Verdict("INCONCLUSIVE", (Reason("undecided", "nobody knows"),))
COMMITTED = Promotion("committed", NOON)
REFUSED = Promotion("refused", NOON, reason="incumbent_changed", message="production is at release 2")


def cause(message: str) -> str:
    return json.dumps({"errorMessage": message, "errorType": "X", "stackTrace": ["secret line"]})


@pytest.mark.parametrize(
    ("verdict", "failure", "promotion", "kind", "codes"),
    [
        (PASS, None, COMMITTED, "PASS", []),
        (FAIL, None, None, "FAIL", ["minimum"]),
        (PASS, Failure(error="PromotionRefusedError"), REFUSED, "INCONCLUSIVE", ["incumbent_changed"]),
        (PASS, Failure(error="States.Timeout"), Promotion("moving", NOON), "INCONCLUSIVE", ["States.Timeout"]),
        (PASS, Failure(error="CleanUpFailed"), COMMITTED, "PASS", ["clean_up_failed"]),
        (PASS, Failure(error="CleanUpFailed"), None, "PASS", ["clean_up_failed"]),
        (FAIL, Failure(error="CleanUpFailed"), None, "FAIL", ["minimum", "clean_up_failed"]),
        (UNDECIDED, None, COMMITTED, "INCONCLUSIVE", ["undecided"]),
        (
            UNDECIDED,
            Failure(error="PromotionRefusedError"),
            REFUSED,
            "INCONCLUSIVE",
            ["incumbent_changed", "undecided"],
        ),
        (UNDECIDED, Failure(error="CleanUpFailed"), COMMITTED, "INCONCLUSIVE", ["undecided", "clean_up_failed"]),
        (
            Verdict("FAIL", (Reason("never_ready", "m"),)),
            Failure(error="DeploymentFailedError", cause=cause("never_ready: candidate")),
            None,
            "FAIL",
            ["never_ready"],
        ),
        (None, Failure(error="TransientError", cause=cause("no")), None, "INCONCLUSIVE", ["TransientError"]),
        (None, Failure(error="Lambda <script>"), None, "INCONCLUSIVE", ["Lambda__script_"]),
        (None, Failure(error=""), None, "INCONCLUSIVE", ["unknown"]),
        (None, None, None, "INCONCLUSIVE", ["evidence_missing"]),
    ],
)
def test_the_final_outcome_follows_from_verdict_failure_and_promotion(
    verdict: Verdict | None, failure: Failure | None, promotion: Promotion | None, kind: str, codes: list[str]
) -> None:
    final = final_outcome(verdict, failure, promotion)
    assert (final.kind, [reason.code for reason in final.reasons]) == (kind, codes)


@pytest.mark.parametrize(
    "text", [cause("it broke"), cause("it broke")[:26] + '", "st', '{"errorMessage": "it broke', "it broke"]
)
def test_a_failure_says_its_message_and_never_its_stack_trace(text: str) -> None:
    (reason,) = final_outcome(None, Failure(error="X", cause=text), None).reasons
    assert reason.message.startswith("it broke")
    assert "secret" not in reason.message


def test_a_huge_cause_is_cut() -> None:
    (reason,) = final_outcome(None, Failure(error="X", cause="y" * 100_000), None).reasons
    assert len(reason.message) == 300


def test_a_pass_is_recorded_reported_and_told() -> None:
    world = World()
    gate = world.passed()
    world.promote(gate)
    reply = world.publisher().publish(gate, None)
    assert (reply.verdict, reply.promoted, reply.report_key) == ("PASS", True, f"gates/{gate}/report.html")
    row = world.gates.rows[gate]
    assert (row.status, row.verdict, row.promoted, row.report_key) == ("ended", "PASS", True, reply.report_key)
    assert world.objects.objects[f"gates/{gate}/report.json"] == b"{}"
    detail = dict(world.bus.events[-1][1])
    assert world.bus.types == ["AgentPromoted", "GatePassed"]
    assert (detail["gate_id"], detail["verdict"], detail["promoted"]) == (gate, "PASS", True)
    assert world.notifier.letters[0][0] == "[dev] PASS: v1"


def test_a_promotion_that_was_killed_before_its_own_note_is_told_as_what_production_runs() -> None:
    world = World()
    gate = world.passed()
    world.bus.failures = 1
    with pytest.raises(TransientError):  # the release is on record, the promotion's `committed` is not
        world.promote(gate)
    reply = world.publisher().publish(gate, Failure(error="TransientError"))
    assert (reply.verdict, reply.promoted) == ("PASS", True)
    promotion = world.gates.rows[gate].promotion
    assert promotion is not None
    assert promotion.step == "committed"


def test_a_gate_whose_answers_could_not_be_queued_says_so_for_the_record_and_keeps_its_verdict() -> None:
    world, gate = asked_for_review(FAIL)
    world.evidence.write_annotation(gate, Annotation("failed", "Langfuse does not answer"))
    assert world.publisher().publish(gate, None).verdict == "FAIL"
    row = world.gates.rows[gate]
    assert (row.against, row.notes) == (("minimum",), ("annotation_failed",))


def test_a_decision_that_was_killed_before_it_asked_people_says_so_too() -> None:
    world, gate = asked_for_review(FAIL)
    world.publisher().publish(gate, Failure(error="States.Timeout"))
    assert "annotation_failed" in world.gates.rows[gate].notes


@pytest.mark.parametrize(
    ("verdict", "annotation", "annotate"),
    [
        (FAIL, Annotation("queued", "40 answers wait"), True),
        (FAIL, Annotation("nothing", "no answer has a score"), True),
        (FAIL, None, False),
        (PASS, None, True),
    ],
)
def test_nothing_is_said_of_reviews_where_nothing_is_missing(
    verdict: Verdict, annotation: Annotation | None, *, annotate: bool
) -> None:
    world, gate = asked_for_review(verdict, annotate=annotate)
    if annotation is not None:
        world.evidence.write_annotation(gate, annotation)
    world.publisher().publish(gate, None)
    assert world.gates.rows[gate].notes == ()


def asked_for_review(verdict: Verdict, *, annotate: bool = True) -> tuple[World, str]:
    """A gate that has answered and was decided like this."""
    world = World()
    gate = world.plan(requested_event(annotate=annotate))
    world.evaluate(world.decider.decide(gate, 0))
    world.evidence.write_verdict(gate, verdict)
    return world, gate


def test_publishing_again_tells_nobody_twice_and_changes_nothing() -> None:
    world = World()
    gate = world.passed()
    world.promote(gate)
    first = world.publisher().publish(gate, None)
    before = world.gates.rows[gate]
    world.clock.advance(60)
    assert world.publisher().publish(gate, Failure(error="CleanUpFailed")) == first
    assert world.gates.rows[gate] == before
    assert world.bus.types == ["AgentPromoted", "GatePassed"]
    assert len(world.notifier.letters) == 1


def test_a_bus_that_fails_is_told_at_the_next_attempt() -> None:
    world = World()
    gate = world.plan()
    world.bus.failures = 1
    with pytest.raises(TransientError):
        world.publisher().publish(gate, Failure(error="X"))
    assert world.publisher().publish(gate, Failure(error="X")).verdict == "INCONCLUSIVE"
    assert world.bus.types == ["GateInconclusive"]
    assert len(world.notifier.letters) == 1


def test_a_report_that_cannot_be_rendered_loses_no_verdict() -> None:
    world = World()
    gate = world.passed()

    def broken(*_: Any) -> tuple[str, str]:
        raise ZeroDivisionError("a defect")

    reply = world.publisher(broken).publish(gate, None)
    assert (reply.verdict, reply.report_key) == ("PASS", None)
    assert world.bus.types == ["GatePassed"]
    assert "ZeroDivisionError" in world.warnings[0]


def test_a_refused_gate_is_told_with_its_reason() -> None:
    world = World()
    world.settings.texts["policy"] = '{"minimum_items": 50}'
    gate = world.planner.plan(ecr_event(), "arn:execution:1")[0].gate_id
    reply = world.publisher().publish(gate, None)
    assert reply.verdict == "INCONCLUSIVE"
    assert world.gates.rows[gate].reasons == ("too_few_items",)
    assert world.bus.types == ["GateInconclusive"]
    assert "the dataset golden has 6 items" in world.notifier.letters[0][1]


def test_a_gate_that_was_refused_without_a_plan_has_no_report() -> None:
    world = World()
    del world.settings.texts["agent"]
    gate = world.planner.plan(ecr_event(), "arn:execution:1")[0].gate_id
    assert world.publisher().publish(gate, None).report_key is None
    assert world.gates.rows[gate].reasons == ("invalid_agent_settings",)


def test_a_candidate_that_was_never_ready_fails_with_that_reason_first() -> None:
    world = World()
    gate = world.plan()
    world.deployer.deploy(gate, "candidate")
    world.runtimes.becomes[world.evidence.plan(gate).arms[0].runtime_name] = ("CREATING", "")
    world.clock.advance(301)
    with pytest.raises(DeploymentFailedError) as raised:
        world.deployer.deploy(gate, "candidate")
    failure = Failure(error="DeploymentFailedError", cause=cause(str(raised.value)))
    assert world.publisher().publish(gate, failure).verdict == "FAIL"
    assert world.gates.rows[gate].reasons == ("never_ready",)


def test_an_unknown_gate_is_named() -> None:
    with pytest.raises(NotFoundError):
        World().publisher().publish("g-20260101t000000-00000000", None)


@pytest.mark.parametrize("promotion", [None, COMMITTED, REFUSED])
def test_the_real_report_is_rendered_from_the_evidence(promotion: Promotion | None) -> None:
    world = World()
    world.in_production()
    gate = world.passed()
    if promotion is not None:
        world.gates.note_promotion(gate, promotion)
    render = make_render("https://langfuse.test/", ["a model server"], "production")
    reply = world.publisher(render).publish(gate, None)
    assert world.warnings == []
    assert reply.report_key is not None
    data = json.loads(world.objects.objects[f"gates/{gate}/report.json"])
    assert data["verdict"] == "PASS"
    assert "a model server" in world.objects.objects[reply.report_key].decode()


# --- planning that failed for good ----------------------------------------------------------------------------------

LANGFUSE_DOWN = Failure(error="TransientError", cause=cause("Langfuse does not answer"))


def test_a_push_whose_planning_failed_for_good_is_recorded_and_told() -> None:
    world = World()
    reply = world.publisher().publish_unplanned(ecr_event(), "arn:execution:1", LANGFUSE_DOWN)
    (row,) = world.gates.rows.values()
    assert (reply.verdict, reply.promoted, reply.report_key) == ("INCONCLUSIVE", False, None)
    assert (row.status, row.verdict, row.reasons) == ("ended", "INCONCLUSIVE", ("TransientError",))
    assert (row.tag, row.digest, row.execution_arn) == ("v1", DIGEST, "arn:execution:1")
    assert world.bus.types == ["GateInconclusive"]
    assert world.bus.events[0][1]["image_digest"] == DIGEST
    assert "Langfuse does not answer" in world.notifier.letters[0][1]
    ended = world.evidence.ended_with(row.gate_id)
    assert ended is not None
    assert ended.reasons[0].message == "Langfuse does not answer"
    assert world.evidence.verdict(row.gate_id) is None


def test_a_record_that_planning_had_opened_already_is_the_one_that_ends() -> None:
    world = World()
    world.datasets.down = True
    with pytest.raises(TransientError):
        world.planner.plan(ecr_event(), "arn:execution:1")
    world.publisher().publish_unplanned(ecr_event(), "arn:execution:1", LANGFUSE_DOWN)
    assert [row.status for row in world.gates.rows.values()] == ["ended"]


@pytest.mark.parametrize("event", [ecr_event(), ecr_event() | {"detail": {}}, {"detail-type": "GateRequested"}])
def test_telling_an_unplanned_gate_again_changes_nothing(event: dict[str, Any]) -> None:
    world = World()
    for _ in range(2):
        world.publisher().publish_unplanned(event, "arn:execution:1", LANGFUSE_DOWN)
        world.clock.advance(90)
    assert len(world.gates.rows) == 1
    assert world.bus.types == ["GateInconclusive"]
    assert len(world.notifier.letters) == 1


def test_a_second_delivery_that_cannot_be_planned_leaves_the_gate_to_the_first() -> None:
    world = World()
    gate = world.plan()
    world.publisher().publish_unplanned(ecr_event(), "arn:execution:2", LANGFUSE_DOWN)
    assert world.gates.rows[gate].status == "running"
    assert world.bus.types == []


def test_an_event_that_cannot_be_read_shows_as_a_gate_all_the_same() -> None:
    world = World()
    event = ecr_event() | {"detail": {"action-type": "PUSH"}}
    failure = Failure(error="InvalidRequestError", cause=cause("not a valid ECR Image Action event"))
    world.publisher().publish_unplanned(event, "arn:execution:1", failure)
    (row,) = world.gates.rows.values()
    assert (row.trigger, row.reasons) == ("unreadable", ("InvalidRequestError",))
    assert row.requested_at.startswith("2026-11-23T11:59:00")


def test_an_event_that_is_not_ours_leaves_no_gate() -> None:
    world = World()
    event = ecr_event()
    event["detail"]["repository-name"] = "another"
    world.publisher().publish_unplanned(event, "arn:execution:1", LANGFUSE_DOWN)
    assert (world.gates.rows, world.bus.types) == ({}, [])


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"event": {}},
        {"event": {}, "execution_arn": "arn:1"},
        {"gate_id": "g", "event": {}, "execution_arn": "arn:1", "failure": {"error": "X"}},
    ],
)
def test_a_message_that_names_no_gate_or_two_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PublishRequest.model_validate(message)


# --- notes ----------------------------------------------------------------------------------------------------------


def test_what_is_only_for_the_record_is_never_told_as_a_reason() -> None:
    world = World()
    gate = world.passed()
    world.promote(gate)
    verdict = Verdict("PASS", (Reason("cost_unknown", "no price"), Reason("must_pass_muted", "item p-1 is muted")))
    world.objects.objects[verdict_key(gate)] = json.dumps(verdict_to_dict(verdict)).encode()
    world.publisher(make_render(None, [], "production")).publish(gate, None)
    detail = world.bus.events[-1][1]
    assert (detail["reasons"], detail["notes"]) == ([], ["cost_unknown", "must_pass_muted"])
    assert "Reasons: none\nNotes: cost_unknown, must_pass_muted" in world.notifier.letters[0][1]
    report = json.loads(world.objects.objects[f"gates/{gate}/report.json"])
    assert report["headline"] == "Every requirement of the policy is met."
    assert report["reasons"] == []
    assert [note["code"] for note in report["notes"]] == ["cost_unknown", "must_pass_muted"]
    page = world.objects.objects[f"gates/{gate}/report.html"].decode()
    assert page.count("For the record:") == 2


def test_a_failed_gate_has_its_reason_in_front_of_every_note() -> None:
    verdict = Verdict("FAIL", (Reason("cost_unknown", "no price"), Reason("minimum", "too low")))
    assert headline(verdict) == "too low"
    assert "failed items" in next_step(verdict, promoted=False)
