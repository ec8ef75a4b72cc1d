"""The template deployed with a VPC, a permissions boundary and a key, as a platform team would.

MiniStack takes the boundary of a role and keeps it nowhere: tests/unit/test_template_parameters.py has that.
"""

import json
from collections.abc import Iterator

import boto3
import pytest

from local import deploy, stack
from tests.e2e.conftest import pointed_at

BOUNDARY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What was given to the deployed stack; boto3 points at it."""
    state = tmp_path_factory.mktemp("everything")
    try:
        info = stack.up(state=state)
        with pointed_at(info):
            parameters = {
                "SubnetIds": "subnet-11111111,subnet-22222222",
                "SecurityGroupIds": "sg-11111111",
                "PermissionsBoundaryArn": boto3.client("iam").create_policy(
                    PolicyName="team-boundary", PolicyDocument=json.dumps(BOUNDARY)
                )["Policy"]["Arn"],
                "KmsKeyArn": boto3.client("kms").create_key()["KeyMetadata"]["Arn"],
            }
            deploy.deploy(
                info, parameters | {"JudgeBaseUrl": info.model_url, "McpUrl": info.mcp_url}, state=state, settings={}
            )
            yield parameters
    finally:
        stack.down(state)


def test_the_functions_that_make_runtimes_know_the_vpc(given: dict[str, str]) -> None:
    client = boto3.client("lambda")
    functions = [f for page in client.get_paginator("list_functions").paginate() for f in page["Functions"]]
    variables = [f["Environment"]["Variables"] for f in functions if "Candidate" in f["FunctionName"]]

    assert {v.get("AGENT_SUBNET_IDS") for v in variables} == {given["SubnetIds"], None}
    assert {v.get("AGENT_SECURITY_GROUP_IDS") for v in variables} == {given["SecurityGroupIds"], None}


def test_the_key_is_taken_over(given: dict[str, str]) -> None:
    groups = boto3.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/flywheel-dev-")["logGroups"]
    sqs = boto3.client("sqs")
    (queue,) = sqs.list_queues(QueueNamePrefix="flywheel-dev-dead-letters")["QueueUrls"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]

    assert {group.get("kmsKeyId") for group in groups} == {given["KmsKeyArn"]}
    assert attributes["KmsMasterKeyId"] == given["KmsKeyArn"]


def test_whoever_runs_code_may_use_the_key_and_no_network_interface(given: dict[str, str]) -> None:
    iam = boto3.client("iam")
    names = [role["RoleName"] for page in iam.get_paginator("list_roles").paginate() for role in page["Roles"]]
    (role,) = [name for name in names if "PlanGateFunctionRole" in name]
    policies = iam.list_role_policies(RoleName=role)["PolicyNames"]

    assert {"key-through-the-services", "network-interfaces-are-lambdas"} <= set(policies)
