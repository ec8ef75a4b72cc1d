"""PASS -> production, step by step; whoever is refused leaves production as it was."""

from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from flywheel.domain.image_manifest import Finding
from flywheel.domain.releases import GateRequest
from flywheel.errors import NotFoundError, PromotionRefusedError, TransientError
from flywheel.events import ExecutionEnded
from flywheel.ports import AgentReply, InvocationFailure, Runtime, RuntimeSpec
from flywheel.rollback import plan_rollback
from tests.fakes.clock import NOON
from tests.fakes.runtimes import answered
from tests.fakes.world import DIGEST, OTHER_DIGEST, World, ecr_event

THIRD_DIGEST = "sha256:" + "c" * 64


def production(world: World) -> str | None:
    """Digest behind the endpoint that callers use."""
    runtime = world.runtimes.find("flywheel_agent_dev")
    if runtime is None:
        return None
    endpoint = world.runtimes.endpoint(runtime.runtime_id, "production")
    if endpoint is None or endpoint.live_version is None:
        return None
    return world.runtimes.stored[runtime.runtime_id].specs[endpoint.live_version].image_uri.partition("@")[2]


def refused(world: World, gate: str) -> str | None:
    with pytest.raises(PromotionRefusedError):
        world.promote(gate)
    promotion = world.gates.rows[gate].promotion
    assert promotion is not None
    assert promotion.step == "refused"
    assert world.releases.head().promoting in (None, "other")
    return promotion.reason


def test_the_first_promotion_creates_production_on_the_digest_that_was_tested() -> None:
    world = World()
    gate = world.passed()
    world.images.tags["v1"] = OTHER_DIGEST  # the tag moved meanwhile
    world.images.untagged.add(DIGEST)
    assert world.promote(gate) is True
    assert production(world) == DIGEST
    release = world.releases.head().release
    assert release is not None
    assert (release.release_no, release.gate_id, release.candidate.image_digest) == (1, gate, DIGEST)
    assert world.bus.types == ["AgentPromoted"]
    assert world.releases.head().promoting is None


def test_a_later_promotion_makes_a_new_version_and_ends_the_release_before() -> None:
    world = World()
    before = world.in_production()
    gate = world.passed()
    assert world.promote(gate) is True
    assert production(world) == DIGEST
    release = world.releases.head().release
    assert release is not None
    assert (release.release_no, release.runtime_version) == (2, "2")
    ended = world.releases.release(before.release_no)
    assert ended is not None
    assert (ended.until, ended.ended_because) == (release.since, "replaced")


def test_production_gets_its_own_role_and_may_not_be_overridden() -> None:
    world = World()
    world.in_production()
    world.promote(world.passed())
    runtime = world.runtimes.find("flywheel_agent_dev")
    assert runtime is not None
    stored = world.runtimes.stored[runtime.runtime_id]
    assert stored.specs["2"].role_arn.endswith("/production")
    assert stored.specs["2"].environment["ALLOW_OVERRIDES"] == "false"
    assert stored.tags["flywheel:lifetime"] == "production"
    assert stored.specs["2"].idle_timeout_s is None


def test_the_version_is_asked_one_question_before_anybody_else_is_sent_to_it() -> None:
    world = World()
    world.in_production()
    seen: list[str | None] = []

    def answer(_: object) -> AgentReply:
        seen.append(production(world))
        return answered("Yes.")

    world.agents.answer = answer
    world.promote(world.passed())
    assert seen == [OTHER_DIGEST]
    assert [qualifier for _, qualifier, _ in world.agents.asked] == ["candidate"]
    assert len(world.agents.stopped) == 1


@pytest.mark.parametrize(
    "reply",
    [
        InvocationFailure("RuntimeClientError", "it crashed", 424),
        InvocationFailure("timeout", "no answer"),
        answered("   "),
        AgentReply(b"<html>", 200, "text/html", 3),
        AgentReply(b"[]", 200, "application/json", 3),
        AgentReply(b'{"answer": null}', 200, "application/json", 3),
    ],
)
def test_a_version_that_fails_its_smoke_test_is_not_promoted(reply: AgentReply | InvocationFailure) -> None:
    world = World()
    world.in_production()
    gate = world.passed()
    world.agents.answer = lambda _: reply
    assert refused(world, gate) == "smoke_test_failed"
    assert production(world) == OTHER_DIGEST
    assert world.bus.events == []
    # Asked again, it answers the same and does nothing more.
    asked = len(world.agents.asked)
    assert refused(world, gate) == "smoke_test_failed"
    assert len(world.agents.asked) == asked


