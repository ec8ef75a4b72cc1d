"""`flywheel doctor` against the deployed stack: in order it says so; each planted fault is found, with its mend."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient

from cli.doctor_clients import READS
from tests.e2e.agents import Told
from tests.e2e.system import System

pytestmark = pytest.mark.stand_in

type Findings = dict[str, dict[str, str]]


def doctor(system: System, *arguments: str) -> tuple[int, Findings]:
    """Exit code, and the findings by their titles."""
    result = system.run("--stack", system.info.stack, "doctor", "--json", *arguments)
    assert result.exit_code in (0, 1), result.output
    return result.exit_code, {found["title"]: found for found in json.loads(result.stdout)["findings"]}


def wrong(findings: Findings) -> dict[str, str]:
    return {title: found["detail"] for title, found in findings.items() if found["status"] == "wrong"}


@pytest.fixture
def heard(system: System) -> Iterator[None]:
    """Somebody hears the alarms."""
    sns = boto3.client("sns")
    queue = boto3.client("sqs").create_queue(QueueName="doctor-hears")["QueueUrl"]
    arn = boto3.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    made = sns.subscribe(
        TopicArn=system.outputs["NotificationTopicArn"], Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True
    )["SubscriptionArn"]
    yield
    sns.unsubscribe(SubscriptionArn=made)
    boto3.client("sqs").delete_queue(QueueUrl=queue)


@contextmanager
def parameter(path: str, value: str | None, kind: str = "String") -> Iterator[None]:
    """Another value of a parameter for a while, or none."""
    ssm = boto3.client("ssm")
    before = ssm.get_parameter(Name=path, WithDecryption=True)["Parameter"]
    ssm.delete_parameter(Name=path)
    if value is not None:
        ssm.put_parameter(Name=path, Value=value, Type=kind)  # type: ignore[arg-type]
    try:
        yield
    finally:
        ssm.put_parameter(Name=path, Value=before["Value"], Type="String", Overwrite=True)
        ssm.delete_parameter(Name=path)
        ssm.put_parameter(Name=path, Value=before["Value"], Type=before["Type"])


@pytest.mark.usefixtures("heard")
def test_a_stack_in_order_has_nothing_wrong_and_is_only_read(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    made: set[str] = set()
    call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def recorded(self: Any, name: str, params: Any) -> Any:
        made.add(name)
        return call(self, name, params)

    monkeypatch.setattr(BaseClient, "_make_api_call", recorded)
    code, findings = doctor(system)

    assert wrong(findings) == {}
    assert code == 0
    assert {found["group"] for found in findings.values()} >= {"quotas", "permissions", "langfuse", "wiring", "wheels"}
    assert made >= {"SimulatePrincipalPolicy", "GetAccountSettings", "DescribeAlarms"}
    assert [name for name in made if not READS.fullmatch(name)] == []


@pytest.fixture
def unheard(system: System) -> Iterator[None]:
    """Nobody hears the alarms, whoever else does in these tests."""
    sns, topic = boto3.client("sns"), system.outputs["NotificationTopicArn"]
    others = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    for one in others:
        sns.unsubscribe(SubscriptionArn=one["SubscriptionArn"])
    yield
    for one in others:
        sns.subscribe(TopicArn=topic, Protocol=one["Protocol"], Endpoint=one["Endpoint"])


@pytest.mark.usefixtures("unheard")
def test_an_alarm_that_nobody_hears_is_found(system: System) -> None:
    code, findings = doctor(system, "--only", "wiring")

    assert code == 1
    assert "NotificationEmail" in findings["subscribers of verdicts and alarms"]["mend"]


@pytest.mark.parametrize(
    ("who", "action"),
    [
        ("deploy_candidate", "bedrock-agentcore:CreateAgentRuntimeEndpoint"),
        ("retire_candidate", "bedrock-agentcore:DeleteWorkloadIdentity"),
        ("evaluate_shard", "ssm:GetParameter"),
    ],
)
def test_a_missing_action_is_found_in_the_role_that_needs_it(system: System, who: str, action: str) -> None:
    iam = boto3.client("iam")
    resources = boto3.client("cloudformation").describe_stack_resource(
        StackName=system.info.stack, LogicalResourceId="".join(w.capitalize() for w in who.split("_")) + "FunctionRole"
    )
    role = resources["StackResourceDetail"]["PhysicalResourceId"]
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": action, "Resource": "*"}]}
    iam.put_role_policy(RoleName=role, PolicyName="planted", PolicyDocument=json.dumps(deny))
    try:
        _, findings = doctor(system, "--only", "permissions")
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="planted")

    assert list(wrong(findings)) == [f"role of {who}"]
    assert action in wrong(findings)[f"role of {who}"]


def test_a_missing_parameter_and_an_open_secret_are_found(system: System) -> None:
    key = f"{system.outputs['SettingsPrefix']}/judge-api-key"
    with parameter(key, None):
        _, missing = doctor(system, "--only", "settings")
    with parameter(key, "sk-open", "String"):
        _, opened = doctor(system, "--only", "settings")

    assert "put-parameter --type SecureString" in missing[f"SSM {key}"]["mend"]
    assert opened[f"SSM {key}"]["status"] == "wrong"


def test_a_wrong_key_of_langfuse_is_found(system: System) -> None:
    with parameter(f"{system.outputs['LangfuseParameterPrefix']}/LANGFUSE_SECRET_KEY", "sk-lf-wrong", "SecureString"):
        code, findings = doctor(system, "--only", "langfuse")

    assert code == 1
    assert any(title.startswith("Langfuse http") for title in wrong(findings))


def test_a_model_without_access_is_found(system: System) -> None:
    with system.setting("agent", {"model_id": "us.anthropic.claude-3-5-sonnet-20241022-v2:0"}):
        _, findings = doctor(system, "--only", "models")

    assert [title for title in wrong(findings) if title.startswith("model of the agent")]


def test_one_small_gate_of_the_incumbent_goes_through_everything(system: System, good: Told) -> None:
    assert system.gated(good).verdict == "PASS"

    _, findings = doctor(system, "--only", "settings", "--gate", "--gate-timeout", "120")

    found = findings["a small gate of the incumbent"]
    assert (found["status"], "trials went through everything" in found["detail"]) == ("ok", True), found
