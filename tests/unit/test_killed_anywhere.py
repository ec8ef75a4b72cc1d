"""A process may be killed between any two effects. Whatever is left undone then is made up for, and nothing is lost.

Each journey is walked again and again, killed once at its first, second, third ... effect, before or after that effect
took place, until it comes to its end without meeting the kill. After each walk the invariant of the journey holds.
"""

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from flywheel.errors import PromotionRefusedError
from flywheel.events import ExecutionEnded, Failure
from flywheel.rollback import plan_rollback
from tests.fakes.clock import NOON
from tests.fakes.harvest import Fuse, Killed
from tests.fakes.killing import Guarded, Killer, Moment, ProcessKilled
from tests.fakes.prompts import InMemoryPromptLabels
from tests.fakes.world import OTHER_DIGEST, World, requested_event
from tests.live_world import LiveWorld, head
from tests.unit.test_harvesting import calls_of_a_run, end_state, eventful

EFFECTS: dict[str, tuple[str, ...]] = {
    "runtimes": ("create", "update", "delete", "move_endpoint"),
    "releases": ("acquire", "commit", "let_go"),
    "gates": ("note_promotion", "end", "attach_report"),
    "objects": ("create", "put"),
    "bus": ("publish",),
    "notifier": ("notify",),
    "labels": ("give",),
}
PROMPT = {"name": "docs-agent", "version": 4}
MOST = 60


def guarded(world: World, killer: Killer) -> World:
    """The same world, whose effects a killer counts. Where it notes what was done is an effect, too."""
    for name, effects in EFFECTS.items():
        setattr(world, name, Guarded(getattr(world, name), effects, killer, name))
    done = world.once.done

    class Noting(set[str]):
        def add(self, key: str) -> None:
            killer.effect("once.note", lambda: done.add(key))

        def __contains__(self, key: object) -> bool:
            return key in done

    world.once.done = Noting()
    world.evidence = type(world.evidence)(world.objects)
    return world


def again(step: Callable[[], Any]) -> Any:
    """As a state machine does: a call that was killed is made again."""
    for _ in range(3):
        try:
            return step()
        except ProcessKilled:
            continue
    raise AssertionError("killed more than once")


def judged(first: bool) -> tuple[World, str]:
    """A world whose gate has passed; `first`: nothing is in production yet."""
    world = World()
    world.labels = InMemoryPromptLabels({"docs-agent": {3: {"production"}, 4: set()}})
    if not first:
        world.in_production()
    return world, world.passed(requested_event(prompt=PROMPT))


def told(world: World, kind: str) -> Counter[str]:
    """How often each event of a kind was sent, by its id."""
    return Counter(str(detail["event_id"]) for name, detail in world.bus.events if name == kind)


def check_settled(world: World, gate: str, *, promoted: bool) -> None:
    """Production, its record, what was told and what the gate's own record says are one and the same."""
    head = world.releases.head()
    row = world.gates.rows[gate]
    runs = head.release is not None and head.release.gate_id == gate
    assert runs is promoted
    assert head.promoting is None
    assert (row.status, row.promoted) == ("ended", promoted)
    if head.release is not None:
        endpoint = world.runtimes.endpoint(head.release.runtime_id, "production")
        assert endpoint is not None
        assert endpoint.live_version == head.release.runtime_version
    announced = told(world, "AgentPromoted")
    assert len(announced) == int(promoted)
    verdicts = Counter(name for name, _ in world.bus.events if name.startswith("Gate"))
    assert len(verdicts) == 1
    ids = {str(detail["event_id"]) for name, detail in world.bus.events if name.startswith("Gate")}
    assert ids == {f"verdict-{gate}"}
    letters = {text for _, text in world.notifier.letters}
    assert len(letters) == 1
    assert f"Notification verdict-{gate}" in letters.pop()
    # Sent twice only where the kill fell between sending and noting.
    assert max(Counter(name for name, _ in world.bus.events).values()) <= 2
    assert len(world.notifier.letters) <= 2
    assert not [s for s in world.runtimes.stored.values() if s.runtime.name.startswith("fw_")]
    if promoted:
        assert world.labels.holder("docs-agent", "production") == 4


