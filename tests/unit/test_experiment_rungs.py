"""Rung by rung: what is asked, what a repeated, late or lost answer does, and what the next attempt finds."""

from dataclasses import replace
from typing import Any

import pytest

from flywheel.domain.experiment import ExperimentBudget, RuntimePlan, SearchOptions, run_id
from flywheel.domain.outcome import TrialError, TrialKey, TrialRecord, Usage
from flywheel.domain.plan import load_shard
from flywheel.domain.search import Assignment
from flywheel.errors import ConflictError, InvalidRequestError, NotFoundError
from flywheel.evidence import plan_key, shard_key
from flywheel.experiment_events import PlanRungReply
from flywheel.experiment_shards import LINES_OF_A_SHARD, plan_rung_shards
from tests.experiment_samples import BASE, EXPERIMENT, experiment_plan, items
from tests.fakes.clock import NOON
from tests.fakes.experiment_world import ExperimentWorld

GRID = SearchOptions(strategy="grid", trials=2)


def good(configuration: str, key: TrialKey) -> TrialRecord:
    """The fourth configuration knows everything, the others nothing; a trial costs a cent."""
    score = 1.0 if configuration == "c04" else 0.0
    return TrialRecord(
        key, "answered", scores={"correctness": score}, usage=Usage(1, 1, 1), latency_ms=5, cost_usd=0.01, trace_id="t"
    )


def grid_world(**file: Any) -> ExperimentWorld:
    world = ExperimentWorld()
    world.begin(experiment_plan(**{"search": GRID, **file}))
    world.deploy()
    return world


def carried_out(world: ExperimentWorld, rung: int = 0, most: int = 30) -> tuple[PlanRungReply, int]:
    """From here to the end of the search: the last reply, and how many trials were evaluated."""
    trials, reply = 0, world.rung_planner.next(EXPERIMENT, rung)
    for _ in range(most):
        if reply.action == "end":
            break
        trials += world.evaluate_rung(reply, good)
        reply = world.rung_planner.next(EXPERIMENT, reply.rung, again=reply.again)
    return reply, trials


def test_the_first_look_writes_plans_and_shards_and_points_at_them() -> None:
    world = grid_world()
    reply = world.rung_planner.next(EXPERIMENT, 0)

    assert (reply.action, reply.rung, reply.again) == ("evaluate", 1, False)
    assert [pointer.gate_id for pointer in reply.shards] == [run_id(EXPERIMENT, f"c0{n}") for n in range(1, 5)]
    shard = load_shard(world.objects.read(shard_key(reply.shards[0].gate_id, reply.shards[0].key)))
    assert shard.runtime_ids == {"candidate": world.row().runtimes["r01"].runtime_id}
    assert [line.item_id for line in shard.lines] == ["i-000", "i-001", "i-002", "i-003"]
    assert plan_key(run_id(EXPERIMENT, "c03")) in world.objects.keys("")
    assert world.row().rung == 1
    rung = world.files.rung(EXPERIMENT, 1)
    assert rung is not None
    assert rung.assigned == {"c01": 4, "c02": 4, "c03": 4, "c04": 4}


def test_a_repeated_look_asks_for_the_same() -> None:
    world = grid_world()
    first = world.rung_planner.next(EXPERIMENT, 0)
    before = {key: world.objects.read(key) for key in world.objects.keys("")}
    assert world.rung_planner.next(EXPERIMENT, 0) == first
    assert {key: world.objects.read(key) for key in world.objects.keys("")} == before


def test_a_grid_comes_to_its_end_and_says_so_again() -> None:
    world = grid_world()
    end, trials = carried_out(world)

    assert (end.action, end.shards, trials) == ("end", (), 32)
    last = world.files.rungs(EXPERIMENT)[-1]
    assert (last.finished, last.shards, last.assigned) == ("grid_done", (), {})
    assert world.rung_planner.next(EXPERIMENT, end.rung) == end
    assert world.rung_planner.next(EXPERIMENT, 0) == end


