"""A gate left to a person: on record, told once, settled once; its token is nowhere to be seen."""

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from flywheel.errors import ConflictError, NotFoundError, TransientError
from flywheel.events import ExecutionEnded, HoldRequest
from flywheel.ports import Settlement
from functions.hold_gate import app
from tests.fakes.clock import NOON
from tests.fakes.world import DIGEST, World
from tests.unit.functions.test_handlers import Context

ADA = {"by": "arn:aws:iam::0:user/ada", "name": "ada@desk", "reason": "I read all forty answers"}
UNKNOWN = "g-20260101t000000-00000000"


def everything(world: World) -> str:
    """All that anybody can read of a gate, but for its record's token."""
    rows = [repr(row) for row in world.gates.rows.values()]
    return json.dumps(
        [world.bus.events, world.notifier.letters, [b.decode() for b in world.objects.objects.values()], rows]
    )


def settled(world: World, kind: str = "approved") -> str:
    """A gate that a person settled; its id."""
    gate = world.held()
    world.approver.decide(gate, kind, **ADA)  # type: ignore[arg-type]
    return gate


def test_an_undecided_gate_is_held_as_long_as_its_policy_says() -> None:
    world = World()
    gate = world.undecided()
    reply = world.decider.decide(gate, 0)
    assert (reply.action, reply.hold_s, reply.shards) == ("hold", 3600, ())
    assert world.decider.decide(gate, 0) == reply


def test_an_undecided_gate_that_would_not_promote_or_is_to_reject_ends() -> None:
    world = World()
    gate = world.undecided()
    plan = json.loads(world.objects.objects[f"gates/{gate}/plan.json"])
    for change in ({"promote": False}, {"policy": plan["policy"] | {"on_inconclusive": "reject"}}):
        world.objects.objects[f"gates/{gate}/plan.json"] = json.dumps(plan | change).encode()
        world.objects.objects.pop(f"gates/{gate}/gate/0.decision.json", None)
        reply = world.decider.decide(gate, 0)
        assert (reply.action, reply.hold_s) == ("end", 0)


def test_a_hold_is_on_record_and_told_once_with_what_is_missing_until_when_and_the_two_commands() -> None:
    world = World()
    gate = world.held()
    world.holder.hold(gate, "token-2", since=NOON, hold_s=3600)
    row = world.gates.rows[gate]
    assert row.hold is not None
    assert (row.held, row.hold.until) == (True, NOON + timedelta(hours=1))
    assert world.bus.types == ["GateHeld"]
    detail = world.bus.events[0][1]
    assert (detail["reasons"], detail["missing"]) == (["undecided"], ["mean: 40 more pairs"])
    assert (detail["until"], detail["image_digest"]) == ("2026-11-23T13:00:00+00:00", DIGEST)
    ((subject, text),) = world.notifier.letters
    assert subject == "[dev] HELD: v1"
    for said in ("until 2026-11-23 13:00 UTC", "40 more pairs", f"gate approve {gate}", f"gate reject {gate}"):
        assert said in text


def test_a_hold_that_could_not_be_told_is_told_by_the_next_attempt() -> None:
    world = World()
    gate = world.undecided()
    world.bus.failures = 1
    with pytest.raises(TransientError):
        world.holder.hold(gate, "token-1", since=NOON, hold_s=3600)
    world.holder.hold(gate, "token-2", since=NOON, hold_s=3600)
    assert world.bus.types == ["GateHeld"]
    assert world.gates.task_token(gate) == "token-2"


def test_a_retry_after_somebody_decided_announces_nothing_and_keeps_the_decision() -> None:
    world = World()
    gate = settled(world)
    before = list(world.bus.events)
    world.holder.hold(gate, "token-2", since=NOON, hold_s=3600)
    assert world.bus.events == before
    row = world.gates.rows[gate]
    assert row.approval is not None
    # And the same person, calling again, wakes the machine that now waits under the new token.
    again = world.approver.decide(gate, "approved", **ADA)
    assert (again.woken, world.callbacks.woken[-1]) == (True, "token-2")


@pytest.mark.parametrize("kind", ["approved", "rejected"])
def test_a_decision_is_evidence_and_told_once_with_who_and_why(kind: str) -> None:
    world = World()
    gate = settled(world, kind)
    assert world.holder.settle(gate, timed_out=False).settlement == kind
    assert world.holder.settle(gate, timed_out=True).settlement == kind
    kept = json.loads(world.objects.objects[f"gates/{gate}/approval.json"])
    assert {name: kept[name] for name in ADA} == ADA
    assert (kept["settlement"], kept["gate_id"], kept["at"]) == (kind, gate, "2026-11-23T12:00:00+00:00")
    assert world.bus.types == ["GateHeld", {"approved": "GateApproved", "rejected": "GateRejected"}[kind]]
    assert {name: world.bus.events[1][1][name] for name in ADA} == ADA


def test_a_hold_that_nobody_settled_times_out_and_then_nobody_can() -> None:
    world = World()
    gate = world.held()
    world.clock.advance(3601)
    assert world.holder.settle(gate, timed_out=True).settlement == "timed_out"
    assert json.loads(world.objects.objects[f"gates/{gate}/approval.json"])["settlement"] == "timed_out"
    assert world.bus.types == ["GateHeld"]
    assert world.gates.settle(gate, Settlement("approved", NOON, **ADA)).kind == "timed_out"


