"""Arms of a plan that are not invoked: the cached incumbent and the anchor, and why there is none."""

import json
from typing import Any

import pytest

from flywheel.domain.golden import GoldenItem
from flywheel.domain.plan import GatePlan
from flywheel.evidence import plan_key
from tests.fakes.stored import GATE, JUDGE, TOOLS, configuration, keep, released
from tests.fakes.world import POLICY, World, ecr_event, golden_items, requested_event

CACHED = {"incumbent": "cached"}


def world_with(*letters: str, anchor: str | None = None, **policy: Any) -> World:
    world = World()
    world.settings.texts["policy"] = json.dumps(POLICY | policy)
    if anchor is not None:
        world.settings.texts["anchor"] = anchor
    released(world.releases, *letters)
    return world


def planned(world: World) -> GatePlan:
    return world.evidence.plan(world.plan())


def notes(plan: GatePlan) -> list[str]:
    return [note.code for note in plan.notes]


def test_a_cached_incumbent_has_no_runtime_and_its_answers_are_among_the_gates_evidence() -> None:
    world = world_with("b", **CACHED)
    keep(world.baselines, "b")
    gate = world.plan()
    plan = world.evidence.plan(gate)

    assert [arm.arm for arm in plan.arms] == ["candidate"]
    assert list(world.gates.rows[gate].arms) == ["candidate"]
    (arm,) = plan.stored
    assert (arm.arm, arm.release_no, arm.candidate, arm.sources) == ("incumbent", 1, configuration("b"), (GATE,))
    assert arm.trials == {item.item_id: 3 for item in golden_items()}
    answers = world.evidence.stored(gate, arm.file)
    assert [record.key for record in answers] == arm.answers()
    assert {record.stored_from for record in answers} == {GATE}
    assert (plan.incumbent_release, plan.notes) == (1, ())


def test_the_policy_decides_whether_the_incumbent_is_cached() -> None:
    world = world_with("b")
    keep(world.baselines, "b")
    plan = planned(world)

    assert [arm.arm for arm in plan.arms] == ["candidate", "incumbent"]
    assert (plan.stored, plan.notes) == ((), ())


def test_answers_of_several_gates_add_up() -> None:
    world = world_with("b", **CACHED)
    for number in (1, 2, 3):
        keep(world.baselines, "b", trials=1, gate=f"g-2026110{number}t000000-00000000")

    (arm,) = planned(world).stored
    assert set(arm.trials.values()) == {3}
    assert len(arm.sources) == 3


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"judge_version": "0" * 16}, "another judge"),
        ({"tool_hash": "0" * 64}, "other tools"),
    ],
)
def test_an_incumbent_whose_answers_were_made_under_something_else_answers_again(
    change: dict[str, Any], why: str
) -> None:
    world = world_with("b", **CACHED)
    keep(world.baselines, "b", **change)
    plan = planned(world)

    assert [arm.arm for arm in plan.arms] == ["candidate", "incumbent"]
    assert (plan.stored, notes(plan)) == ((), ["incumbent_rerun"])
    assert why in plan.notes[0].message


def test_answers_to_questions_that_are_the_same_still_serve_in_a_dataset_that_has_grown() -> None:
    world = world_with("b", **CACHED)
    keep(world.baselines, "b", dataset_hash="0" * 64)
    plan = planned(world)

    assert [arm.arm for arm in plan.arms] == ["candidate"]
    assert plan.stored_arm("incumbent") is not None


def test_an_incumbent_of_which_nothing_is_stored_answers_again() -> None:
    plan = planned(world_with("b", **CACHED))

    assert [arm.arm for arm in plan.arms] == ["candidate", "incumbent"]
    assert "release 1, answers again: no gate has left answers of it" in plan.notes[0].message


