"""The handler of the harvest: what it tells as metrics, and that a dry run tells nothing."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from flywheel.harvest_run import HarvestSummary

SUMMARY = HarvestSummary(
    "h-1",
    waiting=2,
    settling=1,
    flagged=3,
    states={"harvested": 1, "linked": 1, "conflict": 1, "unflagged": 4},
    slices={"production": 5},
    agreement={"helpfulness": {"kappa": [0.1, 0.5, 0.9]}, "tone": {"kappa": None}},
)
CONTEXT = SimpleNamespace(
    function_name="harvest",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:harvest",
    aws_request_id="r-1",
    get_remaining_time_in_millis=lambda: 600_000,
)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "flywheel-dev")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "harvest_reviews")
    path = Path(__file__).parents[3] / "functions" / "harvest_reviews" / "app.py"
    spec = importlib.util.spec_from_file_location("harvest_reviews_app", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def emitted(text: str) -> dict[str, Any]:
    """Name -> value and dimensions of every metric in the log, but for that of the first call of a process."""
    found: dict[str, Any] = {}
    for line in text.splitlines():
        entry = json.loads(line)
        for directive in entry.get("_aws", {}).get("CloudWatchMetrics", []):
            for metric in directive["Metrics"]:
                if metric["Name"] == "ColdStart":
                    continue
                value = entry[metric["Name"]]
                dimensions = {name: entry[name] for name in directive["Dimensions"][0]}
                found[metric["Name"]] = (value[0] if isinstance(value, list) else value, dimensions)
    return found


def handle(app: ModuleType, summary: HarvestSummary, event: dict[str, Any]) -> tuple[dict[str, Any], list[bool]]:
    dry: list[bool] = []

    def run(*, dry_run: bool, may_go_on: Any) -> HarvestSummary:
        assert may_go_on()
        dry.append(dry_run)
        return summary

    app.parts = lambda: (SimpleNamespace(run=run), SimpleNamespace(register=lambda _: None))  # type: ignore[attr-defined]
    return app.lambda_handler(event, CONTEXT), dry


def test_what_a_run_did_is_counted(app: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    reply, dry = handle(app, SUMMARY, {"version": "scheduled"})
    found = emitted(capsys.readouterr().out)

    assert (reply["run_id"], dry) == ("h-1", [False])
    service = {"service": "harvest_reviews"}
    assert {name: found[name] for name in ("ReviewsHarvested", "DuplicatesLinked", "ReviewConflicts")} == dict.fromkeys(
        ("ReviewsHarvested", "DuplicatesLinked", "ReviewConflicts"), (1, service)
    )
    assert (found["ReviewsFlagged"], found["ReviewsOpen"]) == ((3, service), (3, service))
    assert found["DatasetItems"] == (5, service | {"slice": "production"})
    assert found["ReviewAgreement"] == (0.5, service | {"metric": "helpfulness"})


def test_a_dry_run_counts_itself_only(app: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    _, dry = handle(app, SUMMARY, {"dry_run": True})
    assert (dry, set(emitted(capsys.readouterr().out))) == ([True], {"HarvestsIdle"})


def test_of_a_part_of_the_rows_nobody_says_how_many_are_open(
    app: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    handle(app, HarvestSummary("h-1", complete=False), {})
    assert "ReviewsOpen" not in emitted(capsys.readouterr().out)
