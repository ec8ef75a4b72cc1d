"""The entry of synthetic users: three actions, plain replies, figures that are counted once and kept apart."""

import importlib
import json
from types import ModuleType
from typing import Any

import pytest

from flywheel.config import from_env
from flywheel.errors import InvalidRequestError
from flywheel.ports import AgentReply, InvocationFailure
from flywheel.traffic import identity
from tests.unit.functions.test_handlers import Context
from tests.unit.traffic.doubles import PRICES, said
from tests.unit.traffic.test_work import World

RUN = "t-20261125t100000-0123abcd"
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics:UserWarning")


class Working(Context):
    """Enough time for a part."""

    def get_remaining_time_in_millis(self) -> int:
        return 880_000


@pytest.fixture
def app() -> ModuleType:
    return importlib.import_module("functions.simulate_users.app")


def wired(app: ModuleType, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = app.Parts(
        planner=world.planner,
        store=world.store,
        invoker=lambda _timeout_s, _at_once: world.agents,
        prices=PRICES,
        endpoint="production",
    )
    monkeypatch.setattr(app, "parts", lambda: parts)


def call(app: ModuleType, event: dict[str, Any]) -> dict[str, Any]:
    context: Any = Working()
    reply: dict[str, Any] = app.lambda_handler(event, context)
    assert json.loads(json.dumps(reply)) == reply
    return reply


def emitted(printed: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    return [line for line in lines if "_aws" in line]


def test_a_run_goes_through_its_three_actions(
    app: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World()
    wired(app, world, monkeypatch)
    planned = call(app, {"action": "plan", "event": {"run_id": RUN}, "execution_arn": "arn:1"})
    assert planned == {"action": "run", "run_id": RUN, "parts": [{"run_id": RUN, "part": n} for n in (0, 1)]}
    for pointer in planned["parts"]:
        assert call(app, {"action": "run"} | pointer) == pointer | {"done": True, "wait_s": 0}
    arns = {arn for arn, _, _ in world.agents.asked}
    assert arns == {"arn:aws:bedrock-agentcore:eu-central-1:123456789012:runtime/runtime-1"}
    capsys.readouterr()

    reply = call(app, {"action": "report", "run_id": RUN, "failure": {}})
    assert reply == {"run_id": RUN, "turns": len(world.agents.asked), "report_key": identity.report_key(RUN)}
    (figures,) = [line for line in emitted(capsys.readouterr().out) if "Arrivals" in line]
    assert (figures["Arrivals"], figures["SuccessRate"], figures["TurnedAway"]) == ([20.0], [100.0], [0.0])
    assert {"LatencyP50", "LatencyP95", "LatencyP99", "HarmfulRefused", "HarmfulAnswered", "CostUsd"} <= set(figures)
    assert figures["traffic"] == "synthetic"
    assert sorted(figures["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]) == ["service", "traffic"]

    call(app, {"action": "report", "run_id": RUN, "failure": {}})
    assert [line for line in emitted(capsys.readouterr().out) if "Arrivals" in line] == []


def test_errors_are_counted_by_kind(
    app: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(parts=1)

    def answer(_: dict[str, str]) -> AgentReply | InvocationFailure:
        return InvocationFailure("RuntimeClientError", "boom") if len(world.agents.asked) % 2 else said("Yes, it is.")

    world.agents.answer = answer
    wired(app, world, monkeypatch)
    call(app, {"action": "plan", "event": {"run_id": RUN}, "execution_arn": "arn:1"})
    call(app, {"action": "run", "run_id": RUN, "part": 0})
    call(app, {"action": "report", "run_id": RUN})
    (kind,) = [line for line in emitted(capsys.readouterr().out) if "ErrorsByKind" in line]
    assert (kind["kind"], kind["traffic"]) == ("RuntimeClientError", "synthetic")
    assert kind["ErrorsByKind"][0] > 0


def test_without_production_nothing_is_sent(
    app: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(empty=True)
    wired(app, world, monkeypatch)
    planned = call(app, {"action": "plan", "event": {}, "execution_arn": "arn:1"})
    assert (planned["action"], planned["parts"], world.store.objects) == ("idle", [], {})
    (record,) = caplog.records
    assert record.__dict__["why"] == "there is no agent in production yet"


def test_no_log_line_has_a_question_or_an_answer(
    app: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(parts=1)
    questions: list[str] = []

    def answer(payload: dict[str, str]) -> AgentReply:
        questions.append(payload["question"])
        return said("The answer of all answers.")

    world.agents.answer = answer
    wired(app, world, monkeypatch)
    call(app, {"action": "plan", "event": {"run_id": RUN}, "execution_arn": "arn:1"})
    call(app, {"action": "run", "run_id": RUN, "part": 0})
    call(app, {"action": "report", "run_id": RUN})
    assert len(caplog.records) == 3
    written = "".join(str(record.__dict__) for record in caplog.records) + "".join(
        body.decode() for key, body in world.store.objects.items() if "/personas/" not in key
    )
    assert questions
    assert "The answer of all answers" not in written
    assert not any(question in written for question in questions if len(question) > 3)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"action": "dance"},
        {"action": "run", "run_id": "../x", "part": 0},
        {"action": "run", "run_id": RUN, "part": -1},
        {"action": "report", "run_id": RUN + "\n"},
        {"action": "plan", "event": {"run_id": "latest"}, "execution_arn": "a"},
        {"action": "plan", "event": {"question": "?"}, "execution_arn": "a"},
    ],
)
def test_a_malformed_message_is_refused_before_anything_is_done(app: ModuleType, event: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError):
        call(app, event)


def test_every_missing_variable_is_named_at_once(app: ModuleType) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        from_env(app.Settings, {})
    required = [field for field in app.Settings.model_fields.values() if field.is_required()]
    assert str(caught.value).count("Field required") == len(required) > 5
