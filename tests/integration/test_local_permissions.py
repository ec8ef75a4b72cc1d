"""`AUTH=true` refuses what AWS would refuse: the template's own roles, one statement taken away after another."""

import json
import uuid
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from cli.agentcore_checks import checks
from flywheel.adapters.agentcore import AgentCoreRuntimes
from flywheel.errors import FlywheelError, NotFoundError
from local.stack import StackInfo
from tests.local_agents import TRUST
from tests.policies import STACK, Policies, Statement, load

ANYBODY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
SHORT_LIVED = {"flywheel:lifetime": "short-lived", "flywheel:stack": STACK}
# Sids of what creating, and what deleting, a short-lived runtime takes.
CREATING = {
    "ShortLivedRuntimesAreCreated",
    "DefaultEndpointIsMade",
    "TagsAreGiven",
    "CandidateRoleIsPassed",
    "RuntimeIdentityRoleExists",
    "RuntimesHaveAnIdentity",
}
DELETING = {"OnlyShortLivedRuntimesAreDeleted", "WorkloadIdentityGoesToo"}


def statements(function: str) -> list[Statement]:
    """The template's statements, for the emulator's account and region."""
    found = json.dumps(Policies(load()).function(function))
    found = found.replace("eu-central-1", "us-east-1").replace("123456789012", "000000000000")
    return list(json.loads(found))


def session_with(given: list[Statement]) -> boto3.Session:
    iam, name = boto3.client("iam"), f"role-{uuid.uuid4().hex[:8]}"
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(ANYBODY))["Role"]["Arn"]
    document = json.dumps({"Version": "2012-10-17", "Statement": given})
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document)
    keys = boto3.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], "us-east-1")


def without(function: str, sid: str | None, more: dict[str, str] | None = None) -> AgentCoreRuntimes:
    given = [statement for statement in statements(function) if statement["Sid"] != sid]
    text = json.dumps(given)
    for old, new in (more or {}).items():
        text = text.replace(old, new)
    return AgentCoreRuntimes(session_with(json.loads(text)).client("bedrock-agentcore-control"))


@pytest.fixture
def candidate_role(aws: StackInfo) -> str:
    name = f"candidate-{uuid.uuid4().hex[:8]}"
    role = boto3.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    return str(role["Role"]["Arn"])


def create(
    runtimes: AgentCoreRuntimes, role: str, tags: dict[str, str], *, mode: str = "PUBLIC", prefix: str = "fw_dev_"
) -> dict[str, Any]:
    network: dict[str, Any] = {"networkMode": mode}
    if mode == "VPC":
        network["networkModeConfig"] = {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}
    made = runtimes._client.create_agent_runtime(  # what the adapter sends, with other tags than it would
        agentRuntimeName=f"{prefix}{uuid.uuid4().hex[:8]}",
        agentRuntimeArtifact={"containerConfiguration": {"containerUri": "r.example/none:none"}},
        roleArn=role,
        networkConfiguration=network,  # type: ignore[arg-type]
        tags=tags,
    )
    return dict(made)


def denied_action(error: ClientError) -> str:
    assert error.response["Error"]["Code"] == "AccessDeniedException"
    return error.response["Error"]["Message"].partition("perform: ")[2].partition(" ")[0]


PASSED = "arn:aws:test:us-east-1:000000000000:CandidateRole"


def test_the_role_of_deploy_candidate_creates_a_runtime(candidate_role: str) -> None:
    runtimes = without("deploy_candidate", None, {PASSED: candidate_role})

    assert create(runtimes, candidate_role, SHORT_LIVED)["status"] == "CREATING"


@pytest.mark.parametrize("sid", sorted(CREATING))
def test_no_runtime_is_created_when_one_of_its_statements_is_missing(sid: str, candidate_role: str) -> None:
    missing = {a for s in statements("deploy_candidate") if s["Sid"] == sid for a in _list(s["Action"])}
    runtimes = without("deploy_candidate", sid, {PASSED: candidate_role})

    with pytest.raises(ClientError) as caught:
        create(runtimes, candidate_role, SHORT_LIVED)

    assert denied_action(caught.value) in missing


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_a_grant_on_names_is_no_grant_on_what_has_no_name_yet(candidate_role: str) -> None:
    """`runtime/*` is the text that AWS checks: a narrower pattern does not fit it."""
    narrow = {"runtime/*": "runtime/fw_dev_*", PASSED: candidate_role}

    with pytest.raises(ClientError) as caught:
        create(without("deploy_candidate", None, narrow), candidate_role, SHORT_LIVED)

    assert denied_action(caught.value) == "bedrock-agentcore:CreateAgentRuntime"


@pytest.mark.parametrize("tags", [{}, {"flywheel:lifetime": "production"}, {"flywheel:stack": STACK}])
def test_deploy_candidate_creates_nothing_but_short_lived_runtimes(tags: dict[str, str], candidate_role: str) -> None:
    with pytest.raises(ClientError) as caught:
        create(without("deploy_candidate", None, {PASSED: candidate_role}), candidate_role, tags)

    assert denied_action(caught.value) == "bedrock-agentcore:CreateAgentRuntime"