def test_each_wait_is_a_call_of_its_own() -> None:
    world = World()
    world.in_production()
    gate = world.passed()
    world.runtimes.becomes["flywheel_agent_dev"] = ("UPDATING", "")
    assert world.promoter.promote(gate).done is False
    assert world.promoter.promote(gate).done is False
    del world.runtimes.becomes["flywheel_agent_dev"]
    world.runtimes.lagging_endpoints = {"candidate", "production"}
    assert world.promoter.promote(gate).done is False
    world.runtimes.settle("candidate")
    assert world.promoter.promote(gate).done is False
    assert production(world) == OTHER_DIGEST
    world.runtimes.settle("production")
    reply = world.promoter.promote(gate)
    assert (reply.done, reply.promoted) == (True, True)
    assert len(world.agents.asked) == 1
    runtime = world.runtimes.find("flywheel_agent_dev")
    assert runtime is not None
    assert sorted(world.runtimes.stored[runtime.runtime_id].specs) == ["1", "2"]


def test_a_version_that_fails_to_update_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.in_production()
    gate = world.passed()
    update = world.runtimes.update

    def failing(*args: Any) -> Any:
        made = update(*args)
        world.runtimes.becomes["flywheel_agent_dev"] = ("UPDATE_FAILED", "no such image")
        return made

    monkeypatch.setattr(world.runtimes, "update", failing)
    assert refused(world, gate) == "update_failed"


def test_a_first_runtime_that_fails_to_come_up_is_refused_with_its_repair_and_never_updated() -> None:
    world = World()
    world.images.tags["third"] = THIRD_DIGEST
    world.runtimes.becomes["flywheel_agent_dev"] = ("CREATE_FAILED", "the role cannot be assumed")
    first = world.passed()
    assert refused(world, first) == "runtime_broken"
    runtime = world.runtimes.find("flywheel_agent_dev")
    assert runtime is not None

    second = world.passed(ecr_event("second", digest=THIRD_DIGEST, time="2026-11-23T11:59:30Z"), "arn:2")
    assert refused(world, second) == "runtime_broken"
    row = world.gates.rows[second]
    assert row.promotion is not None
    said = row.promotion.message or ""
    assert "the role cannot be assumed" in said
    assert f"delete-agent-runtime --agent-runtime-id {runtime.runtime_id}`" in said
    assert list(world.runtimes.stored[runtime.runtime_id].specs) == ["1"]
    assert world.releases.head().release is None

    # As the message says: deleted by hand, made anew by the next promotion.
    world.runtimes.delete(runtime.runtime_id)
    del world.runtimes.becomes["flywheel_agent_dev"]
    third = world.passed(ecr_event("third", digest=THIRD_DIGEST, time="2026-11-23T11:59:40Z"), "arn:3")
    assert world.promote(third)


def test_a_promotion_that_takes_too_long_is_put_back() -> None:
    world = World()
    world.in_production()
    gate = world.passed()
    world.runtimes.lagging_endpoints = {"production"}
    assert world.promoter.promote(gate).done is False
    world.clock.advance(301)
    world.runtimes.lagging_endpoints.clear()
    assert refused(world, gate) == "promotion_timeout"
    assert production(world) == OTHER_DIGEST


def said_again(world: World, spec: RuntimeSpec) -> Runtime:
    """What AgentCore makes of a repeated client token: the first answer, if everything else is the same."""
    (made,) = (stored for stored in world.runtimes.stored.values() if stored.runtime.name == spec.name)
    assert made.specs["1"] == spec
    return made.runtime


def test_a_promotion_that_never_gets_its_turn_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.in_production()
    gate = world.passed()
    find = world.runtimes.find

    def busy(name: str) -> Runtime | None:
        found = find(name)
        return None if found is None else replace(found, status="UPDATING")

    monkeypatch.setattr(world.runtimes, "find", busy)
    for _ in range(3):
        assert world.promoter.promote(gate).done is False
        world.clock.advance(101)
    assert refused(world, gate) == "promotion_timeout"


