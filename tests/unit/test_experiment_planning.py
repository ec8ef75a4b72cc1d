"""Event -> plan of an experiment: what runs, what is refused with every reason, what a repeated delivery does."""

import json
from pathlib import Path
from typing import Any

import pytest

from flywheel.domain.experiment import experiment_runtime_name
from flywheel.domain.golden import GoldenItem
from flywheel.errors import AccessDeniedError, InvalidRequestError, NotFoundError, TransientError
from flywheel.experiment_events import PlanExperimentReply, RuntimeRequest
from flywheel.experiment_evidence import file_key
from tests.fakes.clock import NOON
from tests.fakes.experiment_world import ExperimentWorld
from tests.fakes.world import DIGEST, OTHER_DIGEST, golden_items

EVENTS = Path(__file__).parents[2] / "events"
FILE: dict[str, Any] = {
    "version": 1,
    "image": "v1",
    "dimensions": {"model": ["test.model-1", "test.model-2"], "temperature": [0, 1]},
}


def asked(request_id: str = "r-1", **detail: Any) -> dict[str, Any]:
    return {
        "id": "e-1",
        "time": "2026-11-23T11:59:00Z",
        "detail-type": "ExperimentRequested",
        "detail": {"version": 1, "request_id": request_id, "file": "models", "reason": "cli"} | detail,
    }


def world_with(file: Any = None, **changes: Any) -> ExperimentWorld:
    world = ExperimentWorld()
    body = json.dumps(FILE | changes if file is None else file)
    world.files.save_file("models", body.encode())
    return world


def plan(world: ExperimentWorld, event: dict[str, Any] | None = None, execution: str = "arn:1") -> PlanExperimentReply:
    return world.experiment_planner.plan(event or asked(), execution)[0]


def refused(world: ExperimentWorld) -> tuple[str, ...]:
    reply = plan(world)
    assert (reply.action, reply.runtimes) == ("refused", ())
    row = world.row(reply.experiment_id)
    assert (row.status, row.outcome) == ("ended", "refused")
    assert world.files.planned(reply.experiment_id) is None
    return row.reasons


def test_a_request_becomes_a_plan_a_record_and_runtimes_to_deploy() -> None:
    world = world_with()
    reply = plan(world)

    experiment = reply.experiment_id
    assert reply == PlanExperimentReply(
        action="run",
        experiment_id=experiment,
        runtimes=(RuntimeRequest(experiment_id=experiment, runtime="r01"),),
        parallel=8,
    )
    made = world.files.plan(experiment)
    assert [one.label for one in made.configurations] == [
        "model test.model-1, temperature 0",
        "model test.model-1, temperature 1",
        "model test.model-2, temperature 0",
        "model test.model-2, temperature 1",
    ]
    assert {one.candidate.image_digest for one in made.configurations} == {DIGEST}
    assert (made.trigger.source, made.trigger.tag, made.production) == ("cli", "models", None)
    assert [item.item_id for item in made.items] == [item.item_id for item in golden_items()]
    row = world.row(experiment)
    assert (row.name, row.trigger, row.status) == ("models", "cli", "running")
    assert row.runtimes["r01"].runtime_name == experiment_runtime_name("dev", experiment, "r01", 1)


def test_the_sample_event_is_one_that_is_planned() -> None:
    world = world_with()
    event: dict[str, Any] = json.loads((EVENTS / "experiment_requested.json").read_text())
    assert plan(world, event).action == "run"


def test_a_second_delivery_is_skipped_and_a_repeated_call_gives_the_same() -> None:
    world = world_with()
    first = plan(world)
    world.deploy(first.experiment_id)
    before = world.row(first.experiment_id)
    assert plan(world) == first
    assert world.row(first.experiment_id) == before
    assert plan(world, execution="arn:2").action == "skip"
    world.experiments.end(first.experiment_id, outcome="completed", reasons=(), ended=NOON)
    assert plan(world).action == "skip"


def test_every_tag_is_resolved_once_to_its_digest() -> None:
    world = world_with({"dimensions": {"image": ["v1", "v2"]}})
    made = world.files.plan(plan(world).experiment_id)
    assert [one.candidate.image_digest for one in made.configurations] == [DIGEST, OTHER_DIGEST]
    assert len(made.runtimes) == 2


def test_production_lends_its_configuration_and_is_named_in_the_plan() -> None:
    world = world_with(image="production", dimensions={"temperature": [0.5, 1]})
    world.in_production()
    release = world.releases.head().release
    assert release is not None
    made = world.files.plan(plan(world).experiment_id)
    assert made.production == release.candidate.candidate_id
    assert {one.candidate.model_id for one in made.configurations} == {release.candidate.model_id}


def test_a_dataset_named_by_the_button_takes_the_place_of_the_files() -> None:
    world = world_with()
    world.datasets.datasets["beside"] = golden_items(2)
    event = {
        "id": "e-1",
        "time": "2026-11-23T11:59:00Z",
        "detail-type": "ExperimentTriggered",
        "detail": {
            "version": 1,
            "delivery_id": "d-1",
            "project_id": "p",
            "dataset_id": "ds",
            "dataset": "beside",
            "payload": {"experiment": "models"},
        },
    }
    made = world.files.plan(plan(world, event).experiment_id)
    assert (made.dataset_name, len(made.items), made.trigger.source) == ("beside", 2, "remote-experiment")


def test_regression_items_are_left_to_the_gate() -> None:
    world = world_with()
    regression = GoldenItem("from-people", "Why?", origin="production", response_facts=("Because.",))
    world.datasets.datasets["golden"] = (*golden_items(), regression)
    made = world.files.plan(plan(world).experiment_id)
    assert regression not in made.items
    assert any("1 regression items" in note for note in made.notes)


