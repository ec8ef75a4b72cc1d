"""What an experiment is planned from: images, production, the agent's settings, prompts; or why it must not start."""

import json
from dataclasses import replace
from typing import Any

import pytest

from flywheel.combining import setting_hash
from flywheel.domain.candidate import Candidate
from flywheel.domain.experiment import ExperimentFile
from flywheel.domain.experiment_file import parse_experiment
from flywheel.domain.plan import dump_plan
from flywheel.evidence import GateEvidence, plan_key
from flywheel.planning_inputs import PlanInputs, RefusedError
from flywheel.ports import Head, Release
from tests.fakes.clock import NOON
from tests.fakes.objects import InMemoryObjects
from tests.fakes.outside import InMemoryDatasets, InMemoryImages, InMemoryPrompts, InMemorySettings
from tests.unit.evaluation.doubles import plan

DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
AGENT = '{"model_id": "of-the-setting", "prompt": {"name": "docs", "version": 3}, "parameters": {"top_k": 7}}'
LIVE = Candidate("1.ecr/flywheel-agent-dev", DIGEST, "of-production", parameters=(("max_turns", 4),))
RELEASE = Release(3, LIVE, "g-20261101t120000-01234567", "runtime", "7", NOON)
NONE, HEAD = Head(), Head(RELEASE)


def file(dimensions: dict[str, Any], **more: Any) -> ExperimentFile:
    return parse_experiment(json.dumps({"dimensions": dimensions} | more), name="mine")


@pytest.fixture
def prompts() -> InMemoryPrompts:
    return InMemoryPrompts()


@pytest.fixture
def settings() -> InMemorySettings:
    return InMemorySettings(agent=AGENT)


@pytest.fixture
def objects() -> InMemoryObjects:
    return InMemoryObjects()


@pytest.fixture
def inputs(prompts: InMemoryPrompts, settings: InMemorySettings, objects: InMemoryObjects) -> PlanInputs:
    return PlanInputs(
        "https://mcp.test/mcp",
        images=InMemoryImages({"v2": OTHER}),
        datasets=InMemoryDatasets("golden", []),
        prompts=prompts,
        parameters=settings,
        evidence=GateEvidence(objects),
    )


def refusal(inputs: PlanInputs, of: ExperimentFile, head: Head = HEAD) -> str:
    with pytest.raises(RefusedError) as caught:
        inputs.space(of, head)
    return caught.value.reason.code


def test_beside_production_everything_else_is_as_production_has_it(inputs: PlanInputs) -> None:
    first, second = inputs.space(file({"top_k": [{"name": "as it is"}, 5]}), HEAD).configurations
    assert first.candidate == LIVE
    assert second.candidate == replace(LIVE, parameters=(("max_turns", 4), ("top_k", 5)))


def test_of_pushed_images_everything_else_is_as_the_setting_says(inputs: PlanInputs) -> None:
    space = inputs.space(file({"temperature": [0, 1]}, image="v2"), NONE)
    it = space.configurations[0].candidate
    assert (it.image_digest, it.model_id, it.prompt_name, it.prompt_version) == (OTHER, "of-the-setting", "docs", 3)
    assert it.parameters == (("temperature", 0.0), ("top_k", 7))


def test_of_pushed_images_everything_else_is_as_production_has_it_when_that_was_decided_later(
    inputs: PlanInputs, objects: InMemoryObjects
) -> None:
    decided = replace(plan([]), gate_id=RELEASE.gate_id, agent_hash=setting_hash(AGENT))
    objects.put(plan_key(RELEASE.gate_id), dump_plan(decided).encode())
    it = inputs.space(file({"temperature": [0, 1]}, image="v2"), HEAD).configurations[0].candidate
    assert (it.image_digest, it.model_id, it.prompt_name) == (OTHER, "of-production", None)
    assert it.parameters == (("max_turns", 4), ("temperature", 0.0))


def test_production_and_a_pushed_image_differ_in_nothing_but_the_image(inputs: PlanInputs) -> None:
    one, two = inputs.space(file({"image": ["production", "v2"]}), HEAD).configurations
    assert (one.candidate.image_digest, two.candidate.image_digest) == (DIGEST, OTHER)
    assert (one.candidate.model_id, one.candidate.parameters) == (two.candidate.model_id, two.candidate.parameters)


def test_without_production_or_with_an_unknown_image_it_is_refused(inputs: PlanInputs) -> None:
    assert refusal(inputs, file({"top_k": [3, 5]}), NONE) == "no_production"
    assert refusal(inputs, file({"top_k": [3, 5]}, image="v9")) == "image_not_found"


@pytest.mark.parametrize("text", [None, "{", '{"model_id": ""}'])
def test_an_agent_setting_that_cannot_be_used_is_refused(
    inputs: PlanInputs, settings: InMemorySettings, text: str | None
) -> None:
    settings.texts = {} if text is None else {"agent": text}
    assert refusal(inputs, file({"top_k": [3, 5]}, image="v2")) == "invalid_agent_settings"


def test_a_prompt_that_langfuse_does_not_have_is_refused(inputs: PlanInputs, prompts: InMemoryPrompts) -> None:
    prompts.missing = {("docs", 9)}
    assert refusal(inputs, file({"prompt": ["docs:8", "docs:9"]})) == "prompt_not_found"


def test_configurations_that_come_to_the_same_are_refused(inputs: PlanInputs) -> None:
    assert refusal(inputs, file({"max_turns": [{"name": "as it is"}, 4]})) == "invalid_configuration"


def test_parameters_that_no_runtime_takes_are_refused(inputs: PlanInputs, settings: InMemorySettings) -> None:
    many = {f"p{n}": n for n in range(60)}
    settings.texts["agent"] = json.dumps({"model_id": "m", "parameters": many})
    assert refusal(inputs, file({"top_k": [3, 5]}, image="v2")) == "invalid_configuration"