def test_a_promotion_that_was_killed_before_it_noted_the_first_version_says_the_same_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    gate = world.passed()
    create = world.runtimes.create

    def killed(spec: RuntimeSpec) -> Runtime:
        create(spec)
        raise TransientError("the answer was lost")

    with monkeypatch.context() as lost:
        lost.setattr(world.runtimes, "create", killed)
        with pytest.raises(TransientError):
            world.promoter.promote(gate)
    world.clock.advance(5)
    with monkeypatch.context() as unlisted:  # created a moment ago: not in the list yet
        unlisted.setattr(world.runtimes, "find", lambda _name: None)
        unlisted.setattr(world.runtimes, "create", lambda spec: said_again(world, spec))
        assert world.promoter.promote(gate).done is True
    assert production(world) == DIGEST


def test_two_gates_that_race_have_exactly_one_winner() -> None:
    world = World()
    world.in_production()
    one = world.passed(ecr_event("one", time="2026-11-23T11:58:00Z"), "arn:1")
    # Two gates that were planned against the same incumbent and did not see each other.
    world.releases.request = None
    world.images.untagged.add(THIRD_DIGEST)
    two = world.passed(ecr_event("two", digest=THIRD_DIGEST, time="2026-11-23T11:58:00Z"), "arn:2")
    world.releases.request = None
    world.runtimes.lagging_endpoints = {"production"}
    assert world.promoter.promote(one).done is False
    world.runtimes.lagging_endpoints.clear()
    with pytest.raises(PromotionRefusedError, match="incumbent_changed"):
        world.promote(two)
    world.runtimes.settle("production")
    assert world.promote(one) is True
    assert production(world) == DIGEST
    assert [e for e in world.bus.types if e == "AgentPromoted"] == ["AgentPromoted"]
    assert sorted(world.releases.history) == [1, 2]


def test_a_gate_that_was_planned_against_another_incumbent_may_not_promote() -> None:
    world = World()
    world.in_production()
    gate = world.passed(ecr_event("one", time="2026-11-23T11:58:00Z"), "arn:1")
    world.images.untagged.add(THIRD_DIGEST)
    other = world.passed(ecr_event("two", digest=THIRD_DIGEST, time="2026-11-23T11:59:00Z"), "arn:2")
    assert world.promote(other) is True
    world.releases.request = None
    assert refused(world, gate) == "incumbent_changed"
    assert production(world) == THIRD_DIGEST


def test_a_superseded_gate_may_not_promote_not_even_after_its_smoke_test() -> None:
    world = World()
    world.in_production()
    gate = world.passed()
    newer = GateRequest("g-20261123t130000-00000000", NOON + timedelta(hours=1), "newer")
    world.agents.answer = lambda _: (world.releases.note_request(newer), answered("Yes."))[1]
    assert refused(world, gate) == "superseded"
    assert production(world) == OTHER_DIGEST
    # And one that was superseded before it began does not even make a version.
    other = World()
    other.in_production()
    late = other.passed()
    other.releases.note_request(newer)
    assert refused(other, late) == "superseded"
    assert other.agents.asked == []


def test_what_is_live_already_is_recorded_without_moving_anything() -> None:
    world = World()
    world.in_production(DIGEST)
    gate = world.passed()
    assert world.promote(gate) is True
    assert world.agents.asked == []
    assert sorted(world.releases.history) == [1]
    assert world.bus.events == []
    promotion = world.gates.rows[gate].promotion
    assert promotion is not None
    assert promotion.step == "committed"
    assert world.releases.head().promoting is None


def test_only_a_pass_promotes() -> None:
    world = World()
    gate = world.plan()
    assert refused(world, gate) == "no_pass"
    assert production(world) is None


def test_a_lost_answer_announces_no_promotion_twice() -> None:
    world = World()
    gate = world.passed()
    world.bus.failures = 1
    with pytest.raises(TransientError):
        world.promote(gate)
    assert production(world) == DIGEST
    assert world.promote(gate) is True
    assert world.promote(gate) is True
    assert world.bus.types == ["AgentPromoted"]
    assert sorted(world.releases.history) == [1]


def test_a_dead_promotion_gives_way_after_its_lease() -> None:
    world = World()
    world.in_production()
    gate = world.passed()
    now = world.clock.now()
    world.releases.acquire("g-dead", 1, now=now, until=now + timedelta(minutes=10))
    dead = world.gates.rows[gate]
    with pytest.raises(PromotionRefusedError, match="g-dead holds"):
        world.promote(gate)
    world.gates.rows[gate] = dead
    world.clock.advance(601)
    assert world.promote(gate) is True