def test_a_token_alone_goes_on_with_nothing() -> None:
    world = World()
    gate = world.held()
    with pytest.raises(ConflictError, match="without a decision on record"):
        world.holder.settle(gate, timed_out=False)
    assert world.gates.rows[gate].held
    assert f"gates/{gate}/approval.json" not in world.objects.objects


def test_an_approval_in_time_counts_even_when_its_sender_died_before_waking_the_machine() -> None:
    world = World()
    world.in_production()
    gate = world.held()
    world.callbacks.failures = 1
    with pytest.raises(TransientError):
        world.approver.decide(gate, "approved", **ADA)
    world.clock.advance(3601)
    assert world.holder.settle(gate, timed_out=True).settlement == "approved"
    assert world.promote(gate) is True


def test_a_gate_that_was_stopped_while_it_was_held_can_be_held_and_settled_no_more() -> None:
    world = World()
    gate = world.held()
    stopped = ExecutionEnded.model_validate({"executionArn": "arn:execution:1", "status": "ABORTED"})
    world.retirer.execution_ended(stopped)
    assert world.gates.rows[gate].reasons == ("execution_aborted",)
    with pytest.raises(ConflictError):
        world.approver.decide(gate, "approved", **ADA)
    with pytest.raises(ConflictError):
        world.holder.hold(gate, "token-2", since=NOON, hold_s=3600)
    assert world.callbacks.woken == []


def test_a_gate_without_a_verdict_or_that_is_unknown_is_not_held() -> None:
    world = World()
    world.settings.texts["policy"] = '{"minimum_items": 4, "max_trials": 2}'
    with pytest.raises(NotFoundError, match="no verdict"):
        world.holder.hold(world.plan(), "token", since=NOON, hold_s=60)
    with pytest.raises(NotFoundError):
        world.holder.settle(UNKNOWN, timed_out=True)


# --- the token ------------------------------------------------------------------------------------------------------


def test_the_token_is_in_the_record_and_nowhere_else(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    world = World()
    once = type("Once", (), {"register": lambda _self, _context: None})()
    monkeypatch.setattr(app, "parts", lambda: (world.holder, once))
    app.logger.setLevel(logging.DEBUG)
    gate = world.undecided()
    context: Any = Context()
    event = {"gate_id": gate, "task_token": "hush-hush", "since": "2026-11-23T12:00:00.000Z", "hold_s": 3600}
    assert app.lambda_handler(event, context) == {}
    assert world.gates.task_token(gate) == "hush-hush"
    world.approver.decide(gate, "approved", **ADA)
    assert app.lambda_handler({"gate_id": gate, "timed_out": False}, context) == {"settlement": "approved"}
    world.publisher().publish(gate, None)
    assert "hush-hush" not in everything(world) + "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "wrong", [{"hold_s": 0}, {"gate_id": ""}, {"since": "yesterday"}, {"task_token": ["hush-hush"]}]
)
def test_a_message_that_is_refused_does_not_tell_its_token(wrong: dict[str, Any]) -> None:
    good = {"gate_id": "g", "task_token": "hush-hush", "since": "2026-11-23T12:00:00Z", "hold_s": 60}
    with pytest.raises(ValidationError) as refused:
        HoldRequest.model_validate(good | wrong)
    assert "hush-hush" not in str(refused.value) + repr(HoldRequest.model_validate(good))


# --- what follows ---------------------------------------------------------------------------------------------------


def test_an_approved_gate_is_promoted_published_and_told_with_who_approved_it() -> None:
    world = World()
    world.in_production()
    gate = settled(world)
    world.holder.settle(gate, timed_out=False)
    assert world.promote(gate) is True
    reply = world.publisher().publish(gate, None)
    assert (reply.verdict, reply.promoted) == ("INCONCLUSIVE", True)
    row = world.gates.rows[gate]
    assert (row.against, row.notes) == (("undecided",), ("approved",))
    told = dict(world.bus.events)
    assert told["AgentPromoted"]["approved_by"] == ADA["by"]
    assert (told["GateInconclusive"]["notes"], told["GateInconclusive"]["promoted"]) == (["approved"], True)
    letter = world.notifier.letters[-1][1]
    assert "approved by ada@desk (arn:aws:iam::0:user/ada)" in letter
    assert ADA["reason"] in letter


def test_a_gate_that_passed_names_nobody_who_approved_it() -> None:
    world = World()
    gate = world.undecided()
    world.objects.objects[f"gates/{gate}/verdict.json"] = b'{"kind": "PASS", "reasons": [], "estimates": null}'
    assert world.promote(gate) is True
    assert world.bus.events[0][1]["approved_by"] is None


@pytest.mark.parametrize(("kind", "note"), [("rejected", "rejected_by_person"), ("timed_out", "hold_timed_out")])
def test_a_gate_that_was_not_approved_is_not_promoted_and_says_how_that_came(kind: str, note: str) -> None:
    world = World()
    world.in_production()
    gate = world.held() if kind == "timed_out" else settled(world, kind)
    world.clock.advance(3601)
    world.holder.settle(gate, timed_out=kind == "timed_out")
    reply = world.publisher().publish(gate, None)
    assert (reply.verdict, reply.promoted) == ("INCONCLUSIVE", False)
    row = world.gates.rows[gate]
    assert (row.against, row.notes) == (("undecided",), (note,))


def test_a_gate_whose_clean_up_failed_before_its_hold_says_nothing_of_a_person() -> None:
    world = World()
    gate = world.undecided()
    world.publisher().publish(gate, None)
    assert world.gates.rows[gate].notes == ()
