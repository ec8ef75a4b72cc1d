"""Least privilege, function by function: what a role allows is what the adapters of that function call, and no more."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from cli.agentcore_checks import table
from tests.policies import ACCOUNT, REGION, ROOT, Policies, actions, listed, load

ADAPTERS = ROOT / "layers" / "core" / "flywheel" / "adapters"
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
# Adapters name what they call where they translate its errors; these name nothing there, or something else.
CALLED = {
    "agentcore": {"bedrock-agentcore:InvokeAgentRuntime", "bedrock-agentcore:StopRuntimeSession"},
    # A transaction is allowed by the rights to its parts.
    "dynamodb": {"dynamodb:PutItem"},
    # Powertools' own calls.
    "idempotency": {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"},
}
# What AgentCore does on behalf of the caller of an action.
IMPLIED = {f"bedrock-agentcore:{call}": {check.action for check in found} for call, found in table().items()}
# Every call of these adapters is made by every function that has them.
WHOLE = ("eventbridge", "sns", "ssm", "ecr")
# Which partitions of the state table are an adapter's.
PARTITIONS = {
    "dynamodb_gates": {"GATES", "EXECUTION#*", "DAY#*"},
    "dynamodb_experiments": {"EXPERIMENTS", "EXECUTION#*"},
    "dynamodb_releases": {"AGENT#flywheel_agent_dev"},
    "dynamodb_pushes": {"PUSHES#flywheel_agent_dev"},
    "dynamodb_harvest": {"HARVEST"},
    "dynamodb_live": {"LIVE#*", "LIVE-DAY#*", "LIVE-OPEN"},
    "dynamodb_reviews": {"REVIEWS#*"},
    "dynamodb_sampling": {"SAMPLING#*"},
    "dynamodb_prompts": {"PROMPT#*"},
    "dynamodb_judgements": {"JUDGEMENT#*"},
}
STATE_TABLE = f"arn:aws:test:{REGION}:{ACCOUNT}:StateTable"
PARAMETER = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter"
LANGFUSE = {f"/langfuse/LANGFUSE_{name}" for name in ("HOST", "PUBLIC_KEY", "SECRET_KEY")}
# AWS knows no resource for these.
WITHOUT_RESOURCE = {"bedrock-agentcore:ListAgentRuntimes", "comprehend:DetectPiiEntities", "ecr:GetAuthorizationToken"}


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return load()


@pytest.fixture(scope="module")
def roles(template: dict[str, Any]) -> Policies:
    return Policies(template, ComprehendNames="ENABLED")


def adapters_of(path: Path) -> set[str]:
    """Adapters that a module imports, and what those import."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("flywheel.adapters."):
            name = str(node.module).removeprefix("flywheel.adapters.")
            found |= {name} | adapters_of(ADAPTERS / f"{name}.py")
    return found


def calls(adapter: str) -> set[str]:
    named = re.findall(r'translated\(f?"([a-z0-9-]+:[A-Za-z]+)', (ADAPTERS / f"{adapter}.py").read_text())
    return set(named) - {"dynamodb:TransactWriteItems"} | CALLED.get(adapter, set())


def policies(template: dict[str, Any], function: str) -> list[dict[str, Any]]:
    logical_id = "".join(word.capitalize() for word in function.split("_")) + "Function"
    found: list[dict[str, Any]] = template["Resources"][logical_id]["Properties"]["Policies"]
    return found


def allowed(template: dict[str, Any], roles: Policies, function: str) -> set[str]:
    for policy in policies(template, function):
        assert set(policy) <= {"Statement", "SNSPublishMessagePolicy", "Fn::If"}, (
            "SAM's policy templates allow too much"
        )
    publishes = any("SNSPublishMessagePolicy" in policy for policy in policies(template, function))
    return {action for action, _ in actions(roles.function(function))} | ({"sns:Publish"} if publishes else set())


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_nothing_that_its_adapters_do_not_call(
    function: str, template: dict[str, Any], roles: Policies
) -> None:
    possible = {
        action for adapter in adapters_of(ROOT / "functions" / function / "app.py") for action in calls(adapter)
    }
    possible |= {implied for action in possible for implied in IMPLIED.get(action, set())}

    assert allowed(template, roles, function) - possible == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_all_that_its_adapters_for_one_thing_call(
    function: str, template: dict[str, Any], roles: Policies
) -> None:
    needed = {
        action
        for adapter in adapters_of(ROOT / "functions" / function / "app.py")
        if adapter in WHOLE
        for action in calls(adapter)
    }

    assert needed <= allowed(template, roles, function)