def test_a_gate_that_does_not_exist_is_named() -> None:
    with pytest.raises(NotFoundError):
        World().promoter.promote("g-20260101t000000-00000000")


def test_a_stopped_promotion_is_put_back_by_the_status_event() -> None:
    world = World()
    world.in_production()
    gate = world.passed(execution="arn:execution:1")
    world.runtimes.lagging_endpoints = {"production"}
    assert world.promoter.promote(gate).done is False
    world.runtimes.settle("production")
    assert production(world) == DIGEST
    change = ExecutionEnded.model_validate({"executionArn": "arn:execution:1", "status": "ABORTED"})
    world.retirer.execution_ended(change)
    assert production(world) == OTHER_DIGEST
    assert world.releases.head().promoting is None
    # The call that was still running when the execution was stopped changes nothing any more.
    with pytest.raises(PromotionRefusedError, match="gate_ended"):
        world.promoter.promote(gate)
    assert production(world) == OTHER_DIGEST


def test_a_gate_that_ends_while_it_takes_the_right_to_promote_gives_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.in_production()
    gate = world.passed(execution="arn:execution:1")
    change = ExecutionEnded.model_validate({"executionArn": "arn:execution:1", "status": "ABORTED"})
    acquire = world.releases.acquire

    def ended_just_before(*args: Any, **options: Any) -> None:
        world.retirer.execution_ended(change)
        acquire(*args, **options)

    monkeypatch.setattr(world.releases, "acquire", ended_just_before)
    with pytest.raises(PromotionRefusedError, match="gate_ended"):
        world.promoter.promote(gate)
    assert production(world) == OTHER_DIGEST
    assert world.releases.head().promoting is None


# --- rollback -------------------------------------------------------------------------------------------------------


def test_a_rollback_moves_production_to_the_release_before_and_says_so() -> None:
    world = World()
    world.in_production()
    world.promote(world.passed())
    plan = plan_rollback(world.releases)
    assert (plan.current.release_no, plan.target.release_no) == (2, 1)
    release = world.rollback().roll_back(plan, by="me", reason="answers are too long").release
    assert production(world) == OTHER_DIGEST
    assert (release.release_no, release.candidate.image_digest) == (3, OTHER_DIGEST)
    ended = world.releases.release(2)
    assert ended is not None
    assert ended.ended_because == "rolled_back"
    assert world.bus.types == ["AgentPromoted", "AgentRolledBack"]


def test_a_second_rollback_does_not_go_forward_again() -> None:
    world = World()
    world.in_production()
    world.promote(world.passed())
    world.rollback().roll_back(plan_rollback(world.releases), by="me", reason="r")
    with pytest.raises(NotFoundError, match="no earlier release"):
        plan_rollback(world.releases)


def test_without_a_release_there_is_nothing_to_roll_back() -> None:
    with pytest.raises(NotFoundError, match="nothing is in production"):
        plan_rollback(World().releases)


def test_a_rollback_waits_for_nobody_who_is_promoting() -> None:
    world = World()
    world.in_production()
    world.promote(world.passed())
    plan = plan_rollback(world.releases)
    now = world.clock.now()
    world.releases.acquire("other", 2, now=now, until=now + timedelta(minutes=5))
    with pytest.raises(PromotionRefusedError, match="other holds"):
        world.rollback().roll_back(plan, by="me", reason="r")
    assert production(world) == DIGEST


def test_a_rollback_that_does_not_arrive_is_undone() -> None:
    world = World()
    world.in_production()
    world.promote(world.passed())
    world.runtimes.lagging_endpoints = {"production"}
    ticks = count(0, 50)
    undo = world.rollback(monotonic=lambda: float(next(ticks)))
    with pytest.raises(PromotionRefusedError, match=r"did not serve version 1.*may not be back"):
        undo.roll_back(plan_rollback(world.releases), by="me", reason="r")
    world.runtimes.settle("production")
    assert production(world) == DIGEST
    assert world.releases.head().promoting is None
    assert sorted(world.releases.history) == [1, 2]


