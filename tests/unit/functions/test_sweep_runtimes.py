"""The last net: what is old, ours, short-lived and not in use goes; everything else stays."""

from dataclasses import replace

from flywheel.errors import FlywheelError
from tests.fakes.runtimes import Stored
from tests.fakes.world import World

HOUR = 3600


def abandoned(world: World) -> Stored:
    """A runtime whose gate has ended without it being retired."""
    gate = world.plan()
    world.deploy(gate)
    world.gates.end(gate, verdict="INCONCLUSIVE", reasons=[], promoted=False, ended=world.clock.now(), report_key=None)
    return next(iter(world.runtimes.stored.values()))


def test_an_old_runtime_of_an_ended_gate_is_swept_once() -> None:
    world = World()
    name = abandoned(world).runtime.name
    world.clock.advance(2 * HOUR)
    assert world.sweeper.sweep().swept == (name,)
    assert world.runtimes.stored == {}
    assert world.sweeper.sweep().seen == 0


def test_a_young_runtime_is_kept() -> None:
    world = World()
    abandoned(world)
    world.clock.advance(0.5 * HOUR)
    result = world.sweeper.sweep()
    assert (result.swept, len(result.kept)) == ((), 1)


def test_a_runtime_of_a_running_gate_is_kept_but_not_for_ever() -> None:
    world = World()
    world.deploy(world.plan())
    world.clock.advance(2 * HOUR)
    assert world.sweeper.sweep().swept == ()
    world.clock.advance(5 * HOUR)
    assert len(world.sweeper.sweep().swept) == 1


def test_a_runtime_whose_gate_nobody_knows_is_swept() -> None:
    world = World()
    stored = abandoned(world)
    stored.tags["flywheel:gate"] = "g-unknown"
    world.clock.advance(2 * HOUR)
    assert len(world.sweeper.sweep().swept) == 1


def test_production_and_what_is_not_ours_is_never_touched() -> None:
    world = World()
    world.in_production()
    abandoned(world)
    short_lived = [s for s in world.runtimes.stored.values() if s.runtime.name.startswith("fw_")]
    for stored in short_lived:
        stored.tags["flywheel:stack"] = "another-stack"
    other = replace(short_lived[0].runtime, runtime_id="x-1", arn="arn:x-1", name="somebody_elses")
    tags = {"flywheel:lifetime": "short-lived", "flywheel:stack": "flywheel-dev"}
    world.runtimes.stored["x-1"] = Stored(other, {}, tags)
    world.clock.advance(100 * HOUR)
    assert world.sweeper.sweep().swept == ()
    assert len(world.runtimes.stored) == 4


def test_unreadable_tags_make_no_runtime_immortal() -> None:
    world = World()
    stored = abandoned(world)
    stored.tags["flywheel:created"] = "last tuesday"
    assert len(world.sweeper.sweep().swept) == 1


def test_a_runtime_that_names_no_gate_is_swept() -> None:
    world = World()
    stored = abandoned(world)
    del stored.tags["flywheel:gate"]
    world.clock.advance(2 * HOUR)
    assert len(world.sweeper.sweep().swept) == 1


def test_one_that_cannot_be_deleted_now_does_not_keep_the_others() -> None:
    world = World()
    world.in_production()
    gate = world.plan()
    world.deploy(gate)
    world.gates.end(gate, verdict="FAIL", reasons=[], promoted=False, ended=world.clock.now(), report_key=None)
    world.clock.advance(2 * HOUR)
    world.runtimes.deletes_refused = 1
    result = world.sweeper.sweep()
    assert (len(result.swept), len(result.refused)) == (1, 1)
    assert len(world.sweeper.sweep().swept) == 1


def test_one_whose_tags_may_not_be_read_does_not_keep_the_others() -> None:
    world = World()
    world.in_production()
    gate = world.plan()
    world.deploy(gate)
    world.gates.end(gate, verdict="FAIL", reasons=[], promoted=False, ended=world.clock.now(), report_key=None)
    world.clock.advance(2 * HOUR)
    first = next(s.runtime for s in world.runtimes.stored.values() if s.runtime.name.startswith("fw_"))
    read = world.runtimes.tags

    def tags(arn: str) -> dict[str, str]:
        if arn == first.arn:
            raise FlywheelError("bedrock-agentcore:ListTagsForResource: AccessDenied")
        return read(arn)

    world.runtimes.tags = tags  # type: ignore[assignment]
    result = world.sweeper.sweep()
    assert len(result.swept) == 1
    assert result.refused == (f"{first.name}: bedrock-agentcore:ListTagsForResource: AccessDenied",)