def test_a_runtime_in_a_vpc_takes_more(candidate_role: str) -> None:
    with pytest.raises(ClientError) as caught:
        create(without("deploy_candidate", None, {PASSED: candidate_role}), candidate_role, SHORT_LIVED, mode="VPC")

    assert denied_action(caught.value) in {
        check.action for check in checks("CreateAgentRuntime", when=frozenset({"vpc"}))
    }


@pytest.fixture
def owner(aws: StackInfo) -> AgentCoreRuntimes:
    """Whoever may everything."""
    return AgentCoreRuntimes(boto3.client("bedrock-agentcore-control"))


@pytest.mark.parametrize("function", ["retire_candidate", "sweep_runtimes"])
def test_a_short_lived_runtime_is_deleted_and_one_that_is_gone_is_no_error(
    function: str, owner: AgentCoreRuntimes, candidate_role: str
) -> None:
    runtime_id = create(owner, candidate_role, SHORT_LIVED)["agentRuntimeId"]
    runtimes = without(function, None)

    runtimes.delete(runtime_id)
    while any(runtime.runtime_id == runtime_id for runtime in owner.runtimes()):
        pass

    runtimes.delete(runtime_id)  # AWS, and the emulator, deny it: a runtime that is gone has no tags
    with pytest.raises(NotFoundError):
        runtimes.get(runtime_id)
    with pytest.raises(ClientError, match="explicit deny"):
        runtimes._client.delete_agent_runtime(agentRuntimeId=runtime_id)


@pytest.mark.parametrize("sid", sorted(DELETING))
def test_nothing_is_deleted_when_one_of_the_statements_is_missing(
    sid: str, owner: AgentCoreRuntimes, candidate_role: str
) -> None:
    runtime_id = create(owner, candidate_role, SHORT_LIVED)["agentRuntimeId"]

    with pytest.raises(FlywheelError, match="AccessDenied"):
        without("retire_candidate", sid).delete(runtime_id)

    assert owner.get(runtime_id).status != "DELETING"


def test_a_condition_on_tags_without_if_exists_refuses_every_deletion(
    owner: AgentCoreRuntimes, candidate_role: str
) -> None:
    runtime_id = create(owner, candidate_role, SHORT_LIVED)["agentRuntimeId"]

    with pytest.raises(FlywheelError, match="no identity-based policy allows"):
        without("retire_candidate", None, {"StringEqualsIfExists": "StringEquals"}).delete(runtime_id)


def test_the_directory_of_identities_is_checked_besides_the_identity(
    owner: AgentCoreRuntimes, candidate_role: str
) -> None:
    runtime_id = create(owner, candidate_role, SHORT_LIVED)["agentRuntimeId"]
    child_only = {'workload-identity-directory/default"': 'workload-identity-directory/none"'}

    with pytest.raises(FlywheelError, match="DeleteWorkloadIdentity"):
        without("retire_candidate", None, child_only).delete(runtime_id)


@pytest.mark.parametrize(
    ("prefix", "tags"),
    [
        ("flywheel_agent_dev_", {"flywheel:lifetime": "production", "flywheel:stack": STACK}),
        ("fw_dev_", {}),
        ("fw_dev_", {"flywheel:lifetime": "short-lived"}),
        ("fw_dev_", SHORT_LIVED | {"flywheel:stack": "flywheel-tst"}),
        ("team_search_", {"team": "search"}),
    ],
)
@pytest.mark.parametrize("function", ["retire_candidate", "sweep_runtimes", "deploy_candidate"])
def test_what_is_not_a_short_lived_runtime_of_this_stack_stays(
    function: str, prefix: str, tags: dict[str, str], owner: AgentCoreRuntimes, candidate_role: str
) -> None:
    runtime_id = create(owner, candidate_role, tags, prefix=prefix)["agentRuntimeId"]

    with pytest.raises(FlywheelError, match="explicit deny"):
        without(function, None).delete(runtime_id)

    assert owner.get(runtime_id).status != "DELETING"


def test_what_the_internet_reaches_puts_its_own_events_and_asks_for_no_gate(aws: StackInfo) -> None:
    name = f"bus-{uuid.uuid4().hex[:8]}"
    bus = boto3.client("events").create_event_bus(Name=name)["EventBusArn"]
    given = json.dumps(statements("langfuse_webhook")).replace("arn:aws:test:us-east-1:000000000000:EventBus", bus)
    events = session_with(json.loads(given)).client("events")

    def entry(detail_type: str, source: str = "flywheel") -> Any:
        return {"Source": source, "DetailType": detail_type, "Detail": "{}", "EventBusName": name}

    assert events.put_events(Entries=[entry("TracesCalledOut")])["FailedEntryCount"] == 0
    for refused in (
        [entry("GateRequested")],
        [entry("AgentPromoted")],
        [entry("TracesCalledOut", "flywheel.cli")],
        [entry("TracesCalledOut"), entry("GateRequested")],
    ):
        with pytest.raises(ClientError) as caught:
            events.put_events(Entries=refused)
        assert denied_action(caught.value) == "events:PutEvents"