def test_halving_stops_the_worse_and_takes_less_than_the_grid() -> None:
    world = ExperimentWorld()
    world.begin(experiment_plan(items(30), search=SearchOptions(trials=4)))
    world.deploy()
    _, trials = carried_out(world)

    last = world.files.rungs(EXPERIMENT)[-1]
    assert 0 < trials < 4 * 30 * 4
    assert "c04" in last.remaining
    assert {entry["configuration"] for entry in last.stopped} <= {"c01", "c02", "c03"}
    assert last.stopped


def test_a_configuration_without_a_runtime_is_left_out_with_the_reason() -> None:
    world = ExperimentWorld()
    plan = experiment_plan(search=GRID)
    lonely = replace(plan.configurations[0], runtime="r02")
    world.begin(
        replace(
            plan,
            configurations=(lonely, *plan.configurations[1:]),
            runtimes=(*plan.runtimes, RuntimePlan("r02", BASE)),
        )
    )
    world.runtimes.becomes[world.row().runtimes["r02"].runtime_name] = ("CREATE_FAILED", "no such image")
    world.deploy()
    world.deploy(runtime="r02")
    _, trials = carried_out(world)

    assert trials == 24
    last = world.files.rungs(EXPERIMENT)[-1]
    assert last.remaining == ("c02", "c03", "c04")
    (left_out,) = last.stopped
    assert (left_out["configuration"], left_out["code"]) == ("c01", "failed_to_deploy")
    assert "no such image" in left_out["message"]


def test_an_experiment_without_any_runtime_ends_at_once() -> None:
    world = ExperimentWorld()
    world.begin(experiment_plan(search=GRID))
    reply = world.rung_planner.next(EXPERIMENT, 0)
    assert (reply.action, reply.rung) == ("end", 1)
    assert world.files.rungs(EXPERIMENT)[-1].finished == "none_left"


def test_lost_results_are_asked_for_once_more_and_then_their_configuration_is_left_out() -> None:
    world = grid_world()
    first = world.rung_planner.next(EXPERIMENT, 0)
    world.evaluate_rung(first, good, lost={"c02"})

    again = world.rung_planner.next(EXPERIMENT, 1)
    assert (again.rung, again.again) == (1, True)
    assert [pointer.gate_id for pointer in again.shards] == [run_id(EXPERIMENT, "c02")]
    assert world.rung_planner.next(EXPERIMENT, 1) == again

    without = world.rung_planner.next(EXPERIMENT, 1, again=True)
    assert (without.rung, len(without.shards)) == (2, 3)
    _, trials = carried_out(world, 1)
    last = world.files.rungs(EXPERIMENT)[-1]
    assert (last.finished, last.remaining, trials) == ("grid_done", ("c01", "c03", "c04"), 12)
    assert "no results" in last.stopped[0]["message"]


def test_lost_results_that_come_at_the_second_time_count() -> None:
    world = grid_world()
    world.evaluate_rung(world.rung_planner.next(EXPERIMENT, 0), good, lost={"c02"})
    again = world.rung_planner.next(EXPERIMENT, 1)
    assert world.evaluate_rung(again, good) == 4
    assert len(world.rung_planner.next(EXPERIMENT, 1, again=True).shards) == 4


def test_an_attempt_goes_on_where_the_one_before_was_stopped_and_asks_nothing_twice() -> None:
    world = grid_world()
    world.evaluate_rung(world.rung_planner.next(EXPERIMENT, 0), good, lost={"c03", "c04"})
    before = world.row().runtimes["r01"].runtime_id
    world.experiments.end(EXPERIMENT, outcome="stopped", reasons=(), ended=NOON)
    with pytest.raises(ConflictError):
        world.rung_planner.next(EXPERIMENT, 1)
    world.begin(execution="arn:2")
    world.deploy()

    reply = world.rung_planner.next(EXPERIMENT, 0)
    assert (reply.rung, reply.again) == (1, False)
    assert [pointer.gate_id for pointer in reply.shards] == [run_id(EXPERIMENT, "c03"), run_id(EXPERIMENT, "c04")]
    moved = load_shard(world.objects.read(shard_key(reply.shards[0].gate_id, reply.shards[0].key)))
    now = world.row().runtimes["r01"].runtime_id
    assert moved.runtime_ids == {"candidate": now} != {"candidate": before}
    assert {pointer.attempt for pointer in reply.shards} == {2}
    _, trials = carried_out(world)
    assert trials == 8 + 16


