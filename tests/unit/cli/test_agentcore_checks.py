"""The table of what AgentCore's calls authorise: complete, well-formed, and told as it is used."""

import pytest

from cli.agentcore_checks import Check, Target, checks, table

WHERE = Target(
    region="eu-central-1",
    account="123456789012",
    runtime="fw_dev_a-0123456789",
    role="arn:aws:iam::123456789012:role/candidate",
)
SERVICE = "runtime-identity.bedrock-agentcore.amazonaws.com"
EVERY = [(call, check) for call, found in table().items() for check in found]


@pytest.mark.parametrize(("call", "check"), EVERY)
def test_a_check_can_be_filled_in_and_says_where_it_is_from(call: str, check: Check) -> None:
    arn = WHERE.arn(check)

    assert arn == "*" or (arn.startswith("arn:aws:") and "{" not in arn)
    assert check.certainty in {"measured", "documented", "assumed"}
    assert check.when in {"always", "tags", "new_account", "vpc"}
    assert check.tags in {"request", "resource", "none"}
    assert check.source


@pytest.mark.parametrize("call", sorted(table()))
def test_the_first_check_of_a_call_is_its_own_action(call: str) -> None:
    assert table()[call][0].action == f"bedrock-agentcore:{call}"


def test_creating_a_runtime_asks_for_its_endpoint_its_identity_its_tags_and_its_role() -> None:
    asked = {(check.action, WHERE.arn(check).rpartition("123456789012:")[2]) for check in checks("CreateAgentRuntime")}

    assert asked == {
        ("bedrock-agentcore:CreateAgentRuntime", "runtime/*"),
        ("bedrock-agentcore:CreateAgentRuntimeEndpoint", "runtime/*"),
        ("bedrock-agentcore:CreateWorkloadIdentity", "workload-identity-directory/default"),
        ("bedrock-agentcore:CreateWorkloadIdentity", "workload-identity-directory/default/workload-identity/*"),
        ("bedrock-agentcore:GetWorkloadIdentity", "workload-identity-directory/default"),
        ("bedrock-agentcore:GetWorkloadIdentity", "workload-identity-directory/default/workload-identity/*"),
        ("bedrock-agentcore:TagResource", "runtime/*"),
        ("bedrock-agentcore:TagResource", "workload-identity-directory/default"),
        ("bedrock-agentcore:TagResource", "workload-identity-directory/default/workload-identity/*"),
        ("iam:PassRole", "role/candidate"),
        (
            "iam:CreateServiceLinkedRole",
            f"role/aws-service-role/{SERVICE}/AWSServiceRoleForBedrockAgentCoreRuntimeIdentity",
        ),
    }


def test_a_deletion_is_checked_without_tags_before_it_is_checked_with_them() -> None:
    first, second, *_ = checks("DeleteAgentRuntime")

    assert (first.resource.rpartition(":")[2], first.tags) == ("runtime/*", "none")
    assert (second.resource.rpartition(":")[2], second.tags) == ("runtime/{runtime}", "resource")


def test_a_vpc_and_tags_ask_for_more() -> None:
    services = [
        check.context["iam:AWSServiceName"]
        for check in checks("CreateAgentRuntime", when=frozenset({"always", "vpc"}))
        if check.action == "iam:CreateServiceLinkedRole"
    ]

    assert services == ["network.bedrock-agentcore.amazonaws.com"]
    assert not [check for check in checks("CreateAgentRuntime", when=frozenset({"always"})) if check.when == "tags"]
