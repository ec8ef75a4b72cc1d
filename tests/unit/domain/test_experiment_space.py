"""From a file to configurations and runtimes: who answers for whom, and with what."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from agent.settings import Hyperparameters
from flywheel.domain.candidate import Candidate, Parameter
from flywheel.domain.experiment import OVERRIDABLE, Configuration, ExperimentFile, RuntimePlan
from flywheel.domain.experiment_file import parse_experiment
from flywheel.domain.experiment_space import AgentDefaults, Space, expand, image_references
from flywheel.errors import InvalidRequestError


@dataclass(frozen=True)
class Pushed:
    repository_uri: str
    digest: str


IMAGES = {name: Pushed("1.ecr/agent", "sha256:" + digit * 64) for name, digit in [("production", "a"), ("v2", "b")]}
BASE = AgentDefaults("base-model", parameters=(("system_prompt", "As deployed."), ("retries", 2)))


def file(dimensions: dict[str, Any], **more: Any) -> ExperimentFile:
    return parse_experiment(json.dumps({"dimensions": dimensions} | more), name="mine")


def space(dimensions: dict[str, Any], base: Candidate | AgentDefaults = BASE, **more: Any) -> Space:
    return expand(file(dimensions, **more), images=IMAGES, base=base)


def settings(candidate: Candidate) -> dict[str, Any]:
    """What the agent is set to, as the environment of a runtime would say it."""
    own = {name: value for name, value in candidate.parameters if name in OVERRIDABLE}
    prompt = {"prompt_name": candidate.prompt_name, "prompt_version": candidate.prompt_version}
    return {"model_id": candidate.model_id} | {k: v for k, v in prompt.items() if v is not None} | own


def answers_as(configuration: Configuration, runtimes: tuple[RuntimePlan, ...]) -> bool:
    """Whether request and runtime together are the candidate, by the agent's own rules."""
    runtime = next(one.candidate for one in runtimes if one.runtime == configuration.runtime)
    wanted = configuration.candidate
    rest = [[pair for pair in one.parameters if pair[0] not in OVERRIDABLE] for one in (runtime, wanted)]
    return (
        Hyperparameters(**settings(runtime)).replaced(configuration.overrides) == Hyperparameters(**settings(wanted))
        and rest[0] == rest[1]
        and runtime.image_uri == wanted.image_uri
    )


def test_configurations_that_requests_can_tell_apart_share_one_runtime() -> None:
    it = space({"model": ["a", "b"], "temperature": [0, 0.7], "top_k": [3, 5]})
    assert [one.configuration_id for one in it.configurations] == [f"c0{n}" for n in range(1, 9)]
    assert [one.runtime for one in it.runtimes] == ["r01"]
    assert dict(it.runtimes[0].candidate.parameters) == dict(BASE.parameters)
    assert it.configurations[1].values == {"model": "a", "temperature": "0", "top_k": "5"}
    assert it.configurations[-1].overrides == {"model_id": "b", "temperature": 0.7, "top_k": 5}
    assert it.configurations[0].overrides == {"temperature": 0.0, "top_k": 3}


def test_another_image_or_parameter_of_its_own_needs_another_runtime() -> None:
    it = space({"image": ["production", "v2"], "retries": [1, 3], "top_k": [3, 5]})
    assert [one.runtime for one in it.runtimes] == ["r01", "r02", "r03", "r04"]
    assert [one.runtime for one in it.configurations] == ["r01", "r01", "r02", "r02", "r03", "r03", "r04", "r04"]
    assert image_references(file({"image": ["production", "v2"]})) == {"production", "v2"}
    assert image_references(file({"top_k": [1, 2]}, image="v2")) == {"v2"}


def test_own_runtimes_are_one_each_and_the_requests_carry_nothing() -> None:
    it = space({"top_k": [3, 5]}, own_runtimes=True)
    assert [one.candidate for one in it.runtimes] == [one.candidate for one in it.configurations]
    assert [one.overrides for one in it.configurations] == [{}, {}]


def test_a_prompt_in_a_configuration_replaces_the_one_beside_it() -> None:
    named = AgentDefaults("m", "docs-agent", 3)
    one, two, three = space(
        {
            "way": [
                {"name": "kept"},
                {"name": "text", "system_prompt": "Be brief."},
                {"name": "next", "prompt": "docs-agent:4"},
            ]
        },
        named,
    ).configurations
    assert (one.candidate.prompt_name, one.candidate.prompt_version) == ("docs-agent", 3)
    assert (two.candidate.prompt_name, two.candidate.parameters) == (None, (("system_prompt", "Be brief."),))
    assert three.overrides == {"prompt_name": "docs-agent", "prompt_version": 4}
    deployed = space({"prompt": ["docs-agent:1", "docs-agent:2"]})
    assert all("system_prompt" not in dict(one.candidate.parameters) for one in deployed.configurations)


