"""What all entries have in common: the environment is checked at once, messages are checked, replies are plain JSON."""

import importlib
import json
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from flywheel.config import from_env
from flywheel.domain.annotation import Annotation
from flywheel.errors import InvalidRequestError
from flywheel.events import DecideReply
from tests.fakes.experiment_world import ExperimentWorld
from tests.fakes.world import World, ecr_event

# A call that fails has nothing to count, which Powertools warns of.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics:UserWarning")

EVENTS = Path(__file__).parents[3] / "events"

FUNCTIONS = [
    "plan_gate",
    "deploy_candidate",
    "decide_gate",
    "promote_candidate",
    "hold_gate",
    "retire_candidate",
    "publish_verdict",
    "sample_traces",
    "sweep_runtimes",
    "reconcile_pushes",
    "langfuse_webhook",
    "report_experiment",
    "plan_experiment",
]


class Context:
    function_name = "f"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:f"
    aws_request_id = "r"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def entry(name: str) -> ModuleType:
    return importlib.import_module(f"functions.{name}.app")


def call(module: ModuleType, event: dict[str, Any]) -> Any:
    context: Any = Context()
    reply = module.lambda_handler(event, context)
    assert json.loads(json.dumps(reply)) == reply
    return reply


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_missing_variable_is_named_at_once(name: str) -> None:
    settings = entry(name).Settings
    required = [field.upper() for field, info in settings.model_fields.items() if info.is_required()]
    assert required
    with pytest.raises(InvalidRequestError) as caught:
        from_env(settings, {})
    for variable in required:
        assert f"{variable}: Field required" in str(caught.value)


def test_a_wrong_variable_is_named_without_its_value() -> None:
    environment = {"SWEEP_OLDER_THAN_MINUTES": "hunter2", "ENVIRONMENT": "dev", "STATE_TABLE": "", "STACK_NAME": "s"}
    with pytest.raises(InvalidRequestError) as caught:
        from_env(entry("sweep_runtimes").Settings, environment)
    assert "SWEEP_OLDER_THAN_MINUTES" in str(caught.value)
    assert "STATE_TABLE: Field required" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_one_gate_goes_through_all_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    monkeypatch.setattr(entry("plan_gate"), "planner", lambda: world.planner)
    monkeypatch.setattr(entry("deploy_candidate"), "parts", lambda: SimpleNamespace(gates=world.deployer))
    monkeypatch.setattr(entry("decide_gate"), "decider", lambda: world.decider)
    monkeypatch.setattr(entry("promote_candidate"), "promoter", lambda: world.promoter)
    once = type("Once", (), {"register": lambda _self, _context: None})()
    retire = SimpleNamespace(gates=world.retirer, once=once, execution_ended=world.retirer.execution_ended)
    monkeypatch.setattr(entry("retire_candidate"), "parts", lambda: retire)
    monkeypatch.setattr(entry("publish_verdict"), "parts", lambda: (world.publisher(), once))
    monkeypatch.setattr(entry("sweep_runtimes"), "sweeper", lambda: world.sweeper)

    planned = call(entry("plan_gate"), {"event": ecr_event(), "execution_arn": "arn:execution:1"})
    assert planned["action"] == "run"
    gate = {"gate_id": planned["gate_id"]}
    for arm in planned["arms"]:
        assert set(arm) == {"gate_id", "arm", "runtime_name"}
        call(entry("deploy_candidate"), gate | {"arm": arm["arm"]})
        assert call(entry("deploy_candidate"), gate | {"arm": arm["arm"]})["ready"] is True
    asked = call(entry("decide_gate"), gate | {"wave": 0})
    assert set(asked) == {"action", "gate_id", "wave", "hold_s", "shards"}
    world.evaluate(world.decider.decide(planned["gate_id"], 0))
    assert call(entry("decide_gate"), gate | {"wave": asked["wave"]})["action"] == "promote"
    while not (promoted := call(entry("promote_candidate"), gate))["done"]:
        pass
    assert promoted == {"done": True, "wait_s": 0, "promoted": True}
    assert call(entry("retire_candidate"), gate | {"arm": "candidate"}) == {"gone": True, "wait_s": 0}
    published = call(entry("publish_verdict"), gate)
    assert (published["verdict"], published["promoted"]) == ("PASS", True)
    stopped = {"detail": {"executionArn": "arn:execution:1", "status": "FAILED"}}
    assert call(entry("retire_candidate"), stopped)["gone"] is True
    assert call(entry("sweep_runtimes"), {}) == {"seen": 0, "swept": [], "kept": [], "refused": []}


