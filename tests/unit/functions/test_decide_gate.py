"""Results -> next wave or verdict; the same look gives the same answer, and missing evidence never passes."""

from dataclasses import replace

import pytest

from flywheel.domain.golden import GoldenItem
from flywheel.domain.outcome import FactScore, TrialKey, TrialRecord, dump_records, load_records
from flywheel.domain.plan import load_shard
from flywheel.domain.unreadable_items import UnreadableItem
from flywheel.errors import NotFoundError, TransientError
from flywheel.evidence import result_key, shard_key
from tests.fakes.world import World, ecr_event, golden_items
from tests.unit.domain.samples import review


def decided(world: World, gate: str) -> tuple[str | None, list[str]]:
    verdict = world.evidence.verdict(gate)
    assert verdict is not None
    return verdict.kind, [reason.code for reason in verdict.reasons]


def evaluated(world: World, score: object = 1.0) -> tuple[str, str]:
    """One gate whose only wave got this score everywhere; its id and what was decided after it."""
    gate = world.plan()
    asked = world.decider.decide(gate, 0)
    world.evaluate(asked, lambda _: score)  # type: ignore[arg-type, return-value]
    return gate, world.decider.decide(gate, 1).action


def test_the_first_look_asks_for_every_item_once() -> None:
    world = World()
    gate = world.plan()
    reply = world.decider.decide(gate, 0)
    assert (reply.action, reply.wave, [s.key for s in reply.shards]) == ("evaluate", 1, ["1-00", "1-01"])
    lines = [line for s in reply.shards for line in load_shard(world.objects.read(shard_key(gate, s.key))).lines]
    assert sorted(line.item_id for line in lines) == sorted(item.item_id for item in golden_items())


def test_a_pointer_holds_ids_only_and_is_small() -> None:
    world = World()
    reply = world.decider.decide(world.plan(), 0)
    for pointer in reply.shards:
        assert set(pointer.model_dump()) == {"gate_id", "key"}
        assert len(pointer.model_dump_json()) < 2000


def test_a_good_candidate_passes_and_is_to_be_promoted() -> None:
    world = World()
    gate, action = evaluated(world)
    assert (action, decided(world, gate)[0]) == ("promote", "PASS")


def test_a_gate_that_was_not_asked_to_promote_ends_with_its_pass() -> None:
    world = World()
    gate = world.plan(ecr_event())
    plan = world.evidence.plan(gate)
    world.objects.objects.clear()
    world.evidence.write_plan(replace(plan, promote=False))
    world.evaluate(world.decider.decide(gate, 0))
    assert world.decider.decide(gate, 1).action == "end"
    assert decided(world, gate)[0] == "PASS"


def test_a_bad_candidate_fails() -> None:
    world = World()
    gate, action = evaluated(world, 0.2)
    assert (action, decided(world, gate)[0]) == ("end", "FAIL")


def test_many_errors_never_pass_and_are_called_errors() -> None:
    world = World(datasets=World().datasets)
    world.datasets.datasets["golden"] = golden_items(20)
    gate = world.plan()
    world.evaluate(world.decider.decide(gate, 0), lambda key: "invoke" if int(key.item_id[5:]) % 2 == 0 else 1.0)
    world.decider.decide(gate, 1)
    kind, codes = decided(world, gate)
    assert (kind, codes[0]) == ("FAIL", "error_rate")


def test_a_judge_that_is_down_never_passes() -> None:
    world = World()
    gate, action = evaluated(world, "judge")
    assert action == "end"
    kind, codes = decided(world, gate)
    assert kind == "INCONCLUSIVE"
    assert "judge_unavailable" in codes or "void" in codes


def test_a_repeated_look_gives_the_same_answer_and_writes_nothing_new() -> None:
    world = World(wave_pairs=2)
    gate = world.plan()
    first = world.decider.decide(gate, 0)
    before = dict(world.objects.objects)
    assert world.decider.decide(gate, 0) == first
    assert world.objects.objects == before
    world.evaluate(first)
    second = world.decider.decide(gate, 1)
    assert (second.action, second.wave) == ("evaluate", 2)
    assert world.decider.decide(gate, 1) == second
    world.evaluate(second)
    last = world.decider.decide(gate, 2)
    assert (last.action, world.decider.decide(gate, 2)) == ("promote", last)


