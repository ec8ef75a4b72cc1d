"""Candidate -> environment and tags of a runtime; what may be deleted, and how old it is."""

from dataclasses import replace
from datetime import timedelta

import pytest

from flywheel.domain.candidate import Candidate
from flywheel.domain.experiment import RuntimePlan
from flywheel.domain.plan import ArmPlan
from flywheel.errors import InvalidRequestError
from flywheel.ports import Network
from flywheel.runtimes import (
    age,
    deletable,
    experiment_spec,
    network,
    production_spec,
    runtime_environment,
    short_lived_spec,
    token,
)
from tests.fakes.clock import NOON
from tests.fakes.world import DIGEST, surroundings

AROUND = surroundings("candidate")


def test_parameters_become_variables_and_a_prompt_its_name_and_version() -> None:
    candidate = Candidate("u", DIGEST, "m", "agent-system", 3, (("temperature", 0.2), ("verbose", True)))
    environment = runtime_environment(candidate, AROUND)
    assert environment["TEMPERATURE"] == "0.2"
    assert environment["VERBOSE"] == "true"
    assert (environment["PROMPT_NAME"], environment["PROMPT_VERSION"]) == ("agent-system", "3")


@pytest.mark.parametrize(
    "name", ["MODEL_ID", "allow_overrides", "langfuse_secret_key", "aws_profile", "otel_x", "port", "a b", "", "1x"]
)
def test_a_parameter_cannot_replace_what_is_not_its_own(name: str) -> None:
    with pytest.raises(InvalidRequestError, match="must not be called"):
        runtime_environment(Candidate("u", DIGEST, "m", parameters=((name, "x"),)), AROUND)


def test_a_token_is_long_enough_and_the_same_for_the_same_parts() -> None:
    assert token("a", "b") == token("a", "b") != token("ab", "")
    assert 33 <= len(token("a")) <= 256


@pytest.mark.parametrize(
    ("tags", "allowed"),
    [
        ({"flywheel:lifetime": "short-lived", "flywheel:stack": "flywheel-dev"}, True),
        ({"flywheel:lifetime": "short-lived", "flywheel:stack": "flywheel-prd"}, False),
        ({"flywheel:lifetime": "production", "flywheel:stack": "flywheel-dev"}, False),
        ({"flywheel:stack": "flywheel-dev"}, False),
        ({}, False),
    ],
)
def test_only_what_is_tagged_short_lived_and_ours_may_be_deleted(tags: dict[str, str], allowed: bool) -> None:
    assert deletable(tags, "flywheel-dev") is allowed


@pytest.mark.parametrize("created", [None, "", "yesterday", "2026-11-23T11:00:00"])
def test_an_age_that_cannot_be_told_is_none(created: str | None) -> None:
    assert age({} if created is None else {"flywheel:created": created}, NOON) is None


def test_age_is_counted_from_the_tag() -> None:
    assert age({"flywheel:created": "2026-11-23T13:00:00+02:00"}, NOON) == timedelta(hours=1)


@pytest.mark.parametrize(
    ("subnets", "groups", "expected"),
    [
        ("", "", None),
        ("subnet-1,subnet-2", "sg-1", Network(("subnet-1", "subnet-2"), ("sg-1",))),
        (" subnet-1 , subnet-2,", "sg-1, sg-2", Network(("subnet-1", "subnet-2"), ("sg-1", "sg-2"))),
    ],
)
def test_a_vpc_is_named_by_its_subnets_and_groups(subnets: str, groups: str, expected: Network | None) -> None:
    assert network(subnets, groups) == expected


@pytest.mark.parametrize(("subnets", "groups"), [("subnet-1", ""), ("", "sg-1"), (",", "sg-1")])
def test_half_a_vpc_is_refused(subnets: str, groups: str) -> None:
    with pytest.raises(InvalidRequestError, match="give both, or neither"):
        network(subnets, groups)


def test_every_runtime_is_in_the_vpc_of_the_stack() -> None:
    around = replace(AROUND, network=Network(("subnet-1",), ("sg-1",)))
    candidate = Candidate("registry/agent", DIGEST, "m")
    specs = [
        short_lived_spec("g-1", ArmPlan("candidate", candidate, "fw_dev_c"), around, NOON),
        production_spec("g-1", "flywheel_agent_dev", candidate, around, NOON),
        experiment_spec("x-1", RuntimePlan("r01", candidate), "fw_dev_x", around, NOON),
    ]

    assert [spec.network for spec in specs] == [around.network] * 3