def test_one_experiment_goes_through_all_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ExperimentWorld()
    world.files.save_file("models", b'{"image": "v1", "dimensions": {"temperature": [0, 1]}, "search": {"trials": 1}}')
    monkeypatch.setattr(entry("plan_experiment"), "planner", lambda: world.experiment_planner)
    monkeypatch.setattr(entry("plan_experiment"), "rung_planner", lambda: world.rung_planner)
    deploy = SimpleNamespace(experiments=world.experiment_deployer)
    monkeypatch.setattr(entry("deploy_candidate"), "parts", lambda: deploy)
    once = type("Once", (), {"register": lambda _self, _context: None})()
    retire = SimpleNamespace(
        experiments=world.experiment_retirer, once=once, execution_ended=world.experiment_retirer.execution_ended
    )
    monkeypatch.setattr(entry("retire_candidate"), "parts", lambda: retire)
    event = json.loads((EVENTS / "experiment_requested.json").read_text())

    planned = call(entry("plan_experiment"), {"event": event, "execution_arn": "arn:execution:1"})
    assert set(planned) == {"action", "experiment_id", "runtimes", "parallel"}
    assert planned["action"] == "run"
    (runtime,) = planned["runtimes"]
    call(entry("deploy_candidate"), runtime)
    assert call(entry("deploy_candidate"), runtime) == runtime | {"settled": True, "wait_s": 0}
    asked = call(entry("plan_experiment"), {"experiment_id": planned["experiment_id"], "rung": 0, "again": False})
    assert set(asked) == {"action", "experiment_id", "rung", "again", "shards"}
    assert (asked["action"], asked["rung"]) == ("evaluate", 1)
    assert call(entry("retire_candidate"), runtime) == {"gone": True, "wait_s": 0}
    stopped = {"detail": {"executionArn": "arn:execution:1", "status": "ABORTED"}}
    assert call(entry("retire_candidate"), stopped)["gone"] is True
    assert world.row(planned["experiment_id"]).outcome == "stopped"


@pytest.mark.parametrize("name", ["plan_experiment", "deploy_candidate", "retire_candidate"])
@pytest.mark.parametrize(
    "event",
    [
        {"experiment_id": ""},
        {"experiment_id": "x", "rung": -1, "runtime": ""},
        {"experiment_id": 3, "runtime": "r01"},
        {"experiment_id": "x", "event": {}, "execution_arn": "arn", "runtime": None},
    ],
)
def test_a_malformed_message_of_an_experiment_is_refused_before_anything_is_done(
    name: str, event: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    once = type("Once", (), {"register": lambda _self, _context: None})()
    if name == "retire_candidate":
        monkeypatch.setattr(entry(name), "parts", lambda: SimpleNamespace(once=once))
    context: Any = Context()
    handler = entry(name).lambda_handler
    with pytest.raises((ValidationError, InvalidRequestError)):
        handler(event, context)


@pytest.mark.parametrize(("action", "asked"), [("end", 1), ("evaluate", 0), ("promote", 0)])
def test_people_are_asked_after_a_decision_in_the_time_that_is_left(
    action: str, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadlines: list[float] = []

    class Parts:
        def decide(self, gate_id: str, wave: int) -> DecideReply:
            return DecideReply.model_validate({"action": action, "gate_id": gate_id, "wave": wave})

        def annotate_if_asked(self, _gate_id: str, *, deadline_s: float) -> Annotation:
            deadlines.append(deadline_s)
            return Annotation("failed", "Langfuse does not answer")

    monkeypatch.setattr(entry("decide_gate"), "decider", Parts)
    monkeypatch.setattr(entry("decide_gate"), "annotator", Parts)

    assert call(entry("decide_gate"), {"gate_id": "g-1", "wave": 3})["action"] == action
    assert deadlines == [50.0] * asked  # of the 60 s that are left of this call


@pytest.mark.parametrize("name", FUNCTIONS[:7])
@pytest.mark.parametrize("event", [{}, {"gate_id": ""}, {"gate_id": "g", "wave": -1, "arm": "third"}])
def test_a_malformed_message_is_refused_before_anything_is_done(name: str, event: dict[str, Any]) -> None:
    if name in ("promote_candidate", "publish_verdict") and event.get("gate_id") == "g":
        event = {"gate_id": 3}
    context: Any = Context()
    handler = entry(name).lambda_handler
    with pytest.raises((ValidationError, InvalidRequestError)):
        handler(event, context)
