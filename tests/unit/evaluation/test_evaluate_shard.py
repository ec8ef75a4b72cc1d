"""The handler: what it reads from its environment, and what it gives back."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flywheel.config import from_env
from flywheel.errors import InvalidRequestError
from flywheel.evaluation.service import Invocation
from flywheel.evaluation.shard import ShardSummary
from flywheel.events import ShardRequest

APP = Path(__file__).parents[3] / "functions" / "evaluate_shard" / "app.py"
ENVIRONMENT = {
    "STATE_TABLE": "state",
    "EVIDENCE_BUCKET": "evidence",
    "LANGFUSE_PARAMETER_PREFIX": "/langfuse-dev",
    "LANGFUSE_ENVIRONMENT": "dev",
    "SETTINGS_PREFIX": "/flywheel/dev",
    "JUDGE_BASE_URL": "https://bedrock-runtime.eu-central-1.amazonaws.com/openai/v1",
    "JUDGE_MODEL_ID": "judge-1",
    "TRIAL_CONCURRENCY": "25",
    "INVOKE_TIMEOUT_S": "120",
    "JUDGE_TIMEOUT_S": "60",
}


class Context:
    function_name = "evaluate_shard"
    memory_limit_in_mb = 1769
    invoked_function_arn = "arn:aws-cn:lambda:cn-north-1:123456789012:function:evaluate-shard"
    aws_request_id = "r-1"

    def get_remaining_time_in_millis(self) -> int:
        return 890_000


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "flywheel")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "evaluate_shard")
    spec = importlib.util.spec_from_file_location("evaluate_shard_app", APP)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "evaluate_shard_app", module)
    spec.loader.exec_module(module)
    return module


def test_a_pointer_goes_in_and_counts_come_out(
    app: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[ShardRequest, Invocation]] = []

    def evaluate(pointer: ShardRequest, invocation: Invocation) -> ShardSummary:
        asked.append((pointer, invocation))
        return ShardSummary(trials=10, errored=2, resumed=4, undelivered=1, cached=7, cache_failures=3)

    monkeypatch.setattr(app, "evaluate", lambda: evaluate)

    reply = app.lambda_handler({"gate_id": "g-1", "key": "1-00"}, Context())

    assert reply == {"gate_id": "g-1", "key": "1-00", "trials": 10, "errored": 2}
    pointer, invocation = asked[0]
    assert pointer == ShardRequest(gate_id="g-1", key="1-00")
    assert invocation.remaining_s() == 890
    assert invocation.runtime_arn("fw-1") == "arn:aws-cn:bedrock-agentcore:cn-north-1:123456789012:runtime/fw-1"
    metrics: dict[str, Any] = {}
    for line in capsys.readouterr().out.splitlines():
        metrics |= json.loads(line)
    assert (metrics["TrialsFinished"], metrics["TrialsErrored"], metrics["TrialsUndelivered"]) == ([6.0], [2.0], [1.0])
    assert (metrics["JudgementsCached"], metrics["JudgementCacheFailures"]) == ([7.0], [3.0])


@pytest.mark.filterwarnings("ignore:No application metrics")
@pytest.mark.parametrize("event", [{}, {"gate_id": "g-1"}, {"key": "1-00"}, [], {"gate_id": 1, "key": 2}])
def test_an_event_that_is_no_pointer_is_refused(app: ModuleType, event: Any) -> None:
    with pytest.raises(InvalidRequestError, match="the event cannot be read"):
        app.lambda_handler(event, Context())


def test_settings_come_from_the_environment(app: ModuleType) -> None:
    settings = from_env(app.Settings, ENVIRONMENT)

    assert (settings.trial_concurrency, settings.invoke_timeout_s) == (25, 120.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STATE_TABLE", ""),
        ("LANGFUSE_ENVIRONMENT", "Prod!"),
        ("LANGFUSE_ENVIRONMENT", "langfuse-x"),
        ("JUDGE_BASE_URL", "bedrock"),
        ("TRIAL_CONCURRENCY", "0"),
        ("TRIAL_CONCURRENCY", "many"),
        ("INVOKE_TIMEOUT_S", "601"),
    ],
)
def test_a_bad_variable_is_named(app: ModuleType, name: str, value: str) -> None:
    with pytest.raises(InvalidRequestError, match=name):
        from_env(app.Settings, ENVIRONMENT | {name: value})


def test_importing_the_handler_loads_neither_openai_nor_autoevals_nor_asks_aws() -> None:
    """They take a second; they are loaded while the first answers are awaited. Only a clean interpreter can tell."""
    code = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('app', {str(APP)!r})\n"
        "spec.loader.exec_module(importlib.util.module_from_spec(spec))\n"
        "print(sorted({'openai', 'autoevals', 'langfuse', 'numpy'} & set(sys.modules)))"
    )
    environment = {"POWERTOOLS_METRICS_NAMESPACE": "flywheel", "PATH": "/usr/bin"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)

    assert done.stdout.strip() == "[]"
