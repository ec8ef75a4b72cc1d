"""What reaches the sampler: its schedule, an alert, a callout, a preview; and what it tells CloudWatch."""

import importlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flywheel.domain.sampling_settings import parse_sampling
from flywheel.live_figures import figures
from tests.fakes.clock import NOON
from tests.fakes.live import LOOK
from tests.live_world import LiveWorld, head

EVENTS = Path(__file__).parents[3] / "events"
app = importlib.import_module("functions.sample_traces.app")


def event(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return loaded


@pytest.fixture
def world() -> LiveWorld:
    made = LiveWorld(settings='{"review_budget_per_day": 10, "alert_share": 0.4}')
    for number in range(50):
        made.traces.add(head(number, NOON - timedelta(seconds=120 + number)))
    made.traces.sessions["s-1"] = [head(2).trace_id]
    return made


def handle(world: LiveWorld, given: dict[str, Any]) -> Any:
    return app.handle(given, world.sampler(), "holder", NOON + timedelta(minutes=4))


def test_the_schedule_draws_and_a_dry_run_does_not_ask(world: LiveWorld) -> None:
    preview = app.outcome_to_dict(handle(world, {"dry_run": True}))
    assert (len(preview["drawn"]), world.queued()) == (5, [])
    told = app.outcome_to_dict(handle(world, event("sampling_schedule")))
    assert (told["state"], told["queued"], told["seen"]) == ("drawn", 5, 50)
    assert json.loads(json.dumps(told)) == told
    assert app.outcome_to_dict(handle(world, {})) == {"state": "nothing", "queued": 0}


def test_an_alert_that_is_delivered_again_is_looked_at_once(world: LiveWorld) -> None:
    for _ in range(3):
        handle(world, event("monitor_alerted"))
    assert {row.source for row in world.ledger.rows.values()} == {"alert"}
    assert len(world.queued()) == 1
    ended = event("monitor_alerted")
    ended["detail"] |= {"severity": "OK", "at": "2026-11-23T12:10:00Z", "delivery_id": "another"}
    assert handle(world, ended).state == "noted"
    assert not world.store.said["m-1"].active


def test_a_callout_queues_traces_and_those_of_sessions_and_passes_over_a_lone_observation(world: LiveWorld) -> None:
    for _ in range(2):
        handle(world, event("traces_called_out"))
    assert sorted(world.queued()) == [head(1).trace_id, head(2).trace_id]


def test_what_is_no_alert_is_refused_for_good(world: LiveWorld) -> None:
    broken = event("monitor_alerted")
    del broken["detail"]["monitor_id"]
    with pytest.raises(Exception, match="monitor_id"):
        handle(world, broken)


def test_the_figures_of_the_loop_are_measured(world: LiveWorld, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = handle(world, {})
    for number, trace in enumerate(sorted(world.ledger.rows)[:3]):
        world.ledger.note_harvest(trace, LOOK if number == 0 else _fine(), seen=None)
    found = figures(parse_sampling(world.settings), ledger=world.ledger, store=world.store, clock=world.clock)
    app.metrics.clear_metrics()
    app.measure(outcome, found)
    measured = app.metrics.serialize_metric_set()
    app.metrics.clear_metrics()
    values = {name: value[0] for name, value in measured.items() if isinstance(value, list)}

    assert {name: values[name] for name in ("TracesSeen", "TracesEligible", "TracesQueued", "QueueDepth")} == {
        "TracesSeen": 50,
        "TracesEligible": 50,
        "TracesQueued": 5,
        "QueueDepth": 2,
    }
    assert (values["BudgetUsed"], values["BudgetLeft"], values["WatermarkLagSeconds"]) == (5, 5, 60)
    low, rate, high = (values[f"EstimatedFailureRate{end}"] for end in ("Low", "", "High"))
    assert low <= rate <= high
    assert '"ReasonShare"' in capsys.readouterr().out


def _fine() -> Any:
    return type(LOOK)(
        "unflagged", "h-2", looked_at=NOON, reviewed_at=NOON, watched_until=NOON + timedelta(days=7), failed=False
    )