def test_an_attempt_that_finds_its_rung_complete_asks_for_the_next_one() -> None:
    world = grid_world()
    world.evaluate_rung(world.rung_planner.next(EXPERIMENT, 0), good)
    world.experiments.end(EXPERIMENT, outcome="broken", reasons=(), ended=NOON)
    world.begin(execution="arn:2")
    world.deploy()
    assert world.rung_planner.next(EXPERIMENT, 0).rung == 2


def test_who_was_left_out_in_one_attempt_stays_out_in_the_next() -> None:
    world = grid_world()
    first = world.rung_planner.next(EXPERIMENT, 0)
    world.evaluate_rung(first, good, lost={"c02"})
    world.rung_planner.next(EXPERIMENT, 1, again=True)
    stopped = world.files.rungs(EXPERIMENT)[-1].stopped
    world.experiments.end(EXPERIMENT, outcome="stopped", reasons=(), ended=NOON)
    world.begin(execution="arn:2")
    world.deploy()
    world.evaluate_rung(first, good)  # late: they were waited for by nobody any more
    carried_out(world)
    last = world.files.rungs(EXPERIMENT)[-1]
    assert (last.finished, last.stopped) == ("grid_done", stopped)


@pytest.mark.parametrize(
    ("budget", "finished", "trials"),
    [
        (ExperimentBudget(trials=20), "budget", 16),
        (ExperimentBudget(usd=0.2), "budget_usd", 16),
        (ExperimentBudget(minutes=30), "budget_minutes", 16),
        (ExperimentBudget(trials=100, usd=5, minutes=300), "grid_done", 32),
    ],
    ids=str,
)
def test_a_budget_ends_the_search_with_what_it_knows(budget: ExperimentBudget, finished: str, trials: int) -> None:
    world = grid_world(budget=budget)
    world.evaluate_rung(world.rung_planner.next(EXPERIMENT, 0), good)
    world.clock.advance(31 * 60)
    _, more = carried_out(world, 1)
    assert 16 + more == trials
    last = world.files.rungs(EXPERIMENT)[-1]
    assert last.finished is not None
    assert last.finished.startswith(finished)
    assert last.remaining == ("c01", "c02", "c03", "c04")


def test_what_the_judge_could_not_score_says_nothing_and_what_broke_is_zero() -> None:
    def broken(configuration: str, key: TrialKey) -> TrialRecord:
        stage = "judge" if configuration == "c01" else "invoke"
        return TrialRecord(key, "errored", error=TrialError(stage, "timeout", "m"))  # type: ignore[arg-type]

    world = grid_world()
    reply = world.rung_planner.next(EXPERIMENT, 0)
    world.evaluate_rung(reply, broken)
    assert world.rung_planner.next(EXPERIMENT, 1).rung == 2


def test_a_rung_that_was_never_asked_for_is_refused() -> None:
    world = grid_world()
    with pytest.raises(InvalidRequestError, match="never came to rung 3"):
        world.rung_planner.next(EXPERIMENT, 3)
    with pytest.raises(NotFoundError):
        world.rung_planner.next("x-20260101t000000-00000000", 0)


def test_no_shard_is_longer_than_what_one_call_carries_out_and_none_mixes_configurations() -> None:
    many = [Assignment(c, f"i-{n}", 1) for n in range(130) for c in ("c01", "c02")]
    shards = plan_rung_shards(EXPERIMENT, 7, many, {"c01": "a", "c02": "b"})
    assert [(s.gate_id[-3:], s.key, len(s.lines)) for s in shards] == [
        ("c01", "7-00", LINES_OF_A_SHARD),
        ("c01", "7-01", LINES_OF_A_SHARD),
        ("c01", "7-02", 10),
        ("c02", "7-00", LINES_OF_A_SHARD),
        ("c02", "7-01", LINES_OF_A_SHARD),
        ("c02", "7-02", 10),
    ]
    assert sum(len(set(shard.lines)) for shard in shards) == 260
