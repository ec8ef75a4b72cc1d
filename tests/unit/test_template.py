"""What the emulator does not show: least privilege, ends of asynchronous edges, no secrets, environments apart."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import decode

from flywheel.receiving import STATUS

ROOT = Path(__file__).parents[2]
# Account-wide by nature.
ACTIONS_WITHOUT_RESOURCES = {"ecr:GetAuthorizationToken", "bedrock-agentcore:ListAgentRuntimes"}


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    loaded, problems = decode(str(ROOT / "template.yaml"))
    assert not problems
    plain: dict[str, Any] = json.loads(json.dumps(loaded))
    return plain


@pytest.fixture(scope="module")
def functions(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def statements(policies: list[Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for policy in policies:
        document = policy.get("PolicyDocument", policy)
        found += document.get("Statement", [])
    return found


def actions(statement: dict[str, Any]) -> list[str]:
    value = statement["Action"]
    return [value] if isinstance(value, str) else value


def resources(statement: dict[str, Any]) -> list[str]:
    value = statement["Resource"]
    listed = value if isinstance(value, list) else [value]
    return [json.dumps(resource) for resource in listed]


def all_statements(template: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """All that is allowed, by the resource whose role it is."""
    return [
        (name, statement)
        for name, resource in template["Resources"].items()
        for statement in statements(resource.get("Properties", {}).get("Policies", []))
        if statement["Effect"] == "Allow"
    ]


def test_no_statement_allows_a_whole_service(template: dict[str, Any]) -> None:
    found = all_statements(template)
    assert found
    for name, statement in found:
        for action in actions(statement):
            assert "*" not in action, (name, action)


def test_every_resource_that_can_be_named_is_named(template: dict[str, Any]) -> None:
    for name, statement in all_statements(template):
        if '"*"' in resources(statement):
            without = set(actions(statement)) - ACTIONS_WITHOUT_RESOURCES
            assert all(
                a.startswith("logs:") and ("LogDeliver" in a or "escribe" in a or "PutResourcePolicy" in a)
                for a in without
            ), name


def test_a_runtime_is_deleted_by_those_who_made_it_or_clean_up(template: dict[str, Any]) -> None:
    deleting = [n for n, s in all_statements(template) if "bedrock-agentcore:DeleteAgentRuntime" in actions(s)]
    # The deployment deletes what it created for a gate that was stopped meanwhile. Which ones: test_template_agentcore.
    assert sorted(deleting) == ["DeployCandidateFunction", "RetireCandidateFunction", "SweepRuntimesFunction"]


def test_production_is_changed_by_the_promotion_and_only_put_back_by_the_clean_up(template: dict[str, Any]) -> None:
    touching = {
        name: actions(statement)
        for name, statement in all_statements(template)
        if any(":runtime/${ProductionRuntimeName}-*" in resource for resource in resources(statement))
    }
    assert set(touching) == {"PromoteCandidateFunction", "RetireCandidateFunction", "SimulateUsersFunction"}
    asked = {"bedrock-agentcore:InvokeAgentRuntime", "bedrock-agentcore:StopRuntimeSession"}
    assert set(touching["SimulateUsersFunction"]) == asked
    put_back = {"bedrock-agentcore:GetAgentRuntimeEndpoint", "bedrock-agentcore:UpdateAgentRuntimeEndpoint"}
    assert set(touching["RetireCandidateFunction"]) == put_back


def test_evaluation_can_invoke_short_lived_runtimes_only(template: dict[str, Any]) -> None:
    (statement,) = [
        s
        for n, s in all_statements(template)
        if n == "EvaluateShardFunction" and "bedrock-agentcore:InvokeAgentRuntime" in actions(s)
    ]
    assert all("runtime/fw_${Environment}_*" in resource for resource in resources(statement))


def test_roles_are_passed_exactly_and_to_agentcore_only(template: dict[str, Any]) -> None:
    passing = [(n, s) for n, s in all_statements(template) if "iam:PassRole" in actions(s)]
    assert {n: json.loads(resources(s)[0]) for n, s in passing} == {
        "DeployCandidateFunction": {"Fn::GetAtt": ["CandidateRole", "Arn"]},
        "PromoteCandidateFunction": {"Fn::GetAtt": ["ProductionRole", "Arn"]},
    }
    for _, statement in passing:
        assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "bedrock-agentcore.amazonaws.com"}}


def test_events_are_put_under_our_own_name_only(template: dict[str, Any]) -> None:
    for name, statement in all_statements(template):
        if "events:PutEvents" in actions(statement):
            sources = statement["Condition"]["StringEquals"]["events:source"]
            assert sources in {"flywheel", "flywheel.nightly"}, name


def test_the_agents_roles_are_apart_and_trust_agentcore_of_this_account_only(template: dict[str, Any]) -> None:
    for name in ("CandidateRole", "ProductionRole"):
        (trust,) = template["Resources"][name]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "bedrock-agentcore.amazonaws.com"}
        assert trust["Condition"]["StringEquals"]["aws:SourceAccount"] == {"Ref": "AWS::AccountId"}


def test_every_function_writes_to_a_log_group_that_is_there_before_it_and_ends(
    template: dict[str, Any], functions: dict[str, dict[str, Any]]
) -> None:
    for name, function in functions.items():
        group = template["Resources"][function["LoggingConfig"]["LogGroup"]["Ref"]]["Properties"]
        # A name made from the function's would let the function, invoked first, make the group, and the stack fail.
        assert name not in json.dumps(group), name
        assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}, name


def test_no_secret_is_in_the_environment_of_a_function(functions: dict[str, dict[str, Any]]) -> None:
    for name, function in functions.items():
        for variable in function.get("Environment", {}).get("Variables", {}):
            assert not any(word in variable for word in ("SECRET", "PASSWORD", "API_KEY", "TOKEN")), (name, variable)


def test_every_function_folder_is_deployed_under_its_own_name(functions: dict[str, dict[str, Any]]) -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    deployed = {function["CodeUri"].removeprefix("functions/") for function in functions.values()}
    assert deployed == folders
    for name, function in functions.items():
        folder = function["CodeUri"].removeprefix("functions/")
        assert name == "".join(word.capitalize() for word in folder.split("_")) + "Function"


def test_only_who_asks_the_judge_of_gates_carries_the_evaluation_layer(functions: dict[str, dict[str, Any]]) -> None:
    carrying = {n for n, f in functions.items() if {"Ref": "EvaluationLayer"} in f.get("Layers", [])}
    assert carrying == {"EvaluateShardFunction", "HarvestReviewsFunction"}
    # The same judge: its model, address and time are those of the gates.
    judges = {
        tuple(
            json.dumps(functions[name]["Environment"]["Variables"][f"JUDGE_{part}"])
            for part in ("BASE_URL", "MODEL_ID", "TIMEOUT_S")
        )
        for name in carrying
    }
    assert len(judges) == 1


def test_only_the_harvest_carries_the_layer_that_finds_personal_data(functions: dict[str, dict[str, Any]]) -> None:
    carrying = {n for n, f in functions.items() if {"Ref": "HarvestLayer"} in f.get("Layers", [])}
    assert carrying == {"HarvestReviewsFunction"}


def test_names_are_looked_for_at_comprehend_only_where_that_is_asked_for(
    template: dict[str, Any], functions: dict[str, dict[str, Any]]
) -> None:
    allowed = [p["Fn::If"] for p in functions["HarvestReviewsFunction"]["Policies"] if "Fn::If" in p]
    ((condition, policy, otherwise),) = allowed
    assert (condition, otherwise) == ("NamesByComprehend", {"Ref": "AWS::NoValue"})
    assert [s["Action"] for s in policy["Statement"]] == ["comprehend:DetectPiiEntities"]
    assert template["Parameters"]["ComprehendNames"]["Default"] == "DISABLED"


def test_every_push_under_a_tag_of_our_repository_and_nothing_else_starts_a_gate(template: dict[str, Any]) -> None:
    pattern = template["Resources"]["GateStateMachine"]["Properties"]["Events"]["EcrPush"]["Properties"]["Pattern"]
    assert pattern["detail"] == {
        "action-type": ["PUSH"],
        "result": ["SUCCESS"],
        "repository-name": [{"Ref": "RepositoryName"}],
        "image-tag": [{"anything-but": [""]}],
    }


def test_environments_share_no_name(template: dict[str, Any]) -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    seen: set[str] = set()
    for environment in ("default", "tst", "prd"):
        parameters = config[environment]["deploy"]["parameters"]
        names = {parameters["stack_name"], *(p.split("=")[1] for p in parameters["parameter_overrides"].split())}
        names -= {"ENABLED"}
        assert not names & seen
        seen |= names


@pytest.mark.parametrize("environment", ["default", "tst", "prd"])
def test_what_an_environment_sets_is_what_the_template_takes(template: dict[str, Any], environment: str) -> None:
    """`sam validate` does not look at the values: a wrong one would show when the change set is made."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())[environment]
    values = dict(p.split("=") for p in config["deploy"]["parameters"]["parameter_overrides"].split())
    for name, value in values.items():
        parameter = template["Parameters"][name]
        assert value in parameter.get("AllowedValues", [value]), name
        assert re.fullmatch(parameter.get("AllowedPattern", ".*"), value), name
    # What is deployed must be what was validated and built under the same name.
    assert values["Environment"] == {"default": "dev"}.get(environment, environment)
    assert config["deploy"]["parameters"]["stack_name"] == f"flywheel-{values['Environment']}"


