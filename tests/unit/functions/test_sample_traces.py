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


def test_an_observation_without_its_trace_is_counted_and_told(
    world: LiveWorld, caplog: pytest.LogCaptureFixture
) -> None:
    app.metrics.clear_metrics()
    handle(world, event("traces_called_out"))
    measured = app.metrics.serialize_metric_set()
    app.metrics.clear_metrics()
    assert measured["CalledOutWithoutTrace"] == [1]
    told = vars(caplog.records[-1])
    assert (told["levelname"], told["delivery_id"], told["left_out"]) == ("WARNING", "c-6f0d4a77", 1)


def test_a_callout_that_names_nothing_but_an_observation_queues_nothing_and_fails_nothing(world: LiveWorld) -> None:
    lone = event("traces_called_out")
    lone["detail"]["items"] = [{"observation_id": "1" * 16}]
    assert app.outcome_to_dict(handle(world, lone))["queued"] == 0
    assert world.queued() == []
    app.metrics.clear_metrics()


def measured_of(world: LiveWorld, outcome: Any) -> dict[str, Any]:
    found = figures(parse_sampling(world.settings), ledger=world.ledger, store=world.store, clock=world.clock)
    app.metrics.clear_metrics()
    app.measure(outcome, found)
    measured = app.metrics.serialize_metric_set()
    app.metrics.clear_metrics()
    return {name: value[0] for name, value in measured.items() if isinstance(value, list)}


def test_a_window_that_waits_for_the_pace_of_a_small_budget_is_not_behind(world: LiveWorld) -> None:
    world.settings = '{"review_budget_per_day": 1}'
    assert handle(world, {}).state == "drawn"
    world.clock.advance(5 * 3600)
    waiting = app.handle({}, world.sampler(), "holder", world.clock.now() + timedelta(minutes=4))
    values = measured_of(world, waiting)
    assert waiting.state == "waiting"
    assert values["WatermarkLagSeconds"] > 4 * 3600
    assert values["SamplingBehindSeconds"] == 0


def test_a_window_that_the_pace_allows_and_time_does_not_is_behind(world: LiveWorld) -> None:
    handle(world, {})
    world.clock.advance(5 * 3600)
    unfinished = app.handle({}, world.sampler(), "holder", world.clock.now())
    values = measured_of(world, unfinished)
    assert unfinished.state == "unfinished"
    assert values["SamplingBehindSeconds"] == values["WatermarkLagSeconds"] > 4 * 3600


def test_an_alert_or_a_callout_says_nothing_of_being_behind(world: LiveWorld) -> None:
    for name in ("monitor_alerted", "traces_called_out"):
        assert "SamplingBehindSeconds" not in measured_of(world, handle(world, event(name)))


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
