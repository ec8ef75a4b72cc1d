"""Lambda reports the class name of what a handler fails with, and machines, alarms and people compare that name.

So every function is made to fail with every error there is, through its real handler, and what comes out has a name of
`errors.py`.
"""

import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest
from pydantic import BaseModel, ValidationError

import flywheel
from flywheel import errors
from flywheel.errors import (
    FlywheelError,
    InternalError,
    InvalidRequestError,
    PlanRefusedError,
    PromotionRefusedError,
    TransientError,
)
from flywheel.planning_inputs import RefusedError
from flywheel.promotion_checks import RefusedPromotionError
from flywheel.public_errors import PUBLIC, public_error
from tests.fakes.world import OTHER_DIGEST, World
from tests.unit.functions.test_handlers import Context, entry

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics:UserWarning")

ROOT = Path(__file__).parents[3]
GATE = {"gate_id": "g-1"}
SHARD = {"gate_id": "g-1", "wave": 1, "key": "k"}
# What each function is wired by, and a message that gets it to its work.
FUNCTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "decide_gate": ("decider", GATE | {"wave": 0}),
    "deploy_candidate": ("parts", GATE | {"arm": "candidate"}),
    "evaluate_shard": ("evaluate", SHARD),
    "follow_delivery": ("parts", {"detail-type": "MonitorAlerted", "detail": {}}),
    "harvest_reviews": ("parts", {}),
    "hold_gate": ("parts", GATE | {"timed_out": True}),
    "langfuse_webhook": ("parts", {}),
    "plan_experiment": ("planner", {"event": {}, "execution_arn": "arn:1"}),
    "plan_gate": ("planner", {"event": {}, "execution_arn": "arn:1"}),
    "promote_candidate": ("promoter", GATE),
    "publish_verdict": ("parts", GATE),
    "reconcile_pushes": ("handle", {}),
    "report_experiment": ("parts", {"experiment_id": "x-1", "failure": None}),
    "retire_candidate": ("parts", GATE | {"arm": "candidate"}),
    "sample_traces": ("parts", {}),
    "simulate_users": (
        "parts",
        {"action": "report", "run_id": "t-20260101t000000-0123abcd", "failure": {"error": "", "cause": ""}},
    ),
    "sweep_runtimes": ("sweeper", {}),
}


def all_errors() -> list[type[Exception]]:
    """Every error class of the package, private ones included."""
    found: dict[str, type[Exception]] = {}
    for module in pkgutil.walk_packages(flywheel.__path__, "flywheel."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, type) and issubclass(value, Exception) and value.__module__.startswith("flywheel."):
                found[f"{value.__module__}.{name}"] = value
    return sorted(set(found.values()), key=lambda one: one.__qualname__)


class _Model(BaseModel):
    x: int


def foreign_errors() -> list[Exception]:
    try:
        _Model.model_validate({"x": "hunter2"})
    except ValidationError as error:
        invalid = error
    client = botocore.exceptions.ClientError({"Error": {"Code": "ThrottlingException", "Message": "m"}}, "Op")
    in_progress = type("IdempotencyAlreadyInProgressError", (Exception,), {})("at it")
    return [invalid, client, in_progress, KeyError("k"), ValueError("v"), RecursionError(), TimeoutError()]


def raised(kind: type[Exception]) -> Exception:
    """One of them, whatever its constructor asks for."""
    return kind.__new__(kind, "why")


ERRORS = [*(raised(kind) for kind in all_errors()), *foreign_errors()]


class Failing:
    """Stands where a function's parts are made: fails, and knows how to be forgotten."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __call__(self) -> Any:
        raise self._error

    def cache_clear(self) -> None: ...


def test_every_function_is_here() -> None:
    assert set(FUNCTIONS) == {path.parent.name for path in ROOT.glob("functions/*/app.py")}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_error_leaves_a_function_under_a_public_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = entry(name)
    factory, event = FUNCTIONS[name]
    context: Any = Context()
    for error in ERRORS:
        monkeypatch.setattr(module, factory, Failing(error))
        with pytest.raises(FlywheelError) as caught:
            module.lambda_handler(event, context)
        # What Lambda reports as errorType.
        assert getattr(errors, type(caught.value).__name__) is type(caught.value), error
        assert caught.value is error or caught.value.__cause__ is error
        assert type(caught.value) is not FlywheelError or type(error) is FlywheelError


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_message_that_cannot_be_read_is_an_invalid_request_that_quotes_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = entry(name)
    if name in ("langfuse_webhook", "harvest_reviews", "reconcile_pushes", "sample_traces", "sweep_runtimes"):
        return  # they read no message, or answer it

    class Anything:
        def __getattr__(self, _name: str) -> "Anything":
            return self

        def __call__(self, *_: Any, **__: Any) -> "Anything":
            return self

        def __iter__(self) -> Any:
            return iter((self, self, self) if name == "follow_delivery" else (self, self))

    monkeypatch.setattr(module, FUNCTIONS[name][0], Anything())
    context: Any = Context()
    for event in ({"secret": "hunter2"}, {"gate_id": ["hunter2"]}, {"experiment_id": 3, "detail": "hunter2"}, {}):
        with pytest.raises(InvalidRequestError) as caught:
            module.lambda_handler(event, context)
        assert type(caught.value) is InvalidRequestError
        assert "hunter2" not in str(caught.value)


def test_a_subclass_becomes_the_nearest_public_class_and_keeps_its_words() -> None:
    refused = public_error(RefusedPromotionError("superseded", "gate g-2 was asked for later"))
    assert (type(refused), str(refused)) == (PromotionRefusedError, "superseded: gate g-2 was asked for later")
    assert type(public_error(RefusedError("cost_cap", "too dear"))) is PlanRefusedError
    assert type(public_error(foreign_errors()[1])) is InternalError
    assert type(public_error(foreign_errors()[2])) is TransientError
    waiting = TransientError("later", retry_after_s=3)
    assert public_error(waiting) is waiting


def test_a_refused_promotion_leaves_the_real_handler_under_the_name_that_the_machine_compares(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    gate = world.passed()
    world.in_production(OTHER_DIGEST)  # somebody else was first
    monkeypatch.setattr(entry("promote_candidate"), "promoter", lambda: world.promoter)
    context: Any = Context()
    for _ in range(2):
        with pytest.raises(PromotionRefusedError) as caught:
            entry("promote_candidate").lambda_handler({"gate_id": gate}, context)
        assert type(caught.value).__name__ == "PromotionRefusedError"


def test_every_error_name_that_a_machine_or_a_publication_compares_is_public() -> None:
    known = {kind.__name__ for kind in PUBLIC}
    used: set[str] = set()
    for path in ROOT.glob("statemachines/*.json"):
        used |= set(re.findall(r"[\"'](\w+Error)[\"']", path.read_text("utf-8")))
    for path in ROOT.glob("layers/core/flywheel/**/*.py"):
        text = path.read_text("utf-8")
        if "failure.error" in text:
            used |= set(re.findall(r"\"(\w+Error)\"", text))
    assert {"TransientError", "PromotionRefusedError", "DeploymentFailedError"} <= used
    assert used <= known