def test_what_has_a_name_of_its_own_is_named_after_the_environment(
    template: dict[str, Any], functions: dict[str, dict[str, Any]]
) -> None:
    """One account may hold all three stacks, and names of queues, buses, schedules and metrics are the account's."""
    named = {"Name", "QueueName", "TopicName", "LogGroupName", "RepositoryName", "Namespace"}
    found = [
        (name, value)
        for name, resource in template["Resources"].items()
        for key, value in resource["Properties"].items()
        if key in named and not str(value).startswith("AWS/")
    ]
    schedules = [e for f in functions.values() for e in f.get("Events", {}).values() if e["Type"] == "ScheduleV2"]
    assert schedules
    found += [("a schedule", event["Properties"].get("Name")) for event in schedules]
    metrics = template["Globals"]["Function"]["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"]
    found += [("metrics", metrics)]

    for name, value in found:
        assert value == {"Ref": "RepositoryName"} or "${Environment}" in value["Fn::Sub"], name


def test_alarms_look_at_metrics_of_this_stack_and_tell_somebody(template: dict[str, Any]) -> None:
    alarms = {n: r["Properties"] for n, r in template["Resources"].items() if r["Type"] == "AWS::CloudWatch::Alarm"}
    metrics = template["Globals"]["Function"]["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"]
    sources = "".join(path.read_text() for path in (ROOT / "functions").glob("*/app.py"))
    assert 'add_metric(f"Deliveries{answer.outcome}"' in sources
    sources += "".join(f'add_metric("Deliveries{outcome}"' for outcome in STATUS)
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == [{"Ref": "NotificationTopic"}], name
        assert alarm["TreatMissingData"] == "notBreaching", name
        if not str(alarm["Namespace"]).startswith("AWS/"):
            assert alarm["Namespace"] == metrics, name
            emitted = (f'{how}("{alarm["MetricName"]}"' for how in ("add_metric", "single_metric"))
            assert any(call in sources for call in emitted), name
    assert {"DeadLettersAlarm", "GateBrokenAlarm", "GateTimedOutAlarm", "RuntimesNotDeletedAlarm"} <= set(alarms)


