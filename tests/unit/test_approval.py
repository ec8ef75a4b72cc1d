"""One decision, whoever and however often; refused before it is written when it could not be carried out."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from flywheel.domain.releases import GateRequest
from flywheel.errors import ConflictError, NotFoundError, PromotionRefusedError, TransientError
from tests.fakes.clock import NOON
from tests.fakes.world import World, ecr_event

ADA = {"by": "arn:aws:iam::0:user/ada", "name": "ada@desk", "reason": "I read them"}
BOB = {"by": "arn:aws:iam::0:user/bob", "name": "bob@desk", "reason": "too slow"}


def test_a_decision_is_recorded_and_wakes_the_machine() -> None:
    world = World()
    gate = world.held()
    done = world.approver.decide(gate, "approved", **ADA)
    assert (done.own, done.woken, done.settlement.by) == (True, True, ADA["by"])
    assert world.callbacks.woken == [f"token-of-{gate}"]


def test_the_same_decision_again_changes_nothing_and_another_one_is_told_who_was_first() -> None:
    world = World()
    gate = world.held()
    first = world.approver.decide(gate, "approved", **ADA).settlement
    world.clock.advance(5)
    again = world.approver.decide(gate, "approved", **BOB)
    assert (again.own, again.woken, again.settlement) == (False, False, first)
    other = world.approver.decide(gate, "rejected", **BOB)
    assert (other.own, other.settlement) == (False, first)
    assert len(world.callbacks.woken) == 1


def test_a_sender_that_died_between_record_and_waking_is_made_up_for_by_the_next_call() -> None:
    world = World()
    gate = world.held()
    world.callbacks.failures = 1
    with pytest.raises(TransientError):
        world.approver.decide(gate, "approved", **ADA)
    assert world.gates.rows[gate].approval is not None
    again = world.approver.decide(gate, "approved", **ADA)
    assert again.woken
    assert world.callbacks.woken == [f"token-of-{gate}"]


def test_of_two_people_at_once_one_decides() -> None:
    world = World()
    gate = world.held()
    calls: list[tuple[Any, dict[str, str]]] = [("approved", ADA), ("rejected", BOB)] * 3
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda call: world.approver.decide(gate, call[0], **call[1]), calls))
    assert len({one.settlement.kind for one in done}) == 1
    assert len(world.callbacks.woken) == 1


def test_a_superseded_gate_cannot_be_approved_but_rejected() -> None:
    world = World()
    gate = world.held()
    world.releases.note_request(GateRequest("g-20261123t130000-00000000", NOON.replace(hour=13), "newer"))
    look = world.approver.look(gate)
    with pytest.raises(PromotionRefusedError, match="superseded: gate g-20261123t130000-00000000"):
        world.approver.check(look, "approved")
    world.approver.check(look, "rejected")
    # Even if it was approved a moment before: the promotion looks again.
    world.approver.decide(gate, "approved", **ADA)
    with pytest.raises(PromotionRefusedError, match="superseded"):
        world.promote(gate)


def test_a_gate_that_was_held_while_production_changed_cannot_be_approved() -> None:
    world = World()
    gate = world.held()
    world.in_production()
    with pytest.raises(PromotionRefusedError, match="production is at release 1 now"):
        world.approver.check(world.approver.look(gate), "approved")
    world.approver.decide(gate, "approved", **ADA)
    with pytest.raises(PromotionRefusedError, match="incumbent_changed"):
        world.promote(gate)


def test_an_approval_is_of_its_own_gate_only() -> None:
    world = World()
    approved = world.held()
    world.approver.decide(approved, "approved", **ADA)
    other = world.held(ecr_event("other", time="2026-11-23T11:59:30Z"), "arn:execution:2")
    with pytest.raises(PromotionRefusedError, match="no_pass"):
        world.promote(other)


def test_after_its_time_a_gate_is_nobodys_to_decide() -> None:
    world = World()
    gate = world.held()
    world.clock.advance(3600)
    with pytest.raises(ConflictError, match="until 2026-11-23 13:00 UTC, its time is over"):
        world.approver.check(world.approver.look(gate), "rejected")
    with pytest.raises(ConflictError):
        world.approver.decide(gate, "approved", **ADA)
    assert world.callbacks.woken == []


def test_a_gate_that_was_never_held_is_told_apart_from_one_that_is_not_there() -> None:
    world = World()
    with pytest.raises(NotFoundError):
        world.approver.look("g-20260101t000000-00000000")
    gate = world.undecided()
    with pytest.raises(ConflictError, match="still at work"):
        world.approver.look(gate)
    world.publisher().publish(gate, None)
    with pytest.raises(ConflictError, match="has ended with INCONCLUSIVE"):
        world.approver.look(gate)


def test_a_gate_that_was_stopped_while_it_was_held_says_so() -> None:
    world = World()
    gate = world.held()
    world.gates.end(
        gate, verdict="INCONCLUSIVE", reasons=["execution_aborted"], promoted=False, ended=NOON, report_key=None
    )
    with pytest.raises(ConflictError, match=r"was ended \(execution_aborted\)"):
        world.approver.check(world.approver.look(gate), "approved")