def test_an_image_that_was_deleted_during_the_gate_is_found_before_production_is_touched() -> None:
    world = World()
    world.in_production()
    gate = world.passed()
    del world.images.tags["v1"]
    before = production(world)
    assert refused(world, gate) == "image_deleted"
    assert production(world) == before
    runtime = world.runtimes.find("flywheel_agent_dev")
    assert runtime is not None
    assert list(world.runtimes.stored[runtime.runtime_id].specs) == ["1"]


def test_an_image_whose_part_for_our_platform_was_deleted_is_refused_too() -> None:
    world = World()
    gate = world.passed()
    world.images.findings[DIGEST] = Finding("unreadable", "is an index, and the image in it is not in the repository")
    assert refused(world, gate) == "image_deleted"
    assert world.runtimes.find("flywheel_agent_dev") is None


def moved_by_hand(world: World) -> str:
    """Somebody makes a version of the production runtime and points the endpoint at it."""
    runtime = world.runtimes.find("flywheel_agent_dev")
    assert runtime is not None
    stored = world.runtimes.stored[runtime.runtime_id]
    made = world.runtimes.update(runtime.runtime_id, replace(stored.specs["1"], token="by-hand-" + "x" * 40))
    world.runtimes.move_endpoint(runtime.runtime_id, "production", made.version, "t" * 40)
    return made.version


def test_an_endpoint_that_somebody_moved_by_hand_is_left_and_the_refusal_says_what_to_do() -> None:
    world = World()
    world.in_production()
    gate = world.passed()
    version = moved_by_hand(world)
    assert refused(world, gate) == "endpoint_moved"
    row = world.gates.rows[gate]
    assert row.promotion is not None
    assert "CloudTrail" in (row.promotion.message or "")
    assert "--agent-runtime-version 1" in (row.promotion.message or "")
    runtime = world.runtimes.find("flywheel_agent_dev")
    assert runtime is not None
    endpoint = world.runtimes.endpoint(runtime.runtime_id, "production")
    assert endpoint is not None
    assert endpoint.live_version == version


def test_an_endpoint_that_is_moved_by_hand_just_before_the_move_is_left_too() -> None:
    world = World()
    world.in_production()
    gate = world.passed()
    world.runtimes.lagging_endpoints.add("candidate")
    for _ in range(3):
        world.promoter.promote(gate)
    version = moved_by_hand(world)
    world.runtimes.settle("candidate")
    assert refused(world, gate) == "endpoint_moved"
    runtime = world.runtimes.find("flywheel_agent_dev")
    assert runtime is not None
    endpoint = world.runtimes.endpoint(runtime.runtime_id, "production")
    assert endpoint is not None
    assert endpoint.live_version == version


def test_an_endpoint_that_was_deleted_by_hand_is_not_made_again_silently() -> None:
    world = World()
    world.in_production()
    gate = world.passed()
    runtime = world.runtimes.find("flywheel_agent_dev")
    assert runtime is not None
    del world.runtimes.stored[runtime.runtime_id].endpoints["production"]
    assert refused(world, gate) == "endpoint_moved"


def test_in_a_storm_of_pushes_the_older_ones_cost_nothing_and_the_newest_gets_its_verdict() -> None:
    world = World()
    world.images.tags |= {f"s{n}": "sha256:" + f"{n:064x}" for n in range(80)}
    events = [
        ecr_event(f"e-{n}", "sha256:" + f"{n:064x}", f"s{n}", f"2026-11-23T11:{n % 60:02d}:{n // 60:02d}Z")
        for n in range(80)
    ]
    newest = max(events, key=lambda event: event["time"])
    gate = world.plan(newest, "arn:execution:newest")
    reads = len(world.objects.objects)
    for number, event in enumerate(events):
        if event is not newest:
            reply, why = world.planner.plan(event, f"arn:execution:{number}")
            assert reply.action == "refused"
            assert "was asked for later" in why
    # Of each that gave way there is its verdict, and no plan: dataset, prompt and image were not even read.
    assert len(world.objects.objects) == reads + 79
    world.deploy(gate)
    asked = world.decider.decide(gate, 0)
    world.evaluate(asked)
    assert world.decider.decide(gate, asked.wave).action == "promote"
    assert world.promote(gate) is True
    assert len([s for s in world.runtimes.stored.values() if s.runtime.name.startswith("fw_")]) == 1