def test_only_who_decides_writes_a_verdict(template: dict[str, Any]) -> None:
    writing = {
        function
        for function in FUNCTIONS
        for policy in policies(template, function)
        for statement in policy.get("Statement", [])
        if statement["Action"] == "s3:PutObject"
        if re.search(r"gates/\*(/verdict\.json)?\"", json.dumps(statement["Resource"]))
    }

    # A gate that is refused, or whose candidate does not start, has its verdict from there.
    assert writing == {"plan_gate", "deploy_candidate", "decide_gate"}


def parameters(roles: Policies, function: str) -> set[str]:
    """SSM parameters that a function may read."""
    return {
        resource.removeprefix(PARAMETER)
        for action, statement in actions(roles.function(function))
        if action.startswith("ssm:Get")
        for resource in listed(statement["Resource"])
    }


def settings(*names: str) -> set[str]:
    return {f"/flywheel/dev/{name}" for name in names}


# Every parameter by its name: a setting that is added one day, a secret among them, is nobody's until it is given.
READ = {
    "plan_gate": LANGFUSE | settings("agent", "policy", "mutes", "anchor"),
    "plan_experiment": LANGFUSE | settings("agent", "policy"),
    "deploy_candidate": set(),
    "evaluate_shard": LANGFUSE | settings("judge-api-key"),
    "decide_gate": LANGFUSE,
    "promote_candidate": LANGFUSE,
    "retire_candidate": LANGFUSE,
    "hold_gate": set(),
    "publish_verdict": {"/langfuse/LANGFUSE_HOST"},
    "report_experiment": LANGFUSE,
    "harvest_reviews": LANGFUSE | settings("harvest", "policy", "judge-api-key"),
    "sweep_runtimes": set(),
    "reconcile_pushes": set(),
    "langfuse_webhook": settings("webhook-secrets/*"),
    "follow_delivery": settings("agent"),
    "simulate_users": settings("traffic"),
    "sample_traces": LANGFUSE | settings("sampling", "sampling-key", "judge-api-key"),
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_reads_the_parameters_that_it_needs_by_their_names(function: str, roles: Policies) -> None:
    assert parameters(roles, function) == READ[function]


def test_secrets_of_senders_are_read_by_the_webhook_alone(roles: Policies) -> None:
    readers = {f for f in FUNCTIONS for name in parameters(roles, f) if "webhook" in name or name.endswith("/dev/*")}

    assert readers == {"langfuse_webhook"}


def test_the_only_wildcard_in_a_name_is_a_sender(roles: Policies) -> None:
    assert {name for f in FUNCTIONS for name in parameters(roles, f) if "*" in name} == settings("webhook-secrets/*")


@pytest.mark.parametrize(
    ("role", "runtimes"), [("CandidateRole", "fw_dev_*"), ("ProductionRole", "flywheel_agent_dev-*")]
)
def test_the_agents_roles_reach_their_own_logs_credentials_and_images_only(
    role: str, runtimes: str, roles: Policies
) -> None:
    statements = {statement["Sid"]: statement for statement in roles.role(role)}

    assert statements["LogsOfTheRuntime"]["Resource"].endswith(f"/aws/bedrock-agentcore/runtimes/{runtimes}")
    assert {r.removeprefix(PARAMETER) for r in statements["LangfuseCredentials"]["Resource"]} == LANGFUSE
    assert statements["ImageIsPulled"]["Resource"].endswith(":Repository")
    # AWS's own execution policy allows it on all groups, and their names are all that it gives.
    assert statements["LogGroupIsLookedFor"]["Action"] == "logs:DescribeLogGroups"
    assert [sid for sid, s in statements.items() if s["Resource"] == "*" and s["Effect"] == "Allow"] == [
        "RegistryLogin"
    ]


def partitions(statement: dict[str, Any]) -> set[str]:
    """Partitions of the state table that a statement is limited to; none when it is not limited."""
    keys = [
        key
        for operator, condition in statement.get("Condition", {}).items()
        if operator.startswith("ForAllValues:String")
        for key in listed(condition.get("dynamodb:LeadingKeys", []))
    ]
    return set(keys)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_reaches_the_partitions_of_its_adapters_only(function: str, roles: Policies) -> None:
    own = {
        partition
        for adapter in adapters_of(ROOT / "functions" / function / "app.py")
        for partition in PARTITIONS.get(adapter, set())
    }
    for action, statement in actions(roles.function(function)):
        if action.startswith("dynamodb:") and statement["Resource"] == STATE_TABLE:
            assert partitions(statement), f"{statement['Sid']}: all of the state table"
            assert partitions(statement) <= own, statement["Sid"]


@pytest.mark.parametrize("adapter", PARTITIONS)
def test_an_adapter_says_which_partitions_are_its_own(adapter: str) -> None:
    text = (ADAPTERS / f"{adapter}.py").read_text()
    says = {
        name.rstrip(".").partition("<")[0] for name in re.findall(r"`([A-Z][A-Z-]+[^`]*)`", text.partition("\n")[0])
    }

    known = {partition.rstrip("*").partition("flywheel_")[0] for partition in PARTITIONS[adapter]}
    assert says == known


WRITES = ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem")


def test_who_writes_what_into_the_state_table(roles: Policies) -> None:
    writers = {
        (function, partition)
        for function in FUNCTIONS
        for action, statement in actions(roles.function(function))
        if action in WRITES and statement["Resource"] == STATE_TABLE
        for partition in partitions(statement)
    }

    release = "AGENT#flywheel_agent_dev"
    assert {f for f, partition in writers if partition == release} == {
        "plan_gate",  # the newest request only, see below
        "promote_candidate",
        "retire_candidate",
    }
    assert {f for f, partition in writers if partition == "JUDGEMENT#*"} == {"evaluate_shard", "harvest_reviews"}
    assert {f for f, partition in writers if partition == "REVIEWS#*"} == {"decide_gate"}
    harvest = {partition for f, partition in writers if f == "harvest_reviews"}
    assert harvest == {"LIVE#*", "LIVE-OPEN", "HARVEST", "JUDGEMENT#*"}


def test_planning_notes_the_newest_request_and_cannot_write_a_release(roles: Policies) -> None:
    (statement,) = [s for _, s in actions(roles.function("plan_gate")) if s["Sid"] == "NewestRequestIsNoted"]
    written = set(statement["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"])

    assert statement["Action"] == "dynamodb:UpdateItem"
    # What makes a release; the id of its gate stands in both.
    assert not written & {"release_no", "candidate", "runtime_id", "runtime_version", "since", "promoting"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_star_stands_only_where_aws_knows_no_resource(function: str, roles: Policies) -> None:
    stars = {action for action, statement in actions(roles.function(function)) if "*" in listed(statement["Resource"])}

    assert stars <= WITHOUT_RESOURCE


@pytest.mark.parametrize("function", FUNCTIONS)
def test_objects_are_reached_by_folder(function: str, roles: Policies) -> None:
    bucket = f"arn:aws:test:{REGION}:{ACCOUNT}:EvidenceBucket"
    for action, statement in actions(roles.function(function)):
        if action.startswith("s3:"):
            assert action in {"s3:GetObject", "s3:PutObject", "s3:ListBucket"}
            for resource in listed(statement["Resource"]):
                key = resource.removeprefix(bucket)
                assert key == "" if action == "s3:ListBucket" else re.match(r"/[a-z-]+/", key), statement["Sid"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_letters_go_into_our_own_queue(function: str, roles: Policies) -> None:
    for action, statement in actions(roles.function(function)):
        if action.startswith("sqs:"):
            assert (action, statement["Resource"].rpartition(":")[2]) == ("sqs:SendMessage", "DeadLetterQueue")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_action_is_a_pattern(function: str, roles: Policies) -> None:
    assert not [action for action, _ in actions(roles.function(function)) if "*" in action]