def retire_and_publish(world: World, gate: str, failure: Failure | None) -> None:
    for arm in world.gates.rows[gate].arms:
        again(lambda arm=arm: world.retirer.retire(gate, arm))  # type: ignore[misc]
    again(lambda: world.publisher().publish(gate, failure))


def carried_on(world: World, gate: str) -> None:
    """The machine repeats what was killed."""
    again(lambda: world.promote(gate))
    retire_and_publish(world, gate, None)


def given_up(world: World, gate: str) -> None:
    """The machine's attempts are used up: the promotion failed for good, and it cleans up."""
    failure = None
    try:
        world.promote(gate)
    except ProcessKilled:
        failure = Failure(error="Sandbox.Timedout", cause="killed")
    retire_and_publish(world, gate, failure)


def stopped(world: World, gate: str) -> None:
    """The execution itself is stopped: its status event cleans up."""
    with suppress(ProcessKilled):
        world.promote(gate)
    ended = ExecutionEnded.model_validate({"executionArn": "arn:execution:1", "status": "ABORTED"})
    again(lambda: world.retirer.execution_ended(ended))


def walks(journey: Callable[[World, str], None], first: bool, moment: Moment) -> list[tuple[World, str, Killer]]:
    """The journey with a kill at each of its effects, the last one without."""
    found = []
    for at in range(1, MOST):
        world, gate = judged(first)
        killer = Killer(at, moment)
        guarded(world, killer)
        journey(world, gate)
        found.append((world, gate, killer))
        if not killer.killed:
            return found
    raise AssertionError(f"more than {MOST} effects: {killer.effects}")


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_a_promotion_that_is_repeated_where_it_was_killed_happens_once(first: bool, moment: Moment) -> None:
    found = walks(carried_on, first, moment)
    assert len(found) > 10
    for world, gate, _ in found:
        check_settled(world, gate, promoted=True)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
@pytest.mark.parametrize("journey", [given_up, stopped])
def test_a_promotion_that_is_given_up_anywhere_is_settled_one_way_or_the_other(
    journey: Callable[[World, str], None], first: bool, moment: Moment
) -> None:
    ends = set()
    for world, gate, killer in walks(journey, first, moment):
        head = world.releases.head().release
        promoted = head is not None and head.gate_id == gate
        check_settled(world, gate, promoted=promoted)
        if killer.killed:
            ends.add(promoted)
    assert ends == {True, False}  # before the record it is taken back, from it on it stands


def test_a_first_promotion_that_dies_after_its_move_is_recorded_because_it_serves() -> None:
    for world, _, killer in walks(given_up, first=True, moment="after"):
        runtime = world.runtimes.find("flywheel_agent_dev")
        endpoint = world.runtimes.endpoint(runtime.runtime_id, "production") if runtime else None
        serves = endpoint is not None and endpoint.live_version is not None
        assert serves == (world.releases.head().release is not None), killer.effects


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_rollback_that_is_repeated_where_it_was_killed_happens_once(moment: Moment) -> None:
    for at in range(1, MOST):
        world, gate = judged(first=False)
        world.promote(gate)
        world.bus.events.clear()
        killer = Killer(at, moment)
        guarded(world, killer)

        def roll_back(world: World = world, killer: Killer = killer) -> None:
            rollback = world.rollback()
            current = world.releases.head().release
            assert current is not None
            if current.release_no == 2:
                rollback.roll_back(plan_rollback(world.releases), by="ann", reason="wrong answers")
            else:
                assert rollback.finish() is not None or killer.effects[-1] == "objects.create"

        for _ in range(2):
            try:
                roll_back()
                break
            except ProcessKilled:
                world.clock.advance(601)  # whoever was killed holds the right until then
        head = world.releases.head()
        assert head.release is not None
        assert (head.release.release_no, head.promoting) == (3, None)
        assert head.release.candidate.image_digest == OTHER_DIGEST
        endpoint = world.runtimes.endpoint(head.release.runtime_id, "production")
        assert endpoint is not None
        assert endpoint.live_version == head.release.runtime_version
        assert set(told(world, "AgentRolledBack")) == {"rolled-back-3"}
        if not killer.killed:
            return
    raise AssertionError(killer.effects)


