"""A push whose event is lost has its gate all the same, once; images of releases are known by their tags."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from flywheel.domain.image_manifest import Finding
from flywheel.errors import TransientError
from functions.reconcile_pushes import app as reconcile_pushes
from tests.fakes.clock import NOON
from tests.fakes.world import DIGEST, OTHER_DIGEST, World, ecr_event
from tests.unit.functions.test_handlers import call

# A call that fails has nothing to count, which Powertools warns of.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics:UserWarning")

CHART = Finding("no_image", "is a Helm chart, not an image")
MINUTE = timedelta(minutes=1)


def pushed(minutes_ago: float, digest: str = DIGEST, tag: str = "v1") -> World:
    """One image, so many minutes after its push."""
    world = World()
    world.images.tags = {tag: digest}
    world.images.pushed[digest] = NOON
    world.clock.advance(60 * minutes_ago)
    return world


def look(world: World) -> str | None:
    return world.reconciler.reconcile(world.images.tagged())


def asked_for(world: World) -> dict[str, Any]:
    """The event that the bus makes of the only request."""
    ((detail_type, detail),) = world.bus.events
    (at,) = world.bus.times
    assert at is not None
    return {"id": "bus-1", "detail-type": detail_type, "source": "flywheel", "time": at.isoformat(), "detail": detail}


def test_a_push_whose_event_never_came_gets_its_gate_with_the_time_of_the_push() -> None:
    world = pushed(20)
    assert look(world) == DIGEST
    gate = world.plan(asked_for(world))
    row = world.gates.rows[gate]
    assert (row.digest, row.trigger) == (DIGEST, "lost-push")
    assert datetime.fromisoformat(row.requested_at) == NOON
    assert world.evidence.plan(gate).promote


def test_it_is_asked_for_once_and_asking_again_is_the_same_request() -> None:
    world = pushed(20)
    assert look(world) == look(world) == DIGEST  # the first request has not been planned yet
    first, second = zip(world.bus.events, world.bus.times, strict=True)
    assert first == second
    del world.bus.events[1:], world.bus.times[1:]
    world.plan(asked_for(world))
    world.clock.advance(900)
    assert look(world) is None


def test_an_event_that_comes_after_all_starts_no_second_gate() -> None:
    world = pushed(20)
    look(world)
    world.plan(asked_for(world))
    late = ecr_event("late", time=(NOON + timedelta(seconds=2)).isoformat())
    assert world.planner.plan(late, "arn:execution:2")[0].action == "skip"
    assert len(world.gates.rows) == 1


def test_a_push_that_had_its_event_is_left_alone() -> None:
    world = pushed(20)
    world.plan(ecr_event(time=NOON.isoformat()))
    assert look(world) is None
    assert world.bus.events == []


@pytest.mark.parametrize("minutes", [0, 5, 14.9])
def test_a_young_push_may_have_its_event_on_the_way(minutes: float) -> None:
    assert look(pushed(minutes)) is None


def test_an_old_push_is_nobodys_any_more() -> None:
    assert look(pushed(24 * 60 + 1)) is None


def test_only_the_newest_image_counts_because_it_would_supersede_the_others() -> None:
    world = pushed(40)
    world.images.tags["v2"] = OTHER_DIGEST
    world.images.pushed[OTHER_DIGEST] = NOON + 20 * MINUTE
    assert look(world) == OTHER_DIGEST
    world.images.pushed[OTHER_DIGEST] = NOON + 30 * MINUTE  # too young: its own event will supersede the older
    assert look(world) is None


def test_what_is_no_image_of_ours_stands_in_nobodys_way() -> None:
    world = pushed(40)
    world.images.tags["chart"] = OTHER_DIGEST
    world.images.pushed[OTHER_DIGEST] = NOON + 20 * MINUTE
    world.images.findings[OTHER_DIGEST] = CHART
    assert look(world) == DIGEST


@pytest.mark.parametrize("tag", [f"sha256-{'a' * 64}.sig", "flywheel-release-000001"])
def test_what_only_a_machine_tagged_was_not_pushed_to_be_judged(tag: str) -> None:
    assert look(pushed(40, tag=tag)) is None


def test_what_is_in_production_needs_no_gate() -> None:
    world = pushed(40, OTHER_DIGEST)
    world.in_production(OTHER_DIGEST)
    assert look(world) is None


def test_an_image_of_an_index_that_is_judged_needs_no_gate() -> None:
    world = pushed(40)
    world.images.tags["index"] = OTHER_DIGEST
    world.images.pushed[OTHER_DIGEST] = NOON
    world.images.findings[OTHER_DIGEST] = Finding("runnable", "is an image for linux/arm64", DIGEST)
    world.plan(ecr_event(digest=OTHER_DIGEST, tag="index", time=NOON.isoformat()))
    assert look(world) is None


def test_a_repository_without_images_asks_for_nothing() -> None:
    world = World()
    world.images.tags = {}
    assert look(world) is None


def run(world: World, monkeypatch: pytest.MonkeyPatch) -> Any:
    handle = reconcile_pushes.make_handle(world.reconciler, world.releases, world.images)
    monkeypatch.setattr(reconcile_pushes, "handle", lambda: handle)
    return call(reconcile_pushes, {})


def test_the_image_of_each_release_is_tagged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.in_production(OTHER_DIGEST)
    assert run(world, monkeypatch) == {"asked_for": None, "gone": []}
    assert world.images.tags["flywheel-release-000001"] == OTHER_DIGEST
    before = dict(world.images.tags)
    run(world, monkeypatch)
    assert world.images.tags == before


def test_an_image_of_a_release_that_is_gone_is_said_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.in_production("sha256:" + "9" * 64)
    assert run(world, monkeypatch) == {"asked_for": None, "gone": ["sha256:" + "9" * 64]}


def test_the_tag_of_a_release_starts_no_gate() -> None:
    world = World()
    reply, why = world.planner.plan(ecr_event(tag="flywheel-release-000001"), "arn:execution:1")
    assert (reply.action, world.gates.rows) == ("skip", {})
    assert "flywheel puts it" in why


def test_a_registry_that_does_not_answer_fails_the_run_which_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = pushed(20)
    world.images.down = True
    with pytest.raises(TransientError):
        run(world, monkeypatch)
    world.images.down = False
    assert run(world, monkeypatch)["asked_for"] == DIGEST
