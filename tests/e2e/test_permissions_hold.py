"""What AWS would refuse, the deployed stack refuses: a role lacks a statement, and the gate fails closed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import boto3
import pytest

from tests.e2e.agents import Told
from tests.e2e.system import System


def role_of(function: str) -> str:
    """Name of the role of a function of the deployed stack."""
    pages = boto3.client("lambda").get_paginator("list_functions").paginate()
    (arn,) = [f["Role"] for page in pages for f in page["Functions"] if function in f["FunctionName"]]
    return str(arn.rpartition("/")[2])


@contextmanager
def lacking(function: str, sid: str) -> Iterator[set[str]]:
    """Take a statement from a function's role for a while; gives the actions that it allowed."""
    iam, role = boto3.client("iam"), role_of(function)
    before: dict[str, dict[str, Any]] = {
        name: dict(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    }
    taken = [s for document in before.values() for s in document["Statement"] if s.get("Sid") == sid]
    assert taken, f"{function} has no statement {sid}"
    for name, document in before.items():
        rest = [statement for statement in document["Statement"] if statement.get("Sid") != sid]
        left = json.dumps(document | {"Statement": rest})
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=left)
    try:
        yield {action for s in taken for action in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])}
    finally:
        for name, document in before.items():
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


@pytest.mark.parametrize("sid", ["DefaultEndpointIsMade", "TagsAreGiven", "RuntimesHaveAnIdentity"])
def test_a_gate_is_refused_its_runtime_when_what_creating_implies_is_not_allowed(
    system: System, good: Told, sid: str
) -> None:
    with lacking("DeployCandidate", sid) as actions:
        row = system.gated(replace(good, mark=f"lacking-{sid}"))

    assert (row.verdict, row.promoted) == ("INCONCLUSIVE", False), row.reasons
    said = json.dumps(system.document(row.gate_id, "failure.json"))
    assert any(f"{action} is not allowed on arn:aws:" in said for action in actions), said
    assert system.short_lived_runtimes() == []


def test_the_same_push_passes_with_the_roles_of_the_template(system: System, good: Told) -> None:
    row = system.gated(replace(good, mark="lacking-nothing"))

    assert row.verdict == "PASS", row.reasons
    assert system.short_lived_runtimes() == []