def test_a_look_that_was_killed_half_way_is_completed_by_the_next() -> None:
    world = World(wave_pairs=4)
    gate = world.plan()
    whole = world.decider.decide(gate, 0)
    del world.objects.objects[f"gates/{gate}/gate/0.decision.json"]
    del world.objects.objects[f"gates/{gate}/gate/1.json"]
    del world.objects.objects[shard_key(gate, "1-01")]
    assert world.decider.decide(gate, 0) == whole


def test_waves_ask_for_no_trial_twice() -> None:
    world = World(wave_pairs=2)
    gate = world.plan()
    reply = world.decider.decide(gate, 0)
    seen: list[TrialKey] = []
    while reply.action == "evaluate":
        for s in reply.shards:
            seen += load_shard(world.objects.read(shard_key(gate, s.key))).lines
        world.evaluate(reply)
        reply = world.decider.decide(gate, reply.wave)
    assert len(seen) == len(set(seen)) == 4, "what is certified ends the gate: two of six trials are not needed"
    assert reply.action == "promote"


def test_both_arms_answer_in_one_shard_and_a_regression_fails() -> None:
    world = World()
    world.in_production()
    gate = world.plan()
    reply = world.decider.decide(gate, 0)
    for s in reply.shards:
        lines = load_shard(world.objects.read(shard_key(gate, s.key))).lines
        pairs = {(line.item_id, line.trial) for line in lines}
        assert len(lines) == 2 * len(pairs)
    world.evaluate(reply, lambda key: 0.05 if key.arm == "candidate" else 1.0)
    world.decider.decide(gate, 1)
    kind, codes = decided(world, gate)
    assert (kind, codes) == ("FAIL", ["minimum", "slice_minimum", "regression", "slice_regression"])


def test_production_items_run_beside_the_average_and_fail_by_themselves() -> None:
    world = World()
    pinned = GoldenItem("prod-1", "Why?", slice="production", origin="production", response_facts=("Because.",))
    world.datasets.datasets["golden"] = (*golden_items(), pinned)
    gate = world.plan()
    reply = world.decider.decide(gate, 0)
    world.evaluate(reply, lambda key: 0.0 if key.item_id == "prod-1" else 1.0)
    world.decider.decide(gate, 1)
    verdict = world.evidence.verdict(gate)
    assert verdict is not None
    assert (verdict.kind, verdict.reasons[0].code, verdict.reasons[0].items) == ("FAIL", "must_pass", ("prod-1",))


def test_a_missing_result_file_is_no_pass() -> None:
    world = World()
    gate = world.plan()
    world.evaluate(world.decider.decide(gate, 0))
    del world.objects.objects[result_key(gate, "1-01")]
    assert world.decider.decide(gate, 1).action == "end"
    assert decided(world, gate) == ("INCONCLUSIVE", ["evidence_missing"])


def test_a_result_file_without_a_trial_that_was_asked_for_is_no_pass() -> None:
    world = World()
    gate = world.plan()
    world.evaluate(world.decider.decide(gate, 0))
    key = result_key(gate, "1-00")
    world.objects.objects[key] = dump_records(load_records(world.objects.objects[key].decode())[1:]).encode()
    world.decider.decide(gate, 1)
    assert decided(world, gate) == ("INCONCLUSIVE", ["evidence_missing"])


def test_an_answer_without_its_primary_score_is_no_pass() -> None:
    world = World()
    gate = world.plan()
    world.evaluate(world.decider.decide(gate, 0))
    key = result_key(gate, "1-00")
    first, *others = load_records(world.objects.objects[key].decode())
    world.objects.objects[key] = dump_records([replace(first, scores={}), *others]).encode()
    world.decider.decide(gate, 1)
    assert decided(world, gate) == ("INCONCLUSIVE", ["evidence_missing"])


