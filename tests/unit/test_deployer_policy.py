"""What whoever deploys may do (docs/deployer-policy.json) against what CloudFormation does for them.

The schemas of resources, which cfn-lint carries, name the permissions of the handlers that create, read, update and
delete. Those of features that the template does not use are left out here, each by its feature.
"""

import json
import subprocess
from importlib.resources import files
from typing import Any

import pytest

from tests.policies import ROOT, actions, decide

POLICY = json.loads((ROOT / "docs" / "deployer-policy.json").read_text())["Statement"]
HANDLERS = ("create", "read", "update", "delete")
# What the template does not use: no replica, import or stream of tables, no code signing, capacity provider, EFS,
# S3 Tables or replication, no policies of users and groups, no aliases of keys, no delivery of logs to Firehose or S3.
UNUSED = {
    "dynamodb:AssociateTableReplica",
    "dynamodb:BatchWriteItem",
    "dynamodb:CreateTableReplica",
    "dynamodb:DeleteItem",
    "dynamodb:DisableKinesisStreamingDestination",
    "dynamodb:EnableKinesisStreamingDestination",
    "dynamodb:GetItem",
    "dynamodb:ImportTable",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:UpdateItem",
    "dynamodb:UpdateKinesisStreamingDestination",
    "elasticfilesystem:DescribeMountTargets",
    "firehose:TagDeliveryStream",
    "iam:CreateServiceLinkedRole",
    "iam:DeleteGroupPolicy",
    "iam:DeleteUserPolicy",
    "iam:GetGroupPolicy",
    "iam:GetUserPolicy",
    "iam:PutGroupPolicy",
    "iam:PutUserPolicy",
    "kinesis:DescribeStream",
    "kinesis:PutRecords",
    "kms:ListAliases",
    "kms:ReEncrypt",  # a family, not an action
    "lambda:AssociateRuntimeAlias",
    "lambda:PassCapacityProvider",
    "logs:CreateLogStream",
    "logs:PutBearerTokenAuthentication",
    "logs:PutLogEvents",
    "s3:CreateBucketMetadataTableConfiguration",
    "s3:DeleteObject",
    "s3:REST.PUT.OBJECT",
    "s3:UpdateBucketMetadataAnnotationTableConfiguration",
    "s3:UpdateBucketMetadataInventoryTableConfiguration",
    "s3:UpdateBucketMetadataJournalTableConfiguration",
    "s3files:ListMountTargets",
}
UNUSED_SERVICES = {"s3tables"}


def schema(kind: str) -> dict[str, Any]:
    schemas = files("cfnlint") / "data" / "schemas"
    name = json.loads((schemas / "providers" / "us-east-1.json").read_text())[kind]
    found: dict[str, Any] = json.loads((schemas / "resources" / f"{name}.json").read_text())
    return found


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every type of resource of the template, those that SAM makes among them."""
    out = tmp_path_factory.mktemp("expanded") / "template.json"
    python, script = ROOT / ".local" / "venv" / "sam" / "bin" / "python", ROOT / "tests" / "security" / "expand.py"
    subprocess.run([python, script, ROOT / "template.yaml", out], check=True)
    return {resource["Type"] for resource in json.loads(out.read_text())["Resources"].values()}


def permissions(kind: str) -> set[str]:
    handlers = schema(kind).get("handlers", {})
    return {one for handler in HANDLERS for one in handlers.get(handler, {}).get("permissions", [])}


def allowed(action: str) -> bool:
    """On some resource, whatever it is called."""
    statements = [statement | {"Resource": "*", "Condition": {}} for statement in POLICY]
    return decide(statements, action, "anything", {}) == "allowed"


def test_whoever_deploys_may_do_what_cloudformation_does_for_them(kinds: set[str]) -> None:
    missing = {
        kind: sorted(
            action
            for action in permissions(kind)
            if action not in UNUSED and action.partition(":")[0] not in UNUSED_SERVICES and not allowed(action)
        )
        for kind in kinds
    }

    assert {kind: actions for kind, actions in missing.items() if actions} == {}


def test_every_type_of_the_template_says_what_its_handlers_need(kinds: set[str]) -> None:
    assert not [kind for kind in kinds if not permissions(kind)]


@pytest.mark.parametrize(
    "action",
    [
        "cloudwatch:PutDashboard",
        "cloudwatch:DeleteDashboards",
        "iam:GetRolePolicy",
        "iam:DetachRolePolicy",
        "dynamodb:DescribeContinuousBackups",
        "lambda:PutFunctionConcurrency",
    ],
)
def test_what_was_missing_once_is_there(action: str) -> None:
    assert allowed(action)


def test_whoever_deploys_can_neither_read_tables_nor_delete_evidence_nor_touch_a_runtime() -> None:
    for action in ("dynamodb:GetItem", "s3:DeleteObject", "bedrock-agentcore:DeleteAgentRuntime", "ssm:GetParameter"):
        assert not allowed(action)


def test_roles_are_made_and_passed_under_the_name_of_the_stack_only() -> None:
    for action, statement in actions(POLICY):
        if action.startswith("iam:"):
            assert statement["Resource"] == "arn:aws:iam::ACCOUNT:role/STACK-*"


def test_it_fits_into_one_managed_policy() -> None:
    assert len(json.dumps({"Version": "2012-10-17", "Statement": POLICY}, separators=(",", ":"))) <= 6144
