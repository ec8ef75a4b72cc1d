"""Reports of traffic: merging is exact, slowness shows, what is harmful is counted apart."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.traffic_report import (
    Latency,
    RunFacts,
    build_report,
    dump_report,
    load_report,
)
from flywheel.domain.traffic_results import PartResult, TurnResult, dump_part, load_part
from flywheel.errors import InvalidRequestError

FACTS = RunFacts("t-20261125t100000-0123abcd", "dev", "2026-11-25T10:00:00+00:00", 1, "constant", 60.0, 1)


def turn(arrival: int, latency_ms: int = 100, **more: Any) -> TurnResult:
    values = {"turn": 1, "persona": "ada", "scenario": "s", "at_s": float(arrival), "service_ms": latency_ms}
    return TurnResult(**{"arrival": arrival, "latency_ms": latency_ms, "outcome": "answered", **values, **more})


def part(number: int, *turns: TurnResult, **more: Any) -> PartResult:
    counts = {"arrivals": len(turns), "conversations": len(turns), "turned_away": 0, "unsent": 0, "cut_short": 0}
    values = {**counts, "sessions_left": 0, "stopped_by": "finished", **more}
    return PartResult(run_id=FACTS.run_id, part=number, turns=turns, **values)


turns = st.builds(
    turn,
    st.integers(0, 59),
    st.integers(0, 100_000),
    turn=st.integers(1, 3),
    outcome=st.sampled_from(["answered", "refused", "errored"]),
    error=st.sampled_from(["timeout", "http_500"]),
    must_refuse=st.booleans(),
    cost_usd=st.none() | st.floats(0, 1),
)


@given(st.lists(turns, max_size=60), st.integers(1, 5), st.integers())
def test_the_parts_of_several_workers_give_the_report_of_the_whole(
    rows: list[TurnResult], workers: int, seed: int
) -> None:
    unique = list({(one.arrival, one.turn): one for one in rows}.values())
    shares = [[one for one in unique if one.arrival % workers == number] for number in range(workers)]
    parts = [part(number, *share) for number, share in enumerate(shares)]
    Random(seed).shuffle(parts)
    facts = replace(FACTS, parts=workers)
    merged = build_report(facts, parts)
    whole = build_report(facts, [part(0, *unique)])
    assert replace(merged, stopped_by={}, missing_parts=()) == replace(whole, stopped_by={}, missing_parts=())


def test_percentiles_are_of_all_values() -> None:
    report = build_report(FACTS, [part(0, *(turn(n % 60, n, turn=n // 60 + 1) for n in range(1, 201)))])
    assert report.latency == Latency(100, 190, 198, 200, 200)


def test_a_turn_that_was_waited_for_in_vain_is_slow_and_a_quick_error_has_no_response_time() -> None:
    rows = [
        turn(0, 100),
        turn(1, 30_000, outcome="errored", error="timeout"),
        turn(2, 3, outcome="errored", error="ThrottlingException"),
    ]
    report = build_report(FACTS, [part(0, *rows)])
    assert report.latency == Latency(100, 30_000, 30_000, 30_000, 2)
    assert report.errors == {"ThrottlingException": 1, "timeout": 1}
    assert report.success_rate == pytest.approx(1 / 3)


def test_harmful_questions_are_counted_apart() -> None:
    rows = [
        turn(0, must_refuse=True, outcome="refused"),
        turn(1, must_refuse=True, trace_id="a" * 32),
        turn(2, must_refuse=True, outcome="errored", error="timeout"),
        turn(3, outcome="refused"),
    ]
    report = build_report(FACTS, [part(0, *rows)])
    assert (report.harmful, report.harmful_refused, report.harmful_answered, report.refused_other) == (3, 1, 1, 1)
    assert report.harmful_answered_traces == ("a" * 32,)
    assert report.success_rate == 0.75


def test_cost_says_what_it_does_not_know() -> None:
    report = build_report(FACTS, [part(0, turn(0, cost_usd=0.25), turn(1), turn(2, cost_usd=0.5))])
    assert (report.cost_usd, report.unpriced) == (0.75, 1)


def test_a_part_without_results_is_named_and_bounds_show() -> None:
    facts = replace(FACTS, parts=3)
    counts = {"arrivals": 9, "conversations": 5, "turned_away": 3, "unsent": 1, "stopped_by": "cost"}
    report = build_report(facts, [part(2, **counts), part(0, turn(0))])
    assert report.missing_parts == (1,)
    assert (report.arrivals, report.turned_away, report.unsent) == (10, 3, 1)
    assert report.stopped_by == {"cost": 1, "finished": 1}


def test_a_run_without_a_single_turn_has_a_report() -> None:
    report = build_report(FACTS, [])
    assert (report.turns, report.success_rate, report.latency) == (0, None, None)
    assert load_report(dump_report(report)) == report


def test_moments_hold_every_turn_also_those_after_the_end() -> None:
    report = build_report(FACTS, [part(0, turn(0, 10), turn(59, 20), turn(59, 30, turn=2, at_s=75.0))])
    assert sum(moment.turns for moment in report.moments) == 3
    assert report.moments[-1].p95_ms == 30


def test_files_are_read_as_they_were_written_and_nothing_else_is() -> None:
    rows = part(0, turn(0, cost_usd=0.1), turn(1, outcome="errored", error="timeout"))
    assert load_part(dump_part(rows)) == rows
    for text in ("", "{}", '{"run_id": 1}', dump_part(rows).decode().replace("answered", "maybe")):
        with pytest.raises(InvalidRequestError):
            load_part(text)
        with pytest.raises(InvalidRequestError):
            load_report(text)
