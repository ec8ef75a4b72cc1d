"""EventBridge delivers at least once, and a `PutEvents` whose answer was lost is repeated: any event may come twice.

The second one has another id of EventBridge's own, and may have another time. What it asks for happens once all the
same: by the id that the event itself carries.
"""

import copy
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flywheel.deliveries import MonitorAlerted, ProjectNotified, PromptVersionChanged
from flywheel.following import Messenger, PromptFollower
from tests.fakes.clock import NOON
from tests.fakes.experiment_world import ExperimentWorld
from tests.fakes.outside import InMemoryOnce, InMemorySettings, RecordingBus, RecordingNotifier
from tests.fakes.prompts import InMemoryPromptStates
from tests.fakes.state import InMemoryReleases
from tests.fakes.world import AGENT, World, ecr_event, golden_items, requested_event
from tests.live_world import LiveWorld, head
from tests.unit.functions.test_sample_traces import app as sample_traces

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "events"


def event(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return loaded


def doubled(first: dict[str, Any], later_s: int = 0) -> dict[str, Any]:
    """The same event, sent again: EventBridge gives it another id, and where no time was said, another time."""
    second = copy.deepcopy(first) | {"id": f"{first.get('id', 'e')}-again"}
    second["time"] = (NOON + timedelta(seconds=later_s)).strftime("%Y-%m-%dT%H:%M:%SZ") if later_s else first["time"]
    return second


def bus_event(detail_type: str, **detail: Any) -> dict[str, Any]:
    return {"id": "bus-1", "time": "2026-11-23T11:59:30Z", "detail-type": detail_type, "detail": detail}


GATES = {
    "GateRequested": requested_event(),
    "GoldenDatasetGrown": bus_event(
        "GoldenDatasetGrown", version=1, request_id="grown-1", dataset="golden", item_ids=[golden_items()[0].item_id]
    ),
    "ExperimentTriggered": bus_event(
        "ExperimentTriggered",
        version=1,
        delivery_id="d-1",
        project_id="p",
        dataset="golden",
        dataset_id="ds",
        payload={},
    ),
}


@pytest.mark.parametrize("later_s", [0, 3])
@pytest.mark.parametrize("kind", GATES)
def test_a_request_for_a_gate_that_comes_twice_is_one_gate(kind: str, later_s: int) -> None:
    world = World()
    world.in_production()
    first = world.planner.plan(GATES[kind], "arn:execution:1")[0]
    second, why = world.planner.plan(doubled(GATES[kind], later_s), "arn:execution:2")
    assert (first.action, second.action) == ("run", "skip"), why
    assert list(world.gates.rows) == [first.gate_id]


def test_a_push_that_comes_twice_is_one_gate() -> None:
    world = World()
    first = world.planner.plan(ecr_event(), "arn:execution:1")[0]
    world.images.tags["latest"] = world.images.tags["v1"]
    # EventBridge delivers an event again under its own id; another tag of the same image is another event.
    for again in (ecr_event(), ecr_event("e-2", tag="latest")):
        assert world.planner.plan(again, "arn:execution:2")[0].action == "skip"
    assert list(world.gates.rows) == [first.gate_id]


def test_a_request_for_an_experiment_that_comes_twice_is_one_experiment() -> None:
    world = ExperimentWorld()
    world.files.save_file("models", b'{"image": "v1", "dimensions": {"temperature": [0, 1]}, "search": {"trials": 1}}')
    asked = event("experiment_requested")
    first = world.experiment_planner.plan(asked, "arn:1")[0]
    second = world.experiment_planner.plan(doubled(asked), "arn:2")[0]
    assert (first.action, second.action) == ("run", "skip")
    assert list(world.experiments.rows) == [first.experiment_id]


def test_a_prompt_version_that_comes_twice_asks_for_one_gate() -> None:
    bus = RecordingBus()
    follower = PromptFollower(
        states=InMemoryPromptStates(),
        releases=InMemoryReleases(),
        parameters=InMemorySettings(agent=json.dumps(AGENT)),
        bus=bus,
    )
    said = {
        "delivery_id": "d-1",
        "action": "updated",
        "project_id": "p",
        "name": "docs-agent",
        "prompt_version": 3,
        "labels": ["candidate"],
        "updated_at": "2026-11-23T11:00:00Z",
    }
    for _ in range(2):
        follower.follow(PromptVersionChanged.model_validate(said))
    assert len({str(detail["request_id"]) for _, detail in bus.events}) == 1
    world = World()
    for number, (kind, detail) in enumerate(bus.events * 2):
        asked = bus_event(kind, **detail) | {"id": f"e-{number}"}
        world.planner.plan(asked, f"arn:execution:{number}")
    assert len(world.gates.rows) == 1


def test_an_alert_and_a_notice_that_come_twice_are_one_notification_each() -> None:
    notifier = RecordingNotifier()
    messenger = Messenger("dev", notifier=notifier, once=InMemoryOnce())
    alert = MonitorAlerted.model_validate(event("monitor_alerted")["detail"])
    notice = ProjectNotified.model_validate(
        {
            "delivery_id": "d-2",
            "event_type": "evaluator-blocked",
            "severity": "ALERT",
            "project_id": "p",
            "project_name": "project",
            "resource_id": "r",
            "resource_name": "judge",
            "message": "stopped",
            "at": "2026-11-23T11:00:00Z",
        }
    )
    for _ in range(2):
        messenger.alert(alert)
        messenger.notice(notice)
    assert len(notifier.letters) == 2


@pytest.mark.parametrize("name", ["monitor_alerted", "traces_called_out"])
def test_what_asks_for_reviews_twice_queues_each_trace_once(name: str) -> None:
    world = LiveWorld(settings='{"review_budget_per_day": 10, "alert_share": 0.4}')
    for number in range(50):
        world.traces.add(head(number, NOON - timedelta(seconds=120 + number)))
    world.traces.sessions["s-1"] = [head(2).trace_id]
    sample_traces.handle(event(name), world.sampler(), "holder", NOON + timedelta(minutes=4))
    queued = list(world.queued())
    assert queued
    sample_traces.handle(doubled(event(name)), world.sampler(), "holder", NOON + timedelta(minutes=4))
    assert list(world.queued()) == queued


def test_every_kind_of_event_that_a_rule_listens_to_is_doubled_here() -> None:
    lists = re.findall(r"(?<!events:)detail-type: \[(.*)\]", (ROOT / "template.yaml").read_text())
    listened = {kind.strip() for found in lists for kind in found.split(",")}
    asks_for_gates = {"ECR Image Action", *GATES, "ExperimentRequested", "PromptVersionChanged"}
    tells = {"MonitorAlerted", "ProjectNotified", "TracesCalledOut"}
    # The end of an execution: tests/unit/functions/test_retire_candidate.py delivers it twice.
    assert listened == asks_for_gates | tells | {"Step Functions Execution Status Change"}
