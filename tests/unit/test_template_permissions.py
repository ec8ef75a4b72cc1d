"""Least privilege, function by function: what a role allows is what the adapters of that function call, and no more."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import decode

ROOT = Path(__file__).parents[2]
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
IMPLIED = {
    "bedrock-agentcore:CreateAgentRuntime": {
        "bedrock-agentcore:TagResource",
        "bedrock-agentcore:CreateWorkloadIdentity",
        "bedrock-agentcore:GetWorkloadIdentity",
        "iam:PassRole",
        "iam:CreateServiceLinkedRole",
    },
    "bedrock-agentcore:DeleteAgentRuntime": {"bedrock-agentcore:DeleteWorkloadIdentity"},
}
# Every call of these adapters is made by every function that has them.
WHOLE = ("eventbridge", "sns", "ssm", "ecr")


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    loaded, _ = decode(str(ROOT / "template.yaml"))
    plain: dict[str, Any] = json.loads(json.dumps(loaded))
    return plain


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


def allowed(template: dict[str, Any], function: str) -> set[str]:
    actions: set[str] = set()
    for policy in policies(template, function):
        if "SNSPublishMessagePolicy" in policy:
            actions.add("sns:Publish")
            continue
        if "Fn::If" in policy:  # what a parameter switches on is allowed then, and has to be called as well
            policy = policy["Fn::If"][1]  # noqa: PLW2901
        assert list(policy) == ["Statement"], "SAM's policy templates allow more than is used"
        for statement in policy["Statement"]:
            named = statement["Action"]
            actions |= {named} if isinstance(named, str) else set(named)
    return actions


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_nothing_that_its_adapters_do_not_call(function: str, template: dict[str, Any]) -> None:
    possible = {
        action for adapter in adapters_of(ROOT / "functions" / function / "app.py") for action in calls(adapter)
    }
    possible |= {implied for action in possible for implied in IMPLIED.get(action, set())}

    assert allowed(template, function) - possible == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_all_that_its_adapters_for_one_thing_call(function: str, template: dict[str, Any]) -> None:
    needed = {
        action
        for adapter in adapters_of(ROOT / "functions" / function / "app.py")
        if adapter in WHOLE
        for action in calls(adapter)
    }

    assert needed <= allowed(template, function)


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


def test_secrets_are_read_by_those_who_talk_to_langfuse_or_the_judge(template: dict[str, Any]) -> None:
    readers = {
        function
        for function in FUNCTIONS
        for policy in policies(template, function)
        for statement in policy.get("Statement", [])
        if statement["Action"] == "ssm:GetParameter"
        if re.search(r"/(LANGFUSE_)?\*", json.dumps(statement["Resource"]))
    }

    assert readers == {
        "plan_experiment",
        "plan_gate",
        "evaluate_shard",
        "decide_gate",
        "harvest_reviews",
        "langfuse_webhook",
        "promote_candidate",
        "report_experiment",
        "retire_candidate",
        "sample_traces",
    }


def test_the_key_of_the_judge_is_read_by_those_who_ask_it_and_nothing_beside_it(template: dict[str, Any]) -> None:
    named = {
        function: resource["Fn::Sub"].rpartition("parameter")[2]
        for function in FUNCTIONS
        for policy in policies(template, function)
        for statement in policy.get("Statement", [])
        if statement["Action"] == "ssm:GetParameter"
        for resource in (statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]])
        if "judge" in json.dumps(resource)
    }
    key = "/flywheel/${Environment}/judge-api-key"
    assert named == {"evaluate_shard": key, "sample_traces": key}


def test_the_agents_roles_reach_their_own_logs_credentials_and_images_only(template: dict[str, Any]) -> None:
    for role, runtimes in (("CandidateRole", "fw_${Environment}_*"), ("ProductionRole", "${ProductionRuntimeName}-*")):
        (policy,) = template["Resources"][role]["Properties"]["Policies"]
        statements = {s["Sid"]: s for s in policy["PolicyDocument"]["Statement"]}

        assert statements["LogsOfTheRuntime"]["Resource"]["Fn::Sub"].endswith(f"runtimes/{runtimes}")
        assert statements["LangfuseCredentials"]["Resource"]["Fn::Sub"].endswith("/LANGFUSE_*")
        assert statements["ImageIsPulled"]["Resource"] == {"Fn::GetAtt": ["Repository", "Arn"]}
        assert [sid for sid, s in statements.items() if s["Resource"] == "*"] == ["RegistryLogin"]


@pytest.mark.parametrize(
    ("function", "sid", "keys"),
    [("evaluate_shard", "JudgementsAreCached", "JUDGEMENT#*"), ("decide_gate", "AnswersAreQueuedOnce", "REVIEWS#*")],
)
def test_who_works_on_a_part_of_the_state_table_reaches_that_part_only(
    function: str, sid: str, keys: str, template: dict[str, Any]
) -> None:
    own = [s for policy in policies(template, function) for s in policy["Statement"] if s["Sid"] == sid]
    writing = [
        s["Sid"]
        for policy in policies(template, function)
        for s in policy["Statement"]
        if re.search(r"dynamodb:(Put|Update|Delete|BatchWrite)", json.dumps(s["Action"]))
    ]

    assert [s["Condition"] for s in own] == [{"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [keys]}}]
    assert writing == [sid]