def test_scores_that_langfuse_dropped_make_it_inconclusive() -> None:
    world = World()
    gate = world.plan()
    reply = world.decider.decide(gate, 0)
    world.evaluate(reply)
    lost = load_records(world.objects.objects[result_key(gate, "1-00")].decode())[0]
    world.scores.lost = {lost.trace_id: frozenset({"correctness"})}
    assert world.decider.decide(gate, 1).action == "end"
    verdict = world.evidence.verdict(gate)
    assert verdict is not None
    assert (verdict.kind, verdict.reasons[0].code) == ("INCONCLUSIVE", "evidence_missing")
    assert (verdict.reasons[0].observed, verdict.reasons[0].required) == (11.0, 12.0)
    assert verdict.reasons[0].items == (lost.key.item_id,)


def test_scores_are_read_back_once_for_the_whole_gate() -> None:
    world = World(wave_pairs=2)
    world.passed()
    assert world.scores.reads == [4]


def test_scores_without_a_trace_are_no_evidence() -> None:
    world = World()
    gate = world.plan()
    world.evaluate(world.decider.decide(gate, 0))
    key = result_key(gate, "1-00")
    records: list[TrialRecord] = [replace(r, trace_id="") for r in load_records(world.objects.objects[key].decode())]
    world.objects.objects[key] = dump_records(records).encode()
    world.decider.decide(gate, 1)
    assert decided(world, gate)[1][0] == "evidence_missing"


@pytest.mark.parametrize("items", [golden_items(7), golden_items(5), ()])
def test_a_dataset_that_changed_during_the_gate_is_no_pass(items: tuple[GoldenItem, ...]) -> None:
    world = World()
    gate = world.plan()
    world.evaluate(world.decider.decide(gate, 0))
    world.datasets.datasets["golden"] = items
    assert world.decider.decide(gate, 1).action == "end"
    assert decided(world, gate) == ("INCONCLUSIVE", ["dataset_changed"])


def test_a_dataset_that_was_deleted_is_no_pass() -> None:
    world = World()
    gate = world.plan()
    world.evaluate(world.decider.decide(gate, 0))
    world.datasets.datasets.clear()
    world.decider.decide(gate, 1)
    assert decided(world, gate) == ("INCONCLUSIVE", ["dataset_changed"])


def test_a_langfuse_that_is_down_at_the_end_is_waited_for() -> None:
    world = World()
    gate = world.plan()
    world.evaluate(world.decider.decide(gate, 0))
    world.datasets.down = True
    with pytest.raises(TransientError):
        world.decider.decide(gate, 1)
    assert world.evidence.verdict(gate) is None
    world.datasets.down = False
    assert world.decider.decide(gate, 1).action == "promote"


def test_a_newer_push_ends_the_gate_at_its_next_look() -> None:
    world = World(wave_pairs=2)
    gate = world.plan(ecr_event("old", time="2026-11-23T11:58:00Z"), "arn:1")
    world.evaluate(world.decider.decide(gate, 0))
    world.plan(ecr_event("new", time="2026-11-23T11:59:00Z"), "arn:2")
    assert world.decider.decide(gate, 1).action == "end"
    assert decided(world, gate) == ("INCONCLUSIVE", ["superseded"])


def test_a_refuted_candidate_stops_before_the_last_wave() -> None:
    world = World(wave_pairs=2)
    world.datasets.datasets["golden"] = golden_items(20)
    gate = world.plan()
    reply = world.decider.decide(gate, 0)
    waves = 0
    while reply.action == "evaluate":
        waves += 1
        world.evaluate(reply, lambda _: "invoke")
        reply = world.decider.decide(gate, reply.wave)
    assert waves == 2
    assert decided(world, gate)[0] == "FAIL"


def test_a_verdict_carries_its_confidence_sequence() -> None:
    world = World()
    gate = world.passed()
    verdict = world.evidence.verdict(gate)
    assert verdict is not None
    assert verdict.estimates is not None
    assert [point[0] for point in verdict.estimates["path"]] == [1, 2, 3]
    assert verdict.estimates["difference"]["low"] > 0


def test_a_gate_that_was_never_planned_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        World().decider.decide("g-20260101t000000-00000000", 0)


