"""Gates whose incumbent or anchor answers from what is stored; and what a settled gate stores for later ones."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from flywheel.domain.outcome import Arm, TrialKey
from flywheel.domain.plan import load_shard
from flywheel.domain.verdict import Verdict
from flywheel.events import DecideReply
from flywheel.evidence import shard_key
from tests.fakes.stored import configuration, keep, released
from tests.fakes.world import World, golden_items, requested_event

ITEMS = golden_items(20)
WAVE = 40
# The defaults, and no minima: what decides is the comparison.
POLICY: dict[str, Any] = {"minimum_items": 4, "minima": {}, "slice_minima": {}}


def world_with(*letters: str, **policy: Any) -> World:
    world = World(wave_pairs=WAVE)
    world.datasets.datasets["golden"] = ITEMS
    world.settings.texts["policy"] = json.dumps(POLICY | policy)
    released(world.releases, *letters)
    return world


def by_arm(**scores: float | str) -> Callable[[TrialKey], float | str]:
    return lambda key: scores[key.arm]


def carried_out(world: World, gate: str, score: Callable[[TrialKey], float | str]) -> tuple[Verdict, str]:
    """Take the gate to its end."""
    reply = world.decider.decide(gate, 0)
    while reply.action == "evaluate":
        world.evaluate(reply, score)
        reply = world.decider.decide(gate, reply.wave)
    verdict = world.evidence.verdict(gate)
    assert verdict is not None
    return verdict, reply.action


def lines(world: World, reply: DecideReply) -> list[TrialKey]:
    read = (load_shard(world.objects.read(shard_key(s.gate_id, s.key))) for s in reply.shards)
    return [line for shard in read for line in shard.lines]


def of(keys: list[TrialKey], arm: Arm) -> list[TrialKey]:
    return [key for key in keys if key.arm == arm]


def stored_of(world: World, letter: str) -> list[Any]:
    candidate_id = configuration(letter).candidate_id
    gates = world.baselines.gates(candidate_id).get(candidate_id, [])
    return [world.baselines.read(candidate_id, gate) for gate in gates]


# --- the cached incumbent


def test_the_first_wave_asks_for_every_stored_answer_again_and_later_ones_for_none() -> None:
    world = world_with("b", incumbent="cached")
    keep(world.baselines, "b", items=ITEMS)
    gate = world.plan()

    first = world.decider.decide(gate, 0)
    asked = lines(world, first)
    assert len(of(asked, "candidate")) == WAVE
    stored = world.evidence.plan(gate).stored[0]
    assert sorted(map(str, of(asked, "incumbent"))) == sorted(map(str, stored.answers()))
    world.evaluate(first)
    second = world.decider.decide(gate, 1)
    assert second.action == "evaluate"
    assert of(lines(world, second), "incumbent") == []
    # The order of the pairs went on as if the history had been known from the start.
    assert not set(of(asked, "candidate")) & set(of(lines(world, second), "candidate"))


def test_a_candidate_as_good_as_the_cached_incumbent_passes_with_half_of_the_invocations() -> None:
    world = world_with("b", incumbent="cached")
    keep(world.baselines, "b", items=ITEMS)
    gate = world.plan()

    verdict, action = carried_out(world, gate, by_arm(candidate=1.0, incumbent=1.0))

    assert (verdict.kind, action, verdict.reasons) == ("PASS", "promote", ())
    assert verdict.estimates is not None
    assert verdict.estimates["design"] == "cached"
    assert verdict.estimates["invocations"] == verdict.estimates["pairs"]


def test_a_candidate_worse_than_the_cached_incumbent_fails() -> None:
    world = world_with("b", incumbent="cached")
    keep(world.baselines, "b", items=ITEMS)

    verdict, action = carried_out(world, world.plan(), by_arm(candidate=0.7, incumbent=1.0))

    assert (verdict.kind, action, verdict.reasons[0].code) == ("FAIL", "end", "regression")


def test_a_judge_that_has_become_stricter_meets_both_arms_and_fails_nobody() -> None:
    world = world_with("b", incumbent="cached")
    keep(world.baselines, "b", items=ITEMS, score=lambda _: 1.0)

    verdict, _ = carried_out(world, world.plan(), by_arm(candidate=0.8, incumbent=0.8))

    assert verdict.kind == "PASS"
    assert verdict.estimates is not None
    assert verdict.estimates["difference"]["mean"] == pytest.approx(0.0)


def test_langfuse_is_not_asked_for_scores_of_what_was_not_invoked() -> None:
    world = world_with("b", incumbent="cached")
    keep(world.baselines, "b", items=ITEMS)

    verdict, _ = carried_out(world, world.plan(), by_arm(candidate=1.0, incumbent=1.0))

    assert verdict.estimates is not None
    assert world.scores.reads == [verdict.estimates["pairs"]]


def test_stored_answers_that_the_judge_cannot_score_conclude_nothing() -> None:
    world = world_with("b", incumbent="cached")
    keep(world.baselines, "b", items=ITEMS)
    gate = world.plan()

    verdict, action = carried_out(
        world, gate, lambda key: "judge" if key == TrialKey("item-3", 1, "incumbent") else 1.0
    )

    assert (verdict.kind, action, verdict.reasons[0].code) == ("INCONCLUSIVE", "end", "judge_unavailable")
    assert verdict.reasons[0].items == ("item-3",)


def test_an_incumbent_that_answered_again_is_told_with_the_verdict_and_lowers_nothing() -> None:
    world = world_with("b", incumbent="cached")
    keep(world.baselines, "b", items=ITEMS, judge_version="another")

    verdict, action = carried_out(world, world.plan(), by_arm(candidate=1.0, incumbent=1.0))

    assert (verdict.kind, action, verdict.against) == ("PASS", "promote", ())
    assert [note.code for note in verdict.notes] == ["incumbent_rerun"]
    assert "another judge" in verdict.notes[0].message


def test_a_repeated_look_after_the_first_wave_gives_the_same_gate() -> None:
    world = world_with("b", incumbent="cached")
    keep(world.baselines, "b", items=ITEMS)
    gate = world.plan()
    world.evaluate(world.decider.decide(gate, 0))
    reply = world.decider.decide(gate, 1)
    state = world.objects.objects[f"gates/{gate}/gate/2.json"]
    for key in ("gate/1.decision.json", "gate/2.json"):
        del world.objects.objects[f"gates/{gate}/{key}"]

    assert world.decider.decide(gate, 1) == reply
    assert world.objects.objects[f"gates/{gate}/gate/2.json"] == state


# --- the anchor


def test_small_losses_that_add_up_are_refused_by_the_anchor() -> None:
    world = world_with("1", "2", "3", "b")
    keep(world.baselines, "1", items=ITEMS)

    verdict, action = carried_out(world, world.plan(), by_arm(candidate=0.8, incumbent=0.82, anchor=1.0))

    assert (verdict.kind, action, verdict.reasons[0].code) == ("FAIL", "end", "anchor_regression")
    assert verdict.estimates is not None
    assert verdict.estimates["anchor"]["difference"]["mean"] == pytest.approx(-0.2)


def test_without_the_anchor_the_same_candidate_passes() -> None:
    world = world_with("1", "2", "3", "b", anchor_margin=None)
    keep(world.baselines, "1", items=ITEMS)

    verdict, _ = carried_out(world, world.plan(), by_arm(candidate=0.8, incumbent=0.82, anchor=1.0))

    assert verdict.kind == "PASS"


def test_a_candidate_as_good_as_incumbent_and_anchor_passes() -> None:
    world = world_with("1", "b", incumbent="cached")
    keep(world.baselines, "1", items=ITEMS)
    keep(world.baselines, "b", items=ITEMS)

    verdict, action = carried_out(world, world.plan(), by_arm(candidate=1.0, incumbent=1.0, anchor=1.0))

    assert (verdict.kind, action, verdict.reasons) == ("PASS", "promote", ())
    assert verdict.estimates is not None
    assert verdict.estimates["anchor"]["state"] == "certified"


# --- what a settled gate stores


def test_a_gate_stores_the_incumbents_trials_and_never_those_of_the_candidate_that_it_promotes() -> None:
    world = world_with("b")

    verdict, _ = carried_out(world, world.plan(), by_arm(candidate=1.0, incumbent=1.0))

    assert verdict.kind == "PASS"
    (baseline,) = stored_of(world, "b")
    assert {record.key.arm for record in baseline.records} == {"incumbent"}
    assert stored_of(world, "a") == []


def test_the_next_gate_takes_the_incumbents_answers_from_there() -> None:
    world = world_with("b")
    carried_out(world, world.plan(), by_arm(candidate=0.5, incumbent=1.0))
    carried_out(
        world,
        world.plan(requested_event(image="production", reason="nightly"), "arn:execution:2"),
        by_arm(candidate=1.0),
    )
    world.settings.texts["policy"] = json.dumps(POLICY | {"incumbent": "cached", "cached_trials": 2})
    gate = world.plan(requested_event(request_id="r-3", time="2026-11-23T11:59:59Z"), "arn:execution:3")

    plan = world.evidence.plan(gate)
    assert [arm.arm for arm in plan.arms] == ["candidate"]
    assert len(plan.stored[0].sources) == 2
    verdict, _ = carried_out(world, gate, by_arm(candidate=1.0, incumbent=1.0))
    assert verdict.kind == "PASS"
    # What was only judged again is not stored once more.
    assert len(stored_of(world, "b")) == 2


def test_a_repeated_look_stores_nothing_twice() -> None:
    world = world_with("b")
    gate = world.plan()
    carried_out(world, gate, by_arm(candidate=1.0, incumbent=1.0))
    before = {key: body for key, body in world.objects.objects.items() if key.startswith("baselines/")}
    last = max(int(key.split("/")[-1].split(".")[0]) for key in world.objects.objects if key.endswith("decision.json"))
    del world.objects.objects[f"gates/{gate}/gate/{last}.decision.json"]
    del world.objects.objects[f"gates/{gate}/verdict.json"]

    assert world.decider.decide(gate, last).action == "promote"
    assert before == {key: body for key, body in world.objects.objects.items() if key.startswith("baselines/")}


def test_a_baseline_asks_every_item_so_often_in_one_gate_and_promotes_nothing() -> None:
    world = world_with("b")
    gate = world.plan(requested_event(image="production", baseline=5))
    verdict, action = carried_out(world, gate, lambda _: 1.0)

    assert (verdict.kind, verdict.against, action) == ("PASS", (), "end")
    (kept,) = stored_of(world, "b")
    asked = Counter(record.key.item_id for record in kept.records)
    assert (set(asked), min(asked.values())) == ({item.item_id for item in ITEMS}, 5)
    head = world.releases.head().release
    assert head is not None
    assert head.release_no == 1
