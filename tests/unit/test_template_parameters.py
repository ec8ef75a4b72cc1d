"""What an account of one's own asks for: a VPC, a permissions boundary, a key; and that defaults deploy anywhere."""

import json
import subprocess
from typing import Any

import pytest

from tests.policies import ROOT, Policies, load

KEY = "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d-4e5f-6789-abcd-ef0123456789"
BOUNDARY = "arn:aws:iam::123456789012:policy/team/boundary"
NEW = ("SubnetIds", "SecurityGroupIds", "PermissionsBoundaryArn", "KmsKeyArn")


@pytest.fixture(scope="module")
def expanded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The template as CloudFormation sees it, with the roles that SAM makes."""
    out = tmp_path_factory.mktemp("expanded") / "template.json"
    python, script = ROOT / ".local" / "venv" / "sam" / "bin" / "python", ROOT / "tests" / "security" / "expand.py"
    subprocess.run([python, script, ROOT / "template.yaml", out], check=True)
    plain: dict[str, Any] = json.loads(out.read_text())
    return plain


def of_type(template: dict[str, Any], *types: str) -> dict[str, dict[str, Any]]:
    found = {name: r.get("Properties", {}) for name, r in template["Resources"].items() if r["Type"] in types}
    assert found, types
    return found


def under(template: dict[str, Any], properties: dict[str, Any], **parameters: str) -> Any:
    return Policies(template, **parameters).filled(properties)


def test_every_role_has_the_boundary_when_there_is_one(expanded: dict[str, Any]) -> None:
    for name, role in of_type(expanded, "AWS::IAM::Role").items():
        bounded = under(expanded, role["PermissionsBoundary"], PermissionsBoundaryArn=BOUNDARY)
        assert bounded == BOUNDARY, name
        assert under(expanded, role["PermissionsBoundary"]) is None, name


def test_every_function_is_in_the_vpc_when_there_is_one(expanded: dict[str, Any]) -> None:
    for name, function in of_type(expanded, "AWS::Lambda::Function").items():
        inside = under(expanded, function["VpcConfig"], SubnetIds="subnet-1,subnet-2", SecurityGroupIds="sg-1")
        assert inside == {"SubnetIds": "subnet-1,subnet-2", "SecurityGroupIds": "sg-1"}, name
        assert under(expanded, function["VpcConfig"]) is None, name


def test_the_functions_that_make_runtimes_know_the_vpc() -> None:
    template = load()
    for function in ("DeployCandidateFunction", "PromoteCandidateFunction"):
        variables = template["Resources"][function]["Properties"]["Environment"]["Variables"]
        assert variables["AGENT_SUBNET_IDS"] == {"Fn::Join": [",", {"Ref": "SubnetIds"}]}
        assert variables["AGENT_SECURITY_GROUP_IDS"] == {"Fn::Join": [",", {"Ref": "SecurityGroupIds"}]}


@pytest.mark.parametrize(
    ("kind", "where", "without"),
    [
        ("AWS::Logs::LogGroup", ("KmsKeyId",), None),
        ("AWS::SNS::Topic", ("KmsMasterKeyId",), None),
        ("AWS::SQS::Queue", ("KmsMasterKeyId",), None),
        ("AWS::DynamoDB::Table", ("SSESpecification", "KMSMasterKeyId"), None),
    ],
)
def test_what_keeps_data_is_under_the_key_when_there_is_one(
    kind: str, where: tuple[str, ...], without: None, expanded: dict[str, Any]
) -> None:
    for name, properties in of_type(expanded, kind).items():
        value: Any = properties
        for part in where:
            value = value[part]
        assert under(expanded, value, KmsKeyArn=KEY) == KEY, name
        assert under(expanded, value) is without, name


def test_the_bucket_and_the_queue_change_over_to_the_key(expanded: dict[str, Any]) -> None:
    (bucket,), (queue,) = of_type(expanded, "AWS::S3::Bucket").values(), of_type(expanded, "AWS::SQS::Queue").values()
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]

    assert under(expanded, rule, KmsKeyArn=KEY) == {
        "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY},
        "BucketKeyEnabled": True,
    }
    assert under(expanded, rule) == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert under(expanded, queue["SqsManagedSseEnabled"], KmsKeyArn=KEY) is False
    assert under(expanded, queue["SqsManagedSseEnabled"]) is True


def names(roles: list[dict[str, str]]) -> set[str]:
    return {role["Ref"] for role in roles}


def test_whoever_runs_code_or_sends_letters_may_use_the_key_through_the_services(expanded: dict[str, Any]) -> None:
    policy = expanded["Resources"]["KeyPolicy"]
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    sends = {n for n, role in of_type(expanded, "AWS::IAM::Role").items() if "sqs:SendMessage" in json.dumps(role)}
    functions = {f"{name}Role" for name in of_type(expanded, "AWS::Lambda::Function")}

    assert names(policy["Properties"]["Roles"]) == functions | sends
    assert policy["Condition"] == "HasKey"
    assert statement["Resource"] == {"Ref": "KmsKeyArn"}
    assert list(statement["Condition"]["StringEquals"]) == ["kms:ViaService"]


def test_agents_decrypt_their_credentials_and_nothing_else(expanded: dict[str, Any]) -> None:
    policy = expanded["Resources"]["AgentsKeyPolicy"]["Properties"]
    (statement,) = policy["PolicyDocument"]["Statement"]

    assert names(policy["Roles"]) == {"CandidateRole", "ProductionRole"}
    assert statement["Action"] == "kms:Decrypt"
    assert under(expanded, statement["Condition"]) == {
        "StringEquals": {"kms:ViaService": "ssm.eu-central-1.amazonaws.com"}
    }


def test_the_code_of_no_function_reaches_network_interfaces(expanded: dict[str, Any]) -> None:
    policy = expanded["Resources"]["FunctionsNetworkPolicy"]["Properties"]

    assert names(policy["Roles"]) == {f"{name}Role" for name in of_type(expanded, "AWS::Lambda::Function")}
    for statement in policy["PolicyDocument"]["Statement"]:
        assert statement["Effect"] == "Deny"
        assert statement["Condition"]["Null"] == {"lambda:SourceFunctionArn": "false"}


def test_defaults_deploy_into_an_account_with_ten_executions_at_once(expanded: dict[str, Any]) -> None:
    """AWS refuses a reservation that leaves less than 100 unreserved, and a new account has 10."""
    for name, function in of_type(expanded, "AWS::Lambda::Function").items():
        assert under(expanded, function.get("ReservedConcurrentExecutions", {"Ref": "AWS::NoValue"})) is None, name


@pytest.mark.parametrize("parameter", NEW)
def test_what_a_team_may_bring_is_nothing_by_default(parameter: str) -> None:
    assert load()["Parameters"][parameter]["Default"] == ""