def test_one_item_with_too_few_answers_is_enough_to_ask_the_incumbent_again() -> None:
    world = world_with("b", **CACHED)
    keep(world.baselines, "b", score=lambda key: "invoke" if (key.item_id, key.trial) == ("item-1", 3) else 1.0)
    plan = planned(world)

    assert notes(plan) == ["incumbent_rerun"]
    assert "1 of 6 items have fewer than 3 stored answers" in plan.notes[0].message


def test_answers_that_leave_more_than_half_of_the_margin_open_do_not_stand_for_the_incumbent() -> None:
    world = world_with("b", **CACHED, margin=0.09)
    keep(world.baselines, "b", score=lambda key: float(key.trial % 2))
    plan = planned(world)

    assert notes(plan) == ["incumbent_rerun"]
    assert "leave 0.224 open, more than half of the margin 0.09" in plan.notes[0].message
    keep(world.baselines, "b", gate="g-20261102t000000-00000000", trials=10)
    steadier = world.evidence.plan(world.plan(ecr_event("second", time="2026-11-23T12:00:00Z"), "arn:2"))
    assert steadier.stored_arm("incumbent") is not None


def test_a_file_that_cannot_be_read_is_passed_over() -> None:
    world = world_with("b", **CACHED)
    world.objects.put(f"baselines/{configuration('b').candidate_id}/{GATE}.json", b"{}")
    plan = planned(world)

    assert notes(plan) == ["incumbent_rerun"]
    assert "written by another version" in plan.notes[0].message


def test_regression_tests_need_no_stored_answers() -> None:
    world = world_with("b", **CACHED)
    pinned = GoldenItem("prod-1", "Why?", slice="production", origin="production", response_facts=("Because.",))
    items = (*golden_items(), pinned)
    world.datasets.datasets["golden"] = items
    keep(world.baselines, "b", items=items)

    (arm,) = planned(world).stored
    assert "prod-1" not in arm.trials


def test_what_is_in_production_already_is_compared_with_no_stored_answers_of_its_own() -> None:
    world = world_with("a", **CACHED)
    keep(world.baselines, "a")
    plan = planned(world)

    assert ([arm.arm for arm in plan.arms], plan.stored, plan.notes) == (["candidate"], (), ())
    assert plan.judges_production
    assert plan.release_no == 1


def test_a_plan_that_is_made_twice_names_the_answers_that_it_was_made_with() -> None:
    world = world_with("b", **CACHED)
    keep(world.baselines, "b")
    gate = world.plan()
    first = world.evidence.plan(gate)
    # Killed between the copy and the plan; more answers have come meanwhile.
    del world.objects.objects[plan_key(gate)]
    keep(world.baselines, "b", gate="g-20261102t000000-00000000")
    world.plan()
    second = world.evidence.plan(gate)

    assert first.stored[0].file != second.stored[0].file
    for plan in (first, second):
        assert [r.key for r in world.evidence.stored(gate, plan.stored[0].file)] == plan.stored[0].answers()


# --- the anchor ---


def anchor_of(plan: GatePlan) -> int | None:
    found = plan.stored_arm("anchor")
    return None if found is None else found.release_no


def test_the_oldest_release_whose_answers_can_be_used_is_the_anchor_and_the_incumbent_runs_beside_it() -> None:
    world = world_with("1", "2", "b")
    keep(world.baselines, "2")
    keep(world.baselines, "1", tool_hash="0" * 64)
    plan = planned(world)

    assert anchor_of(plan) == 2
    assert [arm.arm for arm in plan.arms] == ["candidate", "incumbent"]
    assert plan.notes == ()


def test_cached_incumbent_and_anchor_go_together() -> None:
    world = world_with("1", "b", **CACHED)
    keep(world.baselines, "1")
    keep(world.baselines, "b")
    plan = planned(world)

    assert [arm.arm for arm in plan.stored] == ["incumbent", "anchor"]
    assert [arm.arm for arm in plan.arms] == ["candidate"]


