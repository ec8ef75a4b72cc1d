"""What the product believes the agent takes is what the agent takes."""

import re
from contextlib import nullcontext
from typing import Any

import pytest
from pydantic import ValidationError

from agent.settings import Hyperparameters
from flywheel.domain.agent_parameters import (
    NUMBERS,
    TEXTS,
    allowed_variable,
    only_the_agent_knows,
    prompt_reference,
    read_setting,
    setting_name,
)
from flywheel.domain.experiment import OVERRIDABLE


def takes(**settings: Any) -> bool:
    try:
        Hyperparameters.model_validate({"model_id": "m"} | settings, strict=True)
    except ValidationError:
        return False
    return True


def test_every_hyperparameter_of_the_agent_can_be_overridden_and_is_known_here() -> None:
    known = set(NUMBERS) | set(TEXTS) | {"prompt_name", "prompt_version", "tools"}
    assert set(Hyperparameters.model_fields) == known == OVERRIDABLE


@pytest.mark.parametrize("name", NUMBERS)
def test_the_ranges_of_numbers_are_the_agents(name: str) -> None:
    allowed = NUMBERS[name]
    step = 1 if allowed.whole else 0.001
    low, high = (int(allowed.low), int(allowed.high)) if allowed.whole else (allowed.low, allowed.high)
    assert [takes(**{name: value}) for value in (low - step, low, high, high + step)] == [False, True, True, False]
    assert [allowed.holds(value) for value in (low - step, low, high, high + step)] == [False, True, True, False]
    assert takes(**{name: 1.5}) is allowed.holds(1.5)


@pytest.mark.parametrize("name", TEXTS)
def test_the_lengths_of_texts_are_the_agents(name: str) -> None:
    assert [takes(**{name: "x" * length}) for length in (0, 1, TEXTS[name], TEXTS[name] + 1)] == [
        False,
        True,
        True,
        False,
    ]


def test_a_temperature_is_one_number_however_it_is_written() -> None:
    assert str(read_setting("temperature", 1)) == str(read_setting("temperature", 1.0)) == "1.0"


def test_tools_are_their_names_with_commas_between() -> None:
    assert (
        read_setting("tools", ["search", "overview"]) == read_setting("tools", "search,overview") == "search,overview"
    )


@pytest.mark.parametrize(
    ("tools", "fits"),
    [
        ("search", True),
        ("a,b.c_d-9", True),
        ("x" * 128, True),
        (",".join(f"{'x' * 124}{n:04}" for n in range(15)), True),
        ("x" * 129, False),
        (",".join(f"{'x' * 124}{n:04}" for n in range(16)), False),
        ("a,a", False),
        ("a,", False),
        ("a b", False),
        ("", False),
    ],
)
def test_lists_of_tools_are_the_agents(tools: str, fits: bool) -> None:
    assert takes(tools=tools) is fits
    with nullcontext() if fits else pytest.raises(ValueError, match="tool"):
        assert read_setting("tools", tools) == tools


def test_a_prompt_may_have_colons_in_its_name() -> None:
    assert prompt_reference(str(read_setting("prompt", "team:docs agent:12"))) == ("team:docs agent", 12)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("temperature", "hot", "is 'hot'; expected a number from 0 to 2"),
        ("temperature", True, "is True; expected"),
        ("temperature", float("nan"), "is nan; expected"),
        ("temperature", 10**400, "expected a number from 0 to 2"),
        ("top_k", 3.0, "is 3.0; expected a whole number from 1 to 50"),
        ("top_k", 51, "is 51; expected"),
        ("model_id", None, "is null; expected text"),
        ("model_id", "  ", "is empty"),
        ("system_prompt", "x" * 200_001, "has 200001 characters; expected at most 200000"),
        ("system_prompt", "a\ud800", "half a character"),
        ("prompt", "docs-agent", "expected a prompt of Langfuse, name:version"),
        ("prompt", "docs-agent:0", "expected a prompt"),
        ("prompt_version", 3, "prompt, with name:version"),
        ("image", "repo/agent:tag", "expected a tag, a digest or production"),
        ("image", "sha256:abc", "expected a tag, a digest or production"),
        ("tools", [], "expected a list of 1 to 50 names of tools"),
        ("tools", ["a", "a"], "names a tool twice"),
        ("tools", ["a b"], "expected names of tools"),
        ("tools", ["a,b"], "expected a list"),
        ("tools", 3, "is 3; expected names of tools"),
        ("retries", [1], "is a list of 1; expected text, true, false or a number"),
        ("retries", {}, "is an object; expected"),
        ("retries", float("inf"), "is inf; expected"),
        ("retries", 2**53 + 1, "at most 2^53"),
        ("retries", "x" * 5_001, "expected at most 5000"),
        ("port", 1, "no parameter can be called so"),
        ("allow_overrides", True, "no parameter can be called so"),
        ("aws_secret_access_key", "x", "no parameter can be called so"),
        ("langfuse_host", "x", "no parameter can be called so"),
        ("Retries", 1, "no parameter can be called so"),
        ("a-b", 1, "no parameter can be called so"),
        ("a\n", 1, "no parameter can be called so"),
        ("", 1, "no parameter can be called so"),
    ],
)
def test_what_the_agent_does_not_take_is_refused_with_what_is_expected(name: str, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        read_setting(name, value)


def test_a_name_of_flywheels_own_never_becomes_a_variable() -> None:
    assert [allowed_variable(name) for name in ("retries", "Mcp_Url", "otel_x", "a b")] == [True, False, False, False]


@pytest.mark.parametrize("written", ["max_tokens", "max_completion_tokens", "max_new_tokens", "max_output_tokens"])
def test_other_libraries_names_of_a_setting_are_that_setting(written: str) -> None:
    assert setting_name(written) == "max_output_tokens"


def test_a_parameter_that_only_the_agent_knows_is_told_from_flywheels_settings() -> None:
    names = ["retries", "max_output_tokens", "system_prompt", "model_id", "tools", "prompt", "image", "chunk_size"]
    assert [name for name in names if only_the_agent_knows(name)] == ["retries", "chunk_size"]
