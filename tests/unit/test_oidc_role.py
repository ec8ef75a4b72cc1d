"""The role that GitHub assumes: one environment of one repository there, one repository of ECR here."""

from pathlib import Path
from typing import Any

import pytest

from tests.policies import ACCOUNT, REGION, ROOT, Policies, actions, decide, load

TEMPLATE = ROOT / ".github" / "oidc-role.yaml"
GITHUB = {"GitHubOwner": "octo-org", "GitHubRepository": "agents"}
IMMUTABLE = {"GitHubOwnerId": "123456", "GitHubRepositoryId": "456789"}
WAITS = {"StackName": "flywheel-dev", "EvidenceBucketName": "flywheel-dev-evidencebucket-1a2b3c"}


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return load(Path(TEMPLATE))


def trust(template: dict[str, Any], **parameters: str) -> dict[str, Any]:
    document = template["Resources"]["PushRole"]["Properties"]["AssumeRolePolicyDocument"]
    (statement,) = Policies(template, **GITHUB, **parameters).filled(document)["Statement"]
    return dict(statement)


@pytest.mark.parametrize("environment", ["dev", "tst", "prd"])
@pytest.mark.parametrize(
    ("numbers", "repository"), [({}, "octo-org/agents"), (IMMUTABLE, "octo-org@123456/agents@456789")]
)
def test_exactly_one_environment_of_one_repository_is_trusted(
    environment: str, numbers: dict[str, str], repository: str, template: dict[str, Any]
) -> None:
    statement = trust(template, GitHubEnvironment=environment, **numbers)

    assert statement["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": f"repo:{repository}:environment:{environment}",
        }
    }


@pytest.mark.parametrize(
    ("makes", "provider"),
    [
        ("true", "Provider"),
        ("false", f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"),
    ],
)
def test_only_githubs_provider_is_trusted(makes: str, provider: str, template: dict[str, Any]) -> None:
    assert trust(template, CreateProvider=makes)["Principal"] == {"Federated": provider}


def statements(template: dict[str, Any], **parameters: str) -> list[dict[str, Any]]:
    policies = template["Resources"]["PushRole"]["Properties"]["Policies"]
    filled = Policies(template, **GITHUB, **parameters).filled(policies)
    return [statement for policy in filled for statement in policy["PolicyDocument"]["Statement"]]


def test_images_are_pushed_to_one_repository_and_nothing_is_deleted(template: dict[str, Any]) -> None:
    found = statements(template, RepositoryName="flywheel-agent-prd")
    other = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/flywheel-agent-prd2"

    assert decide(found, "ecr:PutImage", other.removesuffix("2"), {}) == "allowed"
    assert decide(found, "ecr:PutImage", other, {}) == "implicitly denied"
    assert not [action for action, _ in actions(found) if "Delete" in action or "*" in action]


def test_without_a_stack_it_pushes_and_reads_nothing(template: dict[str, Any]) -> None:
    services = {action.partition(":")[0] for action, _ in actions(statements(template, StackName=""))}

    assert services == {"ecr"}


def test_with_a_stack_it_reads_gates_and_their_evidence_and_writes_nothing(template: dict[str, Any]) -> None:
    found = statements(template, **WAITS)

    assert {action for action, _ in actions(found) if not action.startswith("ecr:")} == {
        "cloudformation:DescribeStacks",
        "dynamodb:GetItem",
        "dynamodb:Query",
        "s3:GetObject",
        "s3:ListBucket",
        "states:DescribeExecution",
        "states:GetExecutionHistory",
    }
    assert [a for a, s in actions(found) if s["Resource"] == "*"] == ["ecr:GetAuthorizationToken"]


def test_a_boundary_and_a_key_are_taken_over(template: dict[str, Any]) -> None:
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
    role = Policies(template, **GITHUB, PermissionsBoundaryArn="arn:aws:iam::aws:policy/x").filled(
        template["Resources"]["PushRole"]["Properties"]
    )

    assert role["PermissionsBoundary"] == "arn:aws:iam::aws:policy/x"
    assert [s["Resource"] for a, s in actions(statements(template, KmsKeyArn=key, **WAITS)) if a == "kms:Decrypt"] == [
        key
    ]
