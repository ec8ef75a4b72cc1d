"""A gate for what an experiment chose: judged is what was measured, or nothing."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from flywheel.domain.candidate import Candidate
from flywheel.domain.experiment import Configuration, Dimension, ExperimentFile, ExperimentPlan, RuntimePlan, Value
from flywheel.domain.golden import dataset_hash
from flywheel.domain.plan import Trigger
from flywheel.domain.policy import GatePolicy
from flywheel.evaluation.instrument import judge_spec
from flywheel.experiment_evidence import experiment_plan_key
from tests.fakes.world import DIGEST, OTHER_DIGEST, URI, World, golden_items, requested_event

EXPERIMENT = "x-20261123t100000-0123abcd"
SMALL = Candidate(URI, DIGEST, "model-small", parameters=(("temperature", 0.2), ("top_k", 3)))
LARGE = replace(SMALL, model_id="model-large", parameters=(("system_prompt", "In one sentence."), ("top_k", 5)))


def event(configuration: str = "c02", experiment: str = EXPERIMENT, **detail: Any) -> dict[str, Any]:
    named = {"id": experiment, "configuration": configuration}
    return requested_event(**{"image": DIGEST, "experiment": named, "reason": "experiment", **detail})


def measured(*candidates: Candidate) -> World:
    """A world in which an experiment measured these, as c01, c02 ..."""
    world = World()
    values = tuple(Value(f"v{n}", {"model_id": one.model_id}) for n, one in enumerate(candidates, 1))
    plan = ExperimentPlan(
        experiment_id=EXPERIMENT,
        environment="dev",
        trigger=Trigger("cli", "r-0", "2026-11-23T10:00:00+00:00"),
        file=ExperimentFile("models", (Dimension("model", values),)),
        configurations=tuple(
            Configuration(f"c{n:02d}", {"model": f"v{n}"}, one, "r01", {"model_id": one.model_id})
            for n, one in enumerate(candidates, 1)
        ),
        runtimes=(RuntimePlan("r01", candidates[0]),),
        policy=GatePolicy(),
        dataset_name="golden",
        dataset_version=datetime(2026, 11, 23, tzinfo=UTC).isoformat(),
        dataset_hash=dataset_hash(golden_items()),
        items=golden_items(),
        judge=judge_spec("judge.model-1", GatePolicy().choice_scores),
    )
    world.experiment_evidence.write_plan(plan)
    return world


def refusal(world: World, sent: dict[str, Any]) -> tuple[str, str]:
    """The code and the message that the gate's evidence gives."""
    reply, _ = world.planner.plan(sent, "arn:execution:1")
    assert reply.action == "refused"
    verdict = world.evidence.verdict(reply.gate_id)
    assert verdict is not None
    return verdict.reasons[0].code, verdict.reasons[0].message


def test_the_candidate_is_the_one_that_was_measured_whatever_the_settings_say_now() -> None:
    world = measured(SMALL, LARGE)
    world.settings.texts["agent"] = '{"model_id": "another.model", "parameters": {"temperature": 1}}'

    plan = world.evidence.plan(world.plan(event(image=None)))

    assert plan.arms[0].candidate == LARGE
    assert plan.arms[0].candidate.candidate_id == LARGE.candidate_id
    assert plan.arms[0].overrides == {}
    assert plan.promote is True
    assert plan.revision == "abc123"


def test_the_rest_of_the_gate_is_that_of_any_push() -> None:
    world = measured(SMALL, LARGE)
    world.in_production(OTHER_DIGEST)

    plan = world.evidence.plan(world.plan(event()))

    assert [arm.arm for arm in plan.arms] == ["candidate", "incumbent"]
    assert plan.items == golden_items()
    assert plan.incumbent_release == 1


def test_the_record_and_the_verdict_say_where_it_came_from() -> None:
    world = measured(SMALL, LARGE)

    gate = world.plan(event(reason="nightly"))

    assert world.gates.rows[gate].trigger == "experiment"
    assert world.gates.rows[gate].digest == DIGEST
    plan = world.evidence.plan(gate)
    assert plan.trigger.source == "experiment"
    assert [(note.code, note.message) for note in plan.notes] == [
        ("chosen_by_experiment", f"configuration c02 of experiment {EXPERIMENT}: model v2")
    ]


def test_a_choice_delivered_three_times_runs_one_gate() -> None:
    world = measured(SMALL, LARGE)

    assert [world.planner.plan(event(), f"arn:execution:{n}")[0].action for n in range(3)] == ["run", "skip", "skip"]


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (event("c03"), "has no configuration c03, but 2 others"),
        (event(experiment="x-20261123t100000-ffffffff"), "there is no experiment x-20261123t100000-ffffffff"),
    ],
)
def test_what_no_experiment_measured_is_refused(sent: dict[str, Any], why: str) -> None:
    code, message = refusal(measured(SMALL, LARGE), sent)

    assert code == "configuration_not_found"
    assert why in message


def test_a_system_prompt_that_no_runtime_holds_is_refused_with_the_way_out() -> None:
    """In the experiment it came with each request; a runtime of the gate has it in a variable of 5000 characters."""
    long = replace(LARGE, parameters=(("system_prompt", "x" * 5001),))

    code, message = refusal(measured(SMALL, long), event())

    assert code == "configuration_unusable"
    assert "5001 characters" in message
    assert "keep it as a prompt in Langfuse" in message


def test_an_image_that_is_gone_or_another_one_is_refused() -> None:
    gone = replace(LARGE, image_digest="sha256:" + "e" * 64)
    elsewhere = replace(LARGE, repository_uri="111111111111.dkr.ecr.us-east-1.amazonaws.com/other")

    assert refusal(measured(SMALL, gone), event())[0] == "image_not_found"
    assert refusal(measured(SMALL, LARGE), event(image=OTHER_DIGEST))[0] == "configuration_unusable"
    assert refusal(measured(SMALL, elsewhere), event())[0] == "configuration_unusable"


def test_a_prompt_that_langfuse_no_longer_has_is_refused() -> None:
    world = measured(SMALL, replace(LARGE, prompt_name="docs", prompt_version=4, parameters=()))
    world.prompts.missing.add(("docs", 4))

    assert refusal(world, event())[0] == "prompt_not_found"


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"experiment_id": "x"}', b'{"configurations": null}'])
def test_a_plan_that_cannot_be_read_is_refused(text: bytes) -> None:
    world = World()
    world.objects.objects[experiment_plan_key(EXPERIMENT)] = text

    assert refusal(world, event())[0] == "configuration_unusable"
