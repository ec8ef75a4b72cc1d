"""Where a dead letter belongs: every form in which one comes, and what belongs nowhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from flywheel.domain.dead_letters import Addresses, Event, Letter, route_letter
from tests.fakes.clock import NOON

EVENTS = Path(__file__).parents[3] / "events"
GATE = "arn:aws:states:eu-west-1:000000000000:stateMachine:Gate"
EXPERIMENT = "arn:aws:states:eu-west-1:000000000000:stateMachine:Experiment"
LAMBDA = "arn:aws:lambda:eu-west-1:000000000000:function"
BUS_ARN = "arn:aws:events:eu-west-1:000000000000:event-bus/flywheel-dev"
ADDRESSES = Addresses(
    functions={"dev-Retire-1": "RetireCandidateFunction", "dev-Harvest-2": "HarvestReviewsFunction"},
    machines={GATE: "GateStateMachine", EXPERIMENT: "ExperimentStateMachine"},
    bus="flywheel-dev",
)


def letter(body: Any, **attributes: str) -> Letter:
    return Letter("1f0c", body if isinstance(body, str) else json.dumps(body), attributes, NOON)


def event(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EVENTS / name).read_text())
    return found


@pytest.mark.parametrize("version", ["", ":$LATEST", ":live"])
def test_what_a_function_failed_at_goes_back_to_that_function(version: str) -> None:
    body = {
        "requestContext": {"functionArn": f"{LAMBDA}:dev-Retire-1{version}", "condition": "RetriesExhausted"},
        "requestPayload": event("execution_aborted.json"),
        "responsePayload": {"errorType": "TransientError", "errorMessage": "no table"},
    }
    found = route_letter(letter(body), ADDRESSES)

    assert (found.route, found.target, found.target_name) == ("invocation", "dev-Retire-1", "RetireCandidateFunction")
    assert json.loads(found.payload) == event("execution_aborted.json")
    assert found.about == "event Step Functions Execution Status Change"
    assert found.error == "TransientError: no table"


def test_a_function_that_said_nothing_is_told_by_its_condition() -> None:
    context = {"functionArn": f"{LAMBDA}:dev-Harvest-2", "condition": "EventAgeExceeded"}
    found = route_letter(letter({"requestContext": context, "requestPayload": {}}), ADDRESSES)
    assert (found.route, found.error, found.about) == (
        "invocation",
        "EventAgeExceeded",
        "input of a schedule or a call",
    )


def test_what_a_rule_could_not_deliver_goes_to_the_rule_s_target() -> None:
    pushed = event("ecr_image_pushed.json")
    to_gate = route_letter(letter(pushed, TARGET_ARN=GATE, ERROR_CODE="NO_PERMISSIONS", RULE_ARN="r"), ADDRESSES)
    to_function = route_letter(letter(pushed, TARGET_ARN=f"{LAMBDA}:dev-Harvest-2"), ADDRESSES)

    assert (to_gate.route, to_gate.target, to_gate.error) == ("execution", GATE, "NO_PERMISSIONS")
    assert json.loads(to_gate.payload) == pushed
    assert (to_function.route, to_function.target) == ("invocation", "dev-Harvest-2")


def test_what_the_nightly_schedule_could_not_send_goes_to_the_bus_under_its_name() -> None:
    detail = {"version": 1, "request_id": "x", "image": "production"}
    found = route_letter(letter(detail, TARGET_ARN=BUS_ARN, SCHEDULE_ARN="s"), ADDRESSES)
    assert found.event == Event("flywheel.nightly", "GateRequested", json.dumps(detail))


def test_an_event_that_the_bus_did_not_take_goes_to_the_bus() -> None:
    entry = {"EventBusName": "flywheel-dev", "Source": "flywheel", "DetailType": "PromptVersionChanged", "Detail": "{}"}
    found = route_letter(letter(entry), ADDRESSES)
    assert found.event == Event("flywheel", "PromptVersionChanged", "{}")
    assert found.about == "event PromptVersionChanged"


@pytest.mark.parametrize(
    ("name", "route", "target"),
    [
        ("ecr_image_pushed.json", "execution", GATE),
        ("gate_requested.json", "execution", GATE),
        ("execution_aborted.json", "invocation", "dev-Retire-1"),
    ],
)
def test_an_event_without_a_target_goes_where_its_kind_always_goes(name: str, route: str, target: str) -> None:
    found = route_letter(letter(event(name)), ADDRESSES)
    assert (found.route, found.target) == (route, target)


def test_a_wish_for_an_experiment_without_a_target_goes_to_its_machine() -> None:
    pressed = {"detail-type": "ExperimentTriggered", "detail": {"payload": {"experiment": "models"}}}
    for body in (event("experiment_requested.json"), pressed):
        found = route_letter(letter(body), ADDRESSES)
        assert (found.route, found.target) == ("execution", EXPERIMENT)
    plain = {"detail-type": "ExperimentTriggered", "detail": {"payload": {"image": "v7"}}}
    assert route_letter(letter(plain), ADDRESSES).target == GATE


def test_our_own_event_without_a_target_goes_to_the_bus() -> None:
    body = {"source": "flywheel", "detail-type": "TracesSampled", "detail": {"version": 1}}
    assert route_letter(letter(body), ADDRESSES).event == Event("flywheel", "TracesSampled", '{"version": 1}')


@pytest.mark.parametrize("kind", ["GateRequested", "ExperimentTriggered", "GoldenDatasetGrown"])
def test_what_asks_for_a_gate_goes_to_its_machine(kind: str) -> None:
    body = {"source": "flywheel", "detail-type": kind, "detail": {"version": 1}}
    assert route_letter(letter(body), ADDRESSES).target_name == "GateStateMachine"


@pytest.mark.parametrize(
    ("body", "attributes", "why"),
    [
        ("not json", {}, "not a JSON object"),
        ("[" * 100_000, {}, "not a JSON object"),
        ([1], {}, "not a JSON object"),
        ({}, {}, "for whom"),
        ({"source": "aws.s3", "detail-type": "Object Created"}, {}, "for whom"),
        ({"requestContext": {"functionArn": f"{LAMBDA}:somebody-elses"}, "requestPayload": {}}, {}, "no function"),
        ({"requestContext": {}, "requestPayload": {}}, {}, "no function"),
        ({"a": 1}, {"TARGET_ARN": f"{LAMBDA}:somebody-elses"}, "not part of this stack"),
        ({"a": 1}, {"TARGET_ARN": BUS_ARN}, "not part of this stack"),
        ({"Source": "aws.ecr", "DetailType": "x", "Detail": "{}"}, {}, "source is not flywheel"),
        ({"Source": "flywheel", "DetailType": "x", "Detail": {}}, {}, "source is not flywheel"),
        ({"Source": "flywheel", "DetailType": "x", "Detail": "{}", "EventBusName": "prd"}, {}, "another bus"),
    ],
)
def test_what_belongs_nowhere_in_this_stack_is_unknown(body: Any, attributes: dict[str, str], why: str) -> None:
    found = route_letter(letter(body, **attributes), ADDRESSES)
    assert (found.route, found.target) == ("unknown", "")
    assert why in found.why
