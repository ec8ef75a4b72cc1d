"""Plan, parts and report in S3: redelivered, killed, late, out of order; nothing is sent or counted twice."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from flywheel.domain.candidate import Candidate
from flywheel.domain.traffic_results import load_part
from flywheel.errors import InvalidRequestError, NotFoundError, TransientError
from flywheel.ports import AgentReply, Head, InvocationFailure, ObjectStore, Release
from flywheel.traffic import identity
from flywheel.traffic.messages import PartPointer, PlanTraffic, TrafficRequest
from flywheel.traffic.plan import TrafficPlan, TrafficPlanner, read_plan
from flywheel.traffic.reporting import report_run, run_ids
from flywheel.traffic.run import Assignment, TrafficRun
from flywheel.traffic.work import Lifetime, PartWorker, assignment
from tests.fakes.clock import NOON, FixedClock
from tests.fakes.objects import InMemoryObjects
from tests.fakes.outside import InMemorySettings
from tests.fakes.runtimes import ScriptedAgents
from tests.unit.traffic.doubles import PRICES, PRODUCTION, said

SETTINGS = {"rate_per_minute": 1200, "duration_s": 1, "spacing": "even", "parts": 2, "think_s": 0, "seed": 5}
EXECUTION = "arn:aws:states:us-east-1:000000000000:execution:traffic:one"
LIVE = Lifetime(lambda: 800.0)
type Answer = Callable[[dict[str, str]], AgentReply | InvocationFailure]


class Releases:
    def __init__(self, *, empty: bool = False) -> None:
        candidate = Candidate(
            repository_uri="000000000000.dkr.ecr.us-east-1.amazonaws.com/a",
            image_digest="sha256:" + "a" * 64,
            model_id="m",
        )
        self._head = Head() if empty else Head(Release(1, candidate, "g-1", "runtime-1", "1", NOON))

    def head(self) -> Head:
        return self._head


class World:
    """`store`: where plans go; in memory, and `self.store`, unless it is given."""

    def __init__(self, *, empty: bool = False, store: ObjectStore | None = None, **settings: Any) -> None:
        self.store, self.clock = InMemoryObjects(), FixedClock()
        self.parameters = InMemorySettings(traffic=json.dumps(SETTINGS | settings))
        self.agents = ScriptedAgents(lambda _: said("A trace is a request."))
        self.planner = TrafficPlanner(
            "dev",
            production=Releases(empty=empty),
            parameters=self.parameters,
            store=store or self.store,
            clock=self.clock,
        )
        self.worker = PartWorker(self.store, self.start, self.clock, note_every_s=0.05)

    def start(self, work: Assignment, _: TrafficPlan) -> TrafficRun:
        return TrafficRun(work, invoker=self.agents, production=PRODUCTION, prices=PRICES)

    def plan(self, execution: str = EXECUTION, **event: Any) -> Any:
        return self.planner.plan(
            PlanTraffic(action="plan", event=TrafficRequest(**event), execution_arn=execution)
        ).reply


def test_a_plan_fixes_settings_seed_persons_and_production() -> None:
    world = World()
    planned = world.plan()
    plan = read_plan(world.store, planned.run_id)
    assert [(one.run_id, one.part) for one in planned.parts] == [(planned.run_id, 0), (planned.run_id, 1)]
    assert (plan.runtime_id, plan.model_id, plan.seed, plan.execution_arn) == ("runtime-1", "m", 5, EXECUTION)
    world.parameters.texts["traffic"] = "{}"
    assert read_plan(world.store, planned.run_id).checked_settings().rate_per_minute == 1200


def test_nobody_is_sent_while_there_is_no_production() -> None:
    world = World(empty=True)
    assert world.plan().action == "idle"
    assert world.store.objects == {}


def test_a_request_that_comes_twice_has_one_run() -> None:
    world = World()
    request = {"request_id": "0f0f-1234-aaaa", "scheduled_at": "2026-11-25T10:00:00Z"}
    first, second = world.plan(**request), world.plan("another-execution", **request)
    assert (first.action, second.action) == ("run", "skip")
    assert first.run_id == second.run_id
    assert world.plan(**request) == first  # the same execution, retried


def test_requests_that_do_not_name_themselves_are_told_apart_by_execution() -> None:
    world = World()
    request = {"request_id": "<aws.scheduler.execution-id>", "scheduled_at": "<aws.scheduler.scheduled-time>"}
    assert world.plan(**request).run_id != world.plan("another-execution", **request).run_id


@pytest.mark.parametrize("text", ["{", "[]", '{"parts": 99}', "[" * 50_000])
def test_invalid_settings_plan_nothing(text: str) -> None:
    world = World()
    world.parameters.texts["traffic"] = text
    with pytest.raises(InvalidRequestError):
        world.plan()


def test_a_personas_file_is_checked_and_frozen_when_the_run_is_planned() -> None:
    world = World(personas=["default", "traffic/personas/extra.json"])
    with pytest.raises(NotFoundError):
        world.plan()
    world.store.put("traffic/personas/extra.json", b'{"personas": [{}]}')
    with pytest.raises(InvalidRequestError, match=r"extra.json: line 1, personas.0: name is missing"):
        world.plan()
    world.store.put("traffic/personas/extra.json", b'{"prompts": [{"name": "a", "prompt": "Why?"}]}')
    run_id = world.plan(run_id="t-20261125t100000-0123abcd").run_id
    world.store.put("traffic/personas/extra.json", b"gone")
    work = assignment(read_plan(world.store, run_id), 0, world.store)
    assert {"ada-new-to-tracing", "load-config"} <= {one.name for one in work.cast.personas}


def test_parts_share_places_and_money() -> None:
    world = World(concurrency=7, max_usd=3, parts=3)
    plan = read_plan(world.store, world.plan().run_id)
    works = [assignment(plan, part, world.store) for part in range(3)]
    assert ([w.concurrency for w in works], [w.max_usd for w in works]) == ([3, 2, 2], [1, 1, 1])
    with pytest.raises(InvalidRequestError, match="has 3 parts"):
        assignment(plan, 3, world.store)


def test_a_run_is_carried_out_and_reported() -> None:
    world = World()
    planned = world.plan()
    for pointer in planned.parts:
        assert world.worker.carry_out(pointer, LIVE).done
    reported = report_run(world.store, planned.run_id)
    assert (reported.new, reported.report.arrivals, reported.report.missing_parts) == (True, 20, ())
    assert reported.report.turns == len(world.agents.asked) > 0
    assert report_run(world.store, planned.run_id).new is False
    assert run_ids(world.store) == [planned.run_id]


def test_a_part_that_is_delivered_again_sends_nothing() -> None:
    world = World()
    pointer = world.plan().parts[0]
    world.worker.carry_out(pointer, LIVE)
    before = dict(world.store.objects)
    asked = len(world.agents.asked)
    assert world.worker.carry_out(pointer, LIVE).done
    assert (len(world.agents.asked), world.store.objects) == (asked, before)


class Killed(BaseException):
    pass


def test_what_a_killed_worker_had_sent_is_not_sent_again_and_what_it_noted_is_kept() -> None:
    world = World(duration_s=2, parts=1)
    pointer = world.plan().parts[0]
    create = world.store.create

    def killed(key: str, body: bytes, content_type: str = "application/json") -> bool:
        if "/parts/" in key:
            raise Killed
        return create(key, body, content_type)

    world.store.create = killed  # type: ignore[method-assign]
    with pytest.raises(Killed):
        world.worker.carry_out(pointer, LIVE)
    world.store.create = create  # type: ignore[method-assign]
    asked = len(world.agents.asked)

    state = world.worker.carry_out(pointer, LIVE)
    assert (state.done, state.wait_s) == (False, 60)
    world.clock.advance(790)
    assert world.worker.carry_out(pointer, LIVE).wait_s == 11
    world.clock.advance(11)
    assert world.worker.carry_out(pointer, LIVE).done
    assert len(world.agents.asked) == asked
    result = load_part(world.store.read(identity.part_key(pointer.run_id, 0)))
    assert result.stopped_by == "killed"
    assert 0 < len(result.turns) <= asked


def test_a_worker_that_was_killed_before_it_noted_anything_leaves_its_share_unsent() -> None:
    world = World()
    pointer = world.plan().parts[1]
    until = '{"until": "2026-11-23T11:00:00Z"}'
    world.store.put(identity.claim_key(pointer.run_id, 1), until.encode())
    assert world.worker.carry_out(pointer, LIVE).done
    result = load_part(world.store.read(identity.part_key(pointer.run_id, 1)))
    assert (result.stopped_by, result.arrivals, result.unsent, world.agents.asked) == ("killed", 10, 10, [])


def test_what_cannot_begin_holds_no_claim() -> None:
    world = World()
    pointer = world.plan().parts[0]
    cast = world.store.objects.pop(identity.cast_key(pointer.run_id, 0))
    with pytest.raises(NotFoundError):
        world.worker.carry_out(pointer, LIVE)
    world.store.put(identity.cast_key(pointer.run_id, 0), cast)
    assert world.worker.carry_out(pointer, LIVE).done
    assert world.agents.asked


def test_a_claim_that_cannot_be_read_is_no_licence_to_send() -> None:
    world = World()
    pointer = world.plan().parts[0]
    world.store.put(identity.claim_key(pointer.run_id, 0), b"{}")
    with pytest.raises(InvalidRequestError, match="claim of part 0"):
        world.worker.carry_out(pointer, LIVE)
    assert world.agents.asked == []


def test_notes_that_cannot_be_written_do_not_end_the_run() -> None:
    world = World()
    pointer = world.plan().parts[0]

    def broken(*_: Any) -> None:
        raise TransientError("S3 is throttled")

    world.store.put = broken  # type: ignore[method-assign,assignment]
    assert world.worker.carry_out(pointer, LIVE).done


def test_a_report_names_what_failed_and_which_part_is_missing() -> None:
    world = World()
    planned = world.plan()
    world.worker.carry_out(planned.parts[1], LIVE)
    report = report_run(world.store, planned.run_id, "States.Timeout").report
    assert (report.missing_parts, report.facts.failure) == ((0,), "States.Timeout")


@pytest.mark.parametrize("run_id", ["t-20261125t100000-0123abcd", "t-00000000t000000-00000000"])
def test_a_run_that_never_was_has_no_parts_and_no_report(run_id: str) -> None:
    world = World()
    with pytest.raises(NotFoundError, match="there is no run of traffic"):
        world.worker.carry_out(PartPointer(run_id=run_id, part=0), LIVE)
    with pytest.raises(NotFoundError):
        report_run(world.store, run_id)
