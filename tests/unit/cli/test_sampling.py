"""The sampler from the command line: how the day stands, a run now."""

import json
from dataclasses import replace

import pytest

from tests.fakes.clock import NOON
from tests.fakes.live import live_review
from tests.unit.cli.double_session import DoubleSession, run

DRAWN = {
    "state": "drawn",
    "queued": 1,
    "eligible": 7,
    "budget": 3,
    "drawn": [
        {"trace_id": "t-1", "inclusion_probability": 0.25, "risk": 0.5, "reasons": ["risk"], "queue": "live"},
        {"trace_id": "t-2", "inclusion_probability": None, "risk": 0.0, "reasons": ["callout"], "queue": "live"},
    ],
}


def test_status_tells_budget_reasons_and_what_waits() -> None:
    session = DoubleSession()
    row = replace(live_review("t-1"), day=f"{session.clock.now():%Y-%m-%d}", reasons=("risk",))
    session.live.claim(row, now=NOON, until=NOON)
    session.live.settle("t-1", "q-1", now=NOON)

    said = run(session, "sampling", "status").stdout
    assert "1 of 50 reviews of today" in said
    assert "risk 100%" in said
    assert "waiting      1" in said
    assert "failure rate not known" in said

    found = json.loads(run(session, "sampling", "status", "--json").stdout)
    assert (found["budget"], found["budget_used"], found["waiting"], found["failure_rate"]) == (50, 1, 1, None)


def test_a_run_lists_what_was_drawn_and_with_which_chance() -> None:
    session = DoubleSession()
    session.sampling.told = DRAWN

    said = run(session, "sampling", "run").stdout
    assert "1 of 7 traces wait for review, within a budget of 3" in said
    assert "t-1  risk  risk 0.50, chance 0.25  live" in said
    assert "2 of 7 traces would wait" in run(session, "sampling", "run", "--dry-run").stdout
    assert json.loads(run(session, "sampling", "run", "--json").stdout) == DRAWN
    assert session.sampling.dry == [False, True, False]


@pytest.mark.parametrize(
    ("state", "code"), [("nothing", 0), ("waiting", 0), ("off", 0), ("unfinished", 0), ("busy", 1)]
)
def test_a_run_that_draws_nothing_says_why(state: str, code: int) -> None:
    session = DoubleSession()
    session.sampling.told = {"state": state, "queued": 0}

    result = run(session, "sampling", "run")
    assert result.exit_code == code
    assert len(result.output.strip()) > 20