def test_the_same_candidate_twice_is_measured_once_and_said() -> None:
    it = space({"retries": [{"name": "deployed"}, 2, 3]})
    assert [one.values["retries"] for one in it.configurations] == ["deployed", "3"]
    assert it.notes[0] == "retries 2 is the same as retries deployed: measured once"


def test_one_candidate_alone_is_no_experiment() -> None:
    with pytest.raises(InvalidRequestError, match="nothing to compare"):
        space({"retries": [{"name": "deployed"}, 2]})


def test_a_prompt_too_long_for_a_variable_comes_with_the_request_and_is_said() -> None:
    long = [{"name": "long", "system_prompt": "x" * 5_001}, {"name": "short", "system_prompt": "y"}]
    it = space({"system_prompt": long}, own_runtimes=True)
    assert [list(one.overrides) for one in it.configurations] == [["system_prompt"], []]
    assert "system_prompt" not in dict(it.runtimes[0].candidate.parameters)
    assert "the system prompt of c01" in it.notes[0]


def test_a_sample_is_drawn_by_the_seed_alone() -> None:
    dimensions = {"top_k": list(range(1, 21)), "max_turns": list(range(1, 11))}
    search = {"strategy": "random", "sample": 12, "seed": 5}
    one, again = (space(dimensions, search=search) for _ in range(2))
    other = space(dimensions, search=search | {"seed": 6})
    assert one == again
    assert len(one.configurations) == 12
    assert [c.values for c in one.configurations] != [c.values for c in other.configurations]
    assert len(space({"top_k": [1, 2]}, search={"sample": 50}).configurations) == 2


def test_ids_have_as_many_digits_as_they_need() -> None:
    it = space({"top_k": list(range(1, 51)), "max_turns": [1, 2, 3]})
    assert (it.configurations[0].configuration_id, it.configurations[-1].configuration_id) == ("c001", "c150")


def test_production_itself_can_be_what_applies_beside_the_file() -> None:
    production = Candidate("1.ecr/agent", "sha256:" + "a" * 64, "m", "p", 1, (("top_k", 4),))
    first, second = space({"top_k": [{"name": "as it is"}, 5]}, production).configurations
    assert first.candidate == production
    assert dict(second.candidate.parameters) == {"top_k": 5}


_VALUES: dict[str, list[Any]] = {
    "model": ["a", "b", {"name": "kept"}],
    "temperature": [0, 0.7, {"name": "unset"}],
    "top_k": [3, 5, {"name": "unset"}],
    "tools": [["search"], {"name": "unset"}],
    "retries": [1, True, {"name": "unset"}],
    "image": ["production", "v2"],
    "way": [
        {"name": "kept"},
        {"name": "text", "system_prompt": "Be brief."},
        {"name": "long", "system_prompt": "z" * 5_001},
        {"name": "named", "prompt": "docs:2"},
        {"name": "next", "prompt": "docs:3"},
    ],
}
_BASES: list[AgentDefaults] = [
    BASE,
    AgentDefaults("a", "docs", 2, (("temperature", 0.7), ("top_k", 5), ("tools", "search"))),
    AgentDefaults("c", parameters=(("retries", 1), ("max_turns", 3))),
]


@st.composite
def _files(draw: st.DrawFn) -> ExperimentFile:
    names = draw(st.lists(st.sampled_from(sorted(_VALUES)), min_size=1, max_size=4, unique=True))
    dimensions = {name: draw(st.permutations(_VALUES[name]))[: draw(st.integers(2, 5))] for name in names}
    return file(dimensions, own_runtimes=draw(st.booleans()))


@given(_files(), st.sampled_from(_BASES))
def test_request_and_runtime_together_are_always_the_candidate(of: ExperimentFile, base: AgentDefaults) -> None:
    try:
        it = expand(of, images=IMAGES, base=base)
    except InvalidRequestError:  # all values came to what the base has
        reject()
    assert all(answers_as(one, it.runtimes) for one in it.configurations)
    assert len({one.candidate.candidate_id for one in it.configurations}) == len(it.configurations)
    rest: set[tuple[str, tuple[tuple[str, Parameter], ...]]] = {
        (one.candidate.image_uri, tuple((n, str(v)) for n, v in one.candidate.parameters if n not in OVERRIDABLE))
        for one in it.configurations
    }
    assert len(it.runtimes) == (len(it.configurations) if of.own_runtimes else len(rest))


def test_max_tokens_of_a_file_is_the_agents_output_limit() -> None:
    it = space({"max_tokens": [200, 400]})
    assert [one.overrides for one in it.configurations] == [{"max_output_tokens": 200}, {"max_output_tokens": 400}]
    assert it.notes == ()


def test_what_becomes_a_variable_that_the_agent_has_to_read_is_said_once_each() -> None:
    it = space({"retries": [1, 2], "chunk_size": [100, 200], "top_k": [3]})
    assert [note.split(" ", 1)[0] for note in it.notes] == ["chunk_size", "retries"]
    assert "environment variable RETRIES" in it.notes[1]