def test_dead_letters_may_be_sent_by_rules_of_this_account_only(template: dict[str, Any]) -> None:
    (statement,) = template["Resources"]["DeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    (source,) = statement["Condition"]["ArnLike"].values()
    assert source["Fn::Sub"].startswith("arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/")


def test_neither_evidence_nor_what_production_needs_is_deleted_with_the_stack(template: dict[str, Any]) -> None:
    for name in ("Repository", "EvidenceBucket", "StateTable", "ProductionRole"):
        assert template["Resources"][name]["DeletionPolicy"] == "Retain"


def test_synthetic_users_come_only_when_that_is_asked_for(template: dict[str, Any]) -> None:
    (schedule,) = template["Resources"]["TrafficStateMachine"]["Properties"]["Events"].values()
    assert schedule["Properties"]["State"] == {"Ref": "Traffic"}
    assert template["Parameters"]["Traffic"]["Default"] == "DISABLED"


def test_what_synthetic_users_are_measured_by_is_told_apart(template: dict[str, Any]) -> None:
    alarm = template["Resources"]["HarmfulAnsweredAlarm"]["Properties"]
    assert {"Name": "traffic", "Value": "synthetic"} in alarm["Dimensions"]
    source = (ROOT / "functions" / "simulate_users" / "app.py").read_text()
    assert 'metrics.add_dimension("traffic", "synthetic")' in source