def test_a_verdict_of_a_failed_deployment_stands() -> None:
    world = World()
    gate = world.plan()
    world.objects.create(
        f"gates/{gate}/verdict.json",
        b'{"kind": "FAIL", "reasons": [{"code": "never_ready", "message": "m", "metric": null, "slice": null,'
        b' "observed": null, "required": null, "items": []}], "estimates": null}',
    )
    assert world.decider.decide(gate, 0).action == "end"
    assert decided(world, gate) == ("FAIL", ["never_ready"])


def reviewed(world: World, gate: str, human: float, count: int) -> None:
    """People have reviewed the same answers of an earlier gate, all of which this judge let pass."""
    version = world.evidence.plan(gate).judge.version
    reviews = [
        review(f"item-{n}", human if n % 2 else 1.0, gate_id="g-earlier", judge_version=version) for n in range(count)
    ]
    world.evidence.write_reviews(version, "g-earlier", reviews)


def test_a_judge_that_people_disagree_with_cannot_pass_a_candidate() -> None:
    world = World()
    gate = world.plan()
    reviewed(world, gate, human=0.0, count=40)
    world.evaluate(world.decider.decide(gate, 0))
    assert world.decider.decide(gate, 1).action != "promote"
    kind, codes = decided(world, gate)
    assert (kind, codes[0]) == ("INCONCLUSIVE", "judge_unreliable")


def test_a_failure_found_by_a_judge_that_people_disagree_with_stays_one() -> None:
    world = World()
    gate = world.plan()
    reviewed(world, gate, human=0.0, count=40)
    world.evaluate(world.decider.decide(gate, 0), lambda _: 0.2)
    world.decider.decide(gate, 1)
    assert decided(world, gate)[0] == "FAIL"


def test_with_too_few_reviews_a_candidate_passes_and_the_judge_is_called_unchecked() -> None:
    world = World()
    gate = world.plan()
    reviewed(world, gate, human=0.0, count=29)
    world.evaluate(world.decider.decide(gate, 0))
    world.decider.decide(gate, 1)
    verdict = world.evidence.verdict(gate)
    assert verdict is not None
    assert verdict.kind == "PASS"
    assert verdict.estimates is not None
    assert (verdict.estimates["judge"]["reviews"], verdict.estimates["judge"]["checked"]) == (29, False)


def test_a_judge_that_contradicts_itself_cannot_pass_a_candidate() -> None:
    world = World()
    gate = world.plan()
    asked = world.decider.decide(gate, 0)
    world.evaluate(asked)
    for shard in asked.shards:
        key = result_key(gate, shard.key)
        facts = tuple(FactScore(f"f{n}", "B", 1.0, again="D" if n % 2 else "B") for n in range(4))
        records = [replace(record, facts=facts) for record in load_records(world.objects.read(key))]
        world.objects.put(key, dump_records(records).encode())
    world.decider.decide(gate, 1)
    kind, codes = decided(world, gate)
    assert (kind, codes[0]) == ("INCONCLUSIVE", "judge_unreliable")


def test_a_file_of_reviews_that_cannot_be_read_keeps_no_gate_from_its_end(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    gate = world.plan()
    world.objects.put(f"reviews/{world.evidence.plan(gate).judge.version}/g-broken.json", b"{")
    world.evaluate(world.decider.decide(gate, 0))
    world.decider.decide(gate, 1)
    assert decided(world, gate)[0] == "PASS"
    assert "reviews are ignored" in caplog.text


def test_reviews_of_the_newest_hundred_gates_are_read() -> None:
    world = World()
    for n in range(120):
        world.evidence.write_reviews("v", f"g-{n:03}", [review(gate_id=f"g-{n:03}", judge_version="v")])
    world.evidence.write_reviews("w", "g-120", [review(judge_version="w")])
    assert [one.gate_id for one in world.evidence.all_reviews("v")] == [f"g-{n:03}" for n in range(20, 120)]


def test_an_item_made_by_hand_during_the_gate_is_a_change_of_the_dataset() -> None:
    world = World()
    gate = world.plan()
    world.evaluate(world.decider.decide(gate, 0))
    world.datasets.unreadable = (UnreadableItem("ui-1", "no facts", "write facts"),)

    world.decider.decide(gate, 1)

    assert decided(world, gate) == ("INCONCLUSIVE", ["dataset_changed"])