def test_a_release_can_be_named_as_the_anchor_and_none_takes_its_place() -> None:
    world = world_with("1", "2", "3", "b", anchor='{"release": 2}')
    keep(world.baselines, "1")
    assert notes(planned(world)) == ["anchor_unavailable"]
    keep(world.baselines, "2")
    named = world.evidence.plan(world.plan(ecr_event("second", time="2026-11-23T12:00:00Z"), "arn:2"))
    assert anchor_of(named) == 2


@pytest.mark.parametrize("anchor", ['"off"', "off", '{"release": "off", "set_by": "me", "set_at": "now"}'])
def test_the_anchor_can_be_switched_off(anchor: str) -> None:
    world = world_with("1", "b", anchor=anchor)
    keep(world.baselines, "1")
    plan = planned(world)

    assert (anchor_of(plan), plan.notes) == (None, ())


def test_a_policy_without_an_anchor_margin_has_no_anchor() -> None:
    world = world_with("1", "b", anchor_margin=None)
    keep(world.baselines, "1")

    assert planned(world).stored == ()


def test_the_second_release_is_held_against_the_first_as_its_incumbent_and_lacks_no_anchor() -> None:
    world = world_with("b")
    keep(world.baselines, "b")
    plan = planned(world)

    assert (plan.stored, plan.notes) == ((), ())


def test_an_older_release_without_answers_is_told_and_the_gate_goes_on() -> None:
    world = world_with("1", "b")
    plan = planned(world)

    assert notes(plan) == ["anchor_unavailable"]
    assert "release 1: no gate has left answers of it" in plan.notes[0].message
    assert [arm.arm for arm in plan.arms] == ["candidate", "incumbent"]


def test_the_anchor_is_no_candidate_of_its_own() -> None:
    world = world_with("a", "b", anchor='{"release": 1}')
    keep(world.baselines, "a")

    assert (anchor_of(planned(world)), planned(world).notes) == (None, ())


def test_what_is_in_production_is_held_against_the_anchor_every_night() -> None:
    world = world_with("1", "b")
    keep(world.baselines, "1")
    plan = world.evidence.plan(world.plan(requested_event(image="production", reason="nightly")))

    assert ([arm.arm for arm in plan.arms], anchor_of(plan)) == (["candidate"], 1)


def test_in_a_dataset_that_has_changed_the_anchor_keeps_the_items_that_have_not() -> None:
    world = world_with("1", "b", **CACHED)
    keep(world.baselines, "1", items=golden_items(3))
    keep(world.baselines, "b", items=golden_items(3))
    plan = planned(world)

    found = plan.stored_arm("anchor")
    assert found is not None
    assert list(found.trials) == ["item-0", "item-1", "item-2"]
    assert notes(plan) == ["incumbent_rerun"]


def test_over_less_than_half_of_the_items_there_is_no_anchor() -> None:
    world = world_with("1", "b")
    keep(world.baselines, "1", items=golden_items(2))
    plan = planned(world)

    assert (anchor_of(plan), notes(plan)) == (None, ["anchor_unavailable"])
    assert "4 of 6 items" in plan.notes[0].message


@pytest.mark.parametrize("anchor", ["[]", '{"release": 0}', '{"release": "newest"}', "{", '{"release": 1, "x": 2}'])
def test_an_anchor_that_cannot_be_read_refuses_the_gate_and_says_so(anchor: str) -> None:
    world = world_with("1", "b", anchor=anchor)
    reply, why = world.planner.plan(ecr_event(), "arn:execution:1")

    assert reply.action == "refused"
    assert "invalid_anchor" in why
    assert "flywheel gate anchor" in why


def test_an_anchor_that_is_not_on_record_is_a_note() -> None:
    plan = planned(world_with("1", "b", anchor='{"release": 7}'))

    assert notes(plan) == ["anchor_unavailable"]
    assert "release 7, is not on record" in plan.notes[0].message


def test_a_plan_says_which_tools_and_which_release_it_is_of() -> None:
    world = world_with("b")
    plan = planned(world)

    assert (plan.tool_hash, plan.release_no, plan.judge.version) == (TOOLS, None, JUDGE)
