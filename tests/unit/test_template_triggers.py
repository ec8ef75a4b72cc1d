"""What the schedules send is what the planners read, and every event of the bus has one reader."""

import json
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import decode

from flywheel.domain.experiment import FILE_NAME
from flywheel.experiment_triggers import parse_experiment_trigger
from flywheel.triggers import GateTrigger, parse_trigger

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    loaded, problems = decode(str(ROOT / "template.yaml"))
    assert not problems
    plain: dict[str, Any] = json.loads(json.dumps(loaded))
    return plain


def sent_by(template: dict[str, Any], schedule: str, **parameters: str) -> dict[str, Any]:
    """The event that the bus makes of a schedule's target."""
    target = template["Resources"][schedule]["Properties"]["Target"]
    text = target["Input"]["Fn::Sub"] if isinstance(target["Input"], dict) else target["Input"]
    for name, value in parameters.items():
        text = text.replace(f"${{{name}}}", value)
    text = text.replace("<aws.scheduler.execution-id>", "d32c5kddcf5bb8c3")
    return {
        "id": "e-1",
        "time": "2026-11-25T03:00:00Z",
        "detail-type": target["EventBridgeParameters"]["DetailType"],
        "source": target["EventBridgeParameters"]["Source"],
        "detail": json.loads(text),
    }


def test_the_nightly_gate_asks_about_production_and_promotes_nothing(template: dict[str, Any]) -> None:
    trigger = parse_trigger(sent_by(template, "NightlyGateRule"), "flywheel-agent-dev")

    assert isinstance(trigger, GateTrigger)
    assert (trigger.source, trigger.reference, trigger.promote) == ("nightly", "production", False)


def test_the_nightly_experiment_is_the_saved_file_of_the_parameter(template: dict[str, Any]) -> None:
    trigger = parse_experiment_trigger(sent_by(template, "NightlyExperimentRule", NightlyExperiment="models"))

    assert (trigger.source, trigger.file, trigger.event_id) == ("nightly", "models", "d32c5kddcf5bb8c3")


def test_the_nightly_experiment_is_off_unless_a_file_is_named(template: dict[str, Any]) -> None:
    parameter = template["Parameters"]["NightlyExperiment"]

    assert parameter["Default"] == ""
    assert parameter["AllowedPattern"] == f"({FILE_NAME.pattern})?"
    assert template["Resources"]["NightlyExperimentRule"]["Properties"]["State"] == {
        "Fn::If": ["HasNightlyExperiment", "ENABLED", "DISABLED"]
    }
    named = {"Fn::Not": [{"Fn::Equals": [{"Ref": "NightlyExperiment"}, ""]}]}
    assert template["Conditions"]["HasNightlyExperiment"] == named


def test_the_button_starts_a_gate_or_a_named_experiment_and_never_both(template: dict[str, Any]) -> None:
    """Whether `experiment` is there is all that tells the two rules apart."""

    def pattern(machine: str, event: str) -> dict[str, Any]:
        found: dict[str, Any] = template["Resources"][machine]["Properties"]["Events"][event]["Properties"]["Pattern"]
        return found

    gate, experiment = (
        pattern("GateStateMachine", "ExperimentTriggered"),
        pattern("ExperimentStateMachine", "ExperimentNamed"),
    )
    assert gate.pop("detail") == {"payload": {"experiment": [{"exists": False}]}}
    assert experiment.pop("detail") == {"payload": {"experiment": [{"exists": True}]}}
    assert gate == experiment == {"source": ["flywheel"], "detail-type": ["ExperimentTriggered"]}
