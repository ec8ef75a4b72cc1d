"""Every asynchronous edge of the template has an end: retries, the dead-letter queue, an alarm, a way to redrive.

Edges are found, not listed: a new rule, schedule or function that lacks something fails here.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import decode

ROOT = Path(__file__).parents[2]
QUEUE = {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}
# Events of SAM that are pushed at a function or a state machine by a rule or a schedule.
PUSHED = {"EventBridgeRule", "ScheduleV2"}
HANDLERS = {"AWS::Serverless::Function", "AWS::Serverless::StateMachine"}

type Edge = tuple[str, Any, dict[str, Any]]


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    loaded, problems = decode(str(ROOT / "template.yaml"))
    assert not problems
    plain: dict[str, Any] = json.loads(json.dumps(loaded))["Resources"]
    return plain


@pytest.fixture(scope="module")
def edges(resources: dict[str, Any]) -> list[Edge]:
    """Name, target (a reference) and what is said of delivery."""
    found: list[Edge] = []
    for name, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Events::Rule":
            found += [(f"{name}.{target['Id']}", target["Arn"], target) for target in properties["Targets"]]
        elif resource["Type"] == "AWS::Scheduler::Schedule":
            found.append((name, properties["Target"]["Arn"], properties["Target"]))
        elif resource["Type"] in HANDLERS:
            for event, declared in properties.get("Events", {}).items():
                assert declared["Type"] in PUSHED, f"{name}.{event}: say here how such an edge ends"
                found.append((f"{name}.{event}", {"Ref": name}, declared["Properties"]))
    assert len(found) > 5
    return found


def target_of(reference: Any) -> str:
    """Logical id behind a Ref or the Arn of a GetAtt."""
    if "Ref" in reference:
        return str(reference["Ref"])
    name, attribute = reference["Fn::GetAtt"]
    assert attribute == "Arn"
    return str(name)


def test_every_rule_and_schedule_retries_and_then_keeps_the_event(edges: list[Edge]) -> None:
    for name, _, delivery in edges:
        assert delivery.get("RetryPolicy", {}).get("MaximumRetryAttempts", 0) >= 3, name
        assert delivery.get("DeadLetterConfig", {}).get("Arn") == QUEUE, name


def test_every_function_behind_an_edge_retries_and_then_keeps_the_event(
    resources: dict[str, Any], edges: list[Edge]
) -> None:
    behind = {target_of(reference) for _, reference, _ in edges}
    functions = {name for name in behind if resources[name]["Type"] == "AWS::Serverless::Function"}
    assert functions
    for name in functions:
        invoked = resources[name]["Properties"].get("EventInvokeConfig")
        assert invoked is not None, f"{name}: without EventInvokeConfig a failed event is lost after two retries"
        assert invoked["MaximumRetryAttempts"] >= 1, name
        assert invoked["DestinationConfig"]["OnFailure"] == {"Type": "SQS", "Destination": QUEUE}, name


def test_every_edge_ends_where_a_dead_letter_can_be_redriven_to(resources: dict[str, Any], edges: list[Edge]) -> None:
    """`flywheel dead-letters redrive` hands to functions, state machines and the bus."""
    for name, reference, _ in edges:
        assert resources[target_of(reference)]["Type"] in HANDLERS | {"AWS::Events::EventBus"}, name


def test_a_letter_in_the_queue_and_a_state_machine_that_fails_or_hangs_are_told_to_somebody(
    resources: dict[str, Any],
) -> None:
    alarms = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::CloudWatch::Alarm"]
    seen = {(a["MetricName"], json.dumps(a["Dimensions"][0]["Value"]), a["Threshold"]) for a in alarms}
    queue = json.dumps({"Fn::GetAtt": ["DeadLetterQueue", "QueueName"]})
    assert ("ApproximateNumberOfMessagesVisible", queue, 0) in seen
    for name, resource in resources.items():
        if resource["Type"] == "AWS::Serverless::StateMachine":
            for metric in ("ExecutionsFailed", "ExecutionsTimedOut"):
                assert (metric, json.dumps({"Ref": name}), 0) in seen, (name, metric)


def test_every_rule_may_invoke_its_function(resources: dict[str, Any]) -> None:
    """SAM allows what it makes itself; a rule of its own needs a permission of its own."""
    allowed = {
        (target_of(r["Properties"]["FunctionName"]), r["Properties"]["SourceArn"]["Fn::GetAtt"][0])
        for r in resources.values()
        if r["Type"] == "AWS::Lambda::Permission" and "SourceArn" in r["Properties"]
    }
    for name, resource in resources.items():
        if resource["Type"] == "AWS::Events::Rule":
            for target in resource["Properties"]["Targets"]:
                function = target_of(target["Arn"])
                if resources[function]["Type"] == "AWS::Serverless::Function":
                    assert (function, name) in allowed, name


def test_a_letter_is_kept_for_two_weeks(resources: dict[str, Any]) -> None:
    assert resources["DeadLetterQueue"]["Properties"]["MessageRetentionPeriod"] == 14 * 24 * 3600


@pytest.mark.parametrize("machine", sorted((ROOT / "statemachines").glob("*.asl.json")), ids=lambda path: path.stem)
def test_every_task_of_a_state_machine_is_retried(machine: Path) -> None:
    def tasks(states: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        found: list[tuple[str, dict[str, Any]]] = []
        for name, state in states.items():
            if state["Type"] == "Task":
                found.append((name, state))
            for inner in [state.get("ItemProcessor", {}), *state.get("Branches", [])]:
                found += tasks(inner.get("States", {}))
        return found

    found = tasks(json.loads(machine.read_text())["States"])
    assert found
    for name, state in found:
        retried = {error for rule in state.get("Retry", []) for error in rule["ErrorEquals"]}
        assert retried & {"TransientError", "States.ALL"}, name
