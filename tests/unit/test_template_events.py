"""Who may say what on the bus: a gate is asked for, a promotion announced, by those who do that and nobody else."""

import re
from typing import Any

import pytest

from flywheel.deliveries import BusEvent
from tests.policies import ROOT, Policies, actions, decide, listed, load

FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
OUTCOMES = {
    "AgentPromoted",
    "AgentRolledBack",
    "ExperimentCompleted",
    "GateApproved",
    "GateFailed",
    "GateHeld",
    "GateInconclusive",
    "GatePassed",
    "GateRejected",
    "QualityDrifted",
}
SAID = {
    "promote_candidate": OUTCOMES,
    "retire_candidate": OUTCOMES,
    "publish_verdict": OUTCOMES,
    "hold_gate": {"GateApproved", "GateHeld", "GateRejected"},
    "report_experiment": {"ExperimentCompleted"},
    "harvest_reviews": {"GoldenDatasetGrown", "ReviewHarvested"},
    "reconcile_pushes": {"GateRequested"},
    "follow_delivery": {"GateRequested"},
    "sample_traces": {"TracesSampled"},
    "langfuse_webhook": {event.__name__ for event in BusEvent.__subclasses__()},
}
BUS = "arn:aws:test:eu-central-1:123456789012:EventBus"


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return load()


@pytest.fixture(scope="module")
def roles(template: dict[str, Any]) -> Policies:
    return Policies(template)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_says_what_is_its_own_under_our_source(function: str, roles: Policies) -> None:
    puts = [s for action, s in actions(roles.function(function)) if action == "events:PutEvents"]

    assert {str(t) for s in puts for t in listed(s["Condition"]["StringEquals"]["events:detail-type"])} == SAID.get(
        function, set()
    )
    assert {(s["Resource"], s["Condition"]["StringEquals"]["events:source"]) for s in puts} <= {(BUS, "flywheel")}


@pytest.mark.parametrize("detail_type", ["GateRequested", "ExperimentRequested", "AgentPromoted", "GatePassed"])
def test_what_the_internet_reaches_asks_for_no_gate_and_announces_none(detail_type: str, roles: Policies) -> None:
    keys = {"events:source": "flywheel", "events:detail-type": detail_type}

    assert decide(roles.function("langfuse_webhook"), "events:PutEvents", BUS, keys) == "implicitly denied"


def test_schedules_ask_for_gates_and_experiments_only(roles: Policies) -> None:
    (put,) = [s for action, s in actions(roles.role("SchedulerRole")) if action == "events:PutEvents"]

    assert put["Condition"]["StringEquals"] == {
        "events:source": "flywheel.nightly",
        "events:detail-type": ["ExperimentRequested", "GateRequested"],
    }


def test_all_that_is_published_is_allowed_to_somebody() -> None:
    """Detail types by their names in the code that publishes."""
    text = "\n".join(path.read_text() for path in (ROOT / "layers" / "core" / "flywheel").glob("*.py"))
    published = set(re.findall(r'\.publish\(\s*"([A-Za-z]+)"', text))

    assert published
    assert published <= {name for names in SAID.values() for name in names}