def test_a_bad_file_is_refused_with_every_problem() -> None:
    reasons = refused(world_with({"dimensions": {"model": ["m", "m"], "temperature": [9, "hot"]}, "colour": 1}))
    assert len(reasons) >= 3
    assert all(reason.startswith("invalid_file: ") for reason in reasons)
    assert any("colour" in reason for reason in reasons)


def test_a_hostile_file_is_refused_in_few_words() -> None:
    world = world_with()
    for body in (b"", b"\xff\xfe", b"[" * 50_000, b'{"dimensions": ' + b'"' + b"x" * 2_000_000 + b'"}'):
        world.files.save_file("models", body)
        reply = plan(world, asked(request_id=str(len(body))), execution=f"arn:{len(body)}")
        assert reply.action == "refused"
        assert all(len(reason) <= 500 for reason in world.row(reply.experiment_id).reasons)


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (FILE | {"image": "v9"}, "image_not_found"),
        (FILE | {"image": "production"}, "no_production"),
        (FILE | {"dataset": "elsewhere"}, "dataset_missing"),
        (FILE | {"items": ["item-0", "item-99"]}, "unknown_items"),
        (FILE | {"budget": {"trials": 1}}, "cannot_be_searched"),
        (FILE | {"dimensions": {"prompt": ["gone:3", "there:1"]}}, "prompt_not_found"),
        (FILE | {"dimensions": {"temperature": [0, 1]}, "fixed": {"model": "amazon.nova-lite-v1:0"}}, ""),
        (
            FILE
            | {
                "dimensions": {"temperature": [0, 1]},
                "fixed": {"model": "amazon.nova-lite-v1:0"},
                "budget": {"usd": 0.001},
            },
            "budget_too_small",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_run_is_refused_before_anything_is_deployed(file: dict[str, Any], code: str) -> None:
    world = world_with(file)
    world.prompts.missing.add(("gone", 3))
    if not code:
        assert plan(world).action == "run"
        return
    (reason,) = refused(world)
    assert reason.startswith(f"{code}: ")
    assert plan(world).action == "refused"


def test_a_file_that_nobody_saved_is_refused() -> None:
    world = ExperimentWorld()
    (reason,) = refused(world)
    assert reason.startswith("file_not_found: ")
    assert file_key("models") == "experiment-files/models.json"


def test_more_runtimes_or_shards_than_one_execution_can_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flywheel.experiment_planning.MOST_SHARDS", 3)
    assert refused(world_with())[0].startswith("too_large: ")
    monkeypatch.setattr("flywheel.experiment_planning.MOST_RUNTIMES", 3)
    (reason,) = refused(world_with(own_runtimes=True))
    assert "4 runtimes" in reason


def test_more_shards_at_once_than_are_reserved_are_refused_before_anything_is_deployed() -> None:
    world = world_with(parallel=9)
    world.shards_at_once = 8
    (reason,) = refused(world)
    assert reason.startswith("too_parallel: parallel is 9, and 8 executions are reserved")
    for reserved in (9, None):
        world = world_with(parallel=9)
        world.shards_at_once = reserved
        assert plan(world).action == "run"


def test_what_is_down_or_denied_refuses_nothing() -> None:
    world = world_with()
    world.datasets.down = True
    with pytest.raises(TransientError):
        plan(world)
    world.datasets.down, world.datasets.denied = False, True
    with pytest.raises(AccessDeniedError):
        plan(world)
    world.datasets.denied = False
    assert plan(world).action == "run"


def test_a_malformed_event_leaves_nothing() -> None:
    world = world_with()
    with pytest.raises(InvalidRequestError):
        plan(world, asked(file="../secret"))
    assert world.experiments.rows == {}


def test_one_that_was_stopped_is_gone_on_with_by_its_own_plan() -> None:
    world = world_with()
    first = plan(world)
    made = world.files.plan(first.experiment_id)
    world.experiments.end(first.experiment_id, outcome="stopped", reasons=("by hand",), ended=NOON)
    world.files.save_file("models", b"changed since, and broken")

    again = plan(world, asked("r-2", resume=first.experiment_id), "arn:2")

    assert again == first
    assert world.files.plan(first.experiment_id) == made
    row = world.row(first.experiment_id)
    assert (row.attempt, row.execution_arn, row.status) == (2, "arn:2", "running")
    assert row.runtimes["r01"].runtime_name == experiment_runtime_name("dev", first.experiment_id, "r01", 2)
    assert plan(world, asked("r-2", resume=first.experiment_id), "arn:2") == again
    assert plan(world, asked("r-2", resume=first.experiment_id), "arn:3").action == "skip"


def test_one_that_broke_before_it_was_planned_is_planned_when_it_is_gone_on_with() -> None:
    world = world_with()
    world.datasets.down = True
    with pytest.raises(TransientError):
        plan(world)
    (experiment,) = world.experiments.rows
    world.experiments.end(experiment, outcome="broken", reasons=("TransientError",), ended=NOON)
    world.datasets.down = False
    assert plan(world, asked("r-2", resume=experiment), "arn:2").action == "run"


def test_what_completed_or_does_not_exist_is_not_gone_on_with() -> None:
    world = world_with()
    first = plan(world)
    world.experiments.end(first.experiment_id, outcome="completed", reasons=(), ended=NOON)
    assert plan(world, asked("r-2", resume=first.experiment_id), "arn:2").action == "skip"
    with pytest.raises(NotFoundError):
        plan(world, asked("r-3", resume="x-20260101t000000-00000000"), "arn:3")


def test_nothing_of_production_is_written() -> None:
    world = world_with(image="production", dimensions={"temperature": [0.5, 1]})
    world.in_production()
    before = world.releases.head()
    plan(world)
    assert world.releases.head() == before
    assert world.releases.newest_request() is None