def test_a_refused_promotion_that_is_killed_anywhere_leaves_production_as_it_was() -> None:
    moments: tuple[Moment, Moment] = ("before", "after")
    for moment in moments:
        for at in range(1, MOST):
            world, gate = judged(first=False)
            before = world.releases.head().release
            world.runtimes.becomes["flywheel_agent_dev"] = ("UPDATE_FAILED", "no")
            killer = Killer(at, moment)
            guarded(world, killer)
            try:
                again(lambda world=world, gate=gate: world.promote(gate))  # type: ignore[misc]
            except PromotionRefusedError as error:
                retire_and_publish(world, gate, Failure(error="PromotionRefusedError", cause=str(error)))
            assert world.releases.head().release == before
            check_settled(world, gate, promoted=False)
            assert world.gates.rows[gate].verdict == "INCONCLUSIVE"
            if not killer.killed:
                break
        else:
            raise AssertionError("the walk does not end")


SAMPLING: dict[str, tuple[str, ...]] = {
    "queue": ("ensure", "add"),
    "ledger": ("claim", "let_go", "settle"),
    "store": ("begin", "note_window", "narrow", "close", "let_go"),
    "objects": ("create", "put"),
    "scores": ("post",),
    "bus": ("publish",),
}


def sampled(killer: Killer) -> LiveWorld:
    """A window of traffic, looked at by a run that is killed, and then by the next ones."""
    here = LiveWorld(settings='{"review_budget_per_day": 10}')
    for number in range(50):
        here.traces.add(head(number, NOON - timedelta(seconds=120 + number)))
    whole = {name: getattr(here, name) for name in SAMPLING}
    for name, effects in SAMPLING.items():
        setattr(here, name, Guarded(whole[name], effects, killer, name))
    with suppress(ProcessKilled):
        here.run("first")
    for name, part in whole.items():
        setattr(here, name, part)
    for later in ("second", "third"):
        here.clock.advance(900)  # the next schedule: whoever was killed holds nothing any more
        here.run(later)
    return here


@pytest.mark.parametrize("moment", ["before", "after"])
def test_queueing_that_is_killed_anywhere_asks_for_each_review_once(moment: Moment) -> None:
    for at in range(1, MOST):
        killer = Killer(at, moment)
        here = sampled(killer)
        # A window that was not fixed yet may be drawn later and larger; what was drawn once is what is asked for.
        drawn = [one["trace_id"] for draw in draws(here) for one in draw["drawn"]]
        assert drawn
        assert sorted(here.queued()) == sorted(drawn), killer.effects
        assert len(drawn) == len(set(drawn)) <= 10
        assert all(row.queued_at is not None for row in here.ledger.open())
        told = [detail["run_id"] for kind, detail in here.bus.events if kind == "TracesSampled" and detail["queued"]]
        assert set(told) == {draw["run_id"] for draw in draws(here) if draw["drawn"]}
        if not killer.killed:
            return
    raise AssertionError("the walk does not end")


def draws(here: LiveWorld) -> list[dict[str, Any]]:
    """The draws on record."""
    found = [json.loads(here.objects.read(key)) for key in here.objects.keys("sampling/") if "/seen/" not in key]
    return [one for one in found if "drawn" in one]


def test_a_harvest_that_is_killed_anywhere_writes_each_item_once() -> None:
    """Every call of a run, effects and reads, as `tests/unit/test_harvesting.py` walks it, for outages too."""
    undisturbed = eventful()
    undisturbed.run()
    for number in range(calls_of_a_run()):
        loop = eventful()
        with pytest.raises(Killed):
            loop.run(Fuse(number, Killed))
        loop.notes.holder = None  # its right has run out
        loop.run()
        assert end_state(loop) == end_state(undisturbed), number


def test_the_harness_kills_what_it_says() -> None:
    world, gate = judged(first=True)
    killer = Killer(1, "before")
    guarded(world, killer)
    with pytest.raises(ProcessKilled):
        world.promote(gate)
    assert killer.effects == ["releases.acquire"]
    assert world.releases.head().promoting is None
