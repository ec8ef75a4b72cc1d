"""A goal is met, missed, or was not measured; the table says which."""

import pytest

from tests.bench.goals import OF_EVALUATION, OF_GATE, Bound, Goal, Result, results, table

FIGURES = {
    "items_100": {"over_sdk_sync": 104.2, "over_sdk_async": 1.5, "over_limit": 1.16, "agent_calls_per_item": 1.0},
    "gate_overhead_s": 4.7,
}


@pytest.mark.parametrize(
    ("bound", "measured", "met"),
    [
        ("at least", 2.0, True),
        ("at least", 1.99, False),
        ("at most", 2.0, True),
        ("at most", 2.01, False),
        ("exactly", 2.0, True),
        ("exactly", 1.0, False),
        ("above", 2.0, False),
        ("above", 2.01, True),
        ("at least", None, None),
    ],
)
def test_a_figure_is_held_against_its_goal(bound: Bound, measured: float | None, met: bool | None) -> None:
    assert Result(Goal("speed", ("speed",), bound, 2.0), measured).met is met


def test_every_figure_is_found_where_it_is_written() -> None:
    found = results((*OF_EVALUATION, *OF_GATE), FIGURES)
    assert [(one.measured, one.met) for one in found] == [
        (104.2, True),
        (1.5, False),
        (1.16, True),
        (1.0, True),
        (4.7, True),
    ]


def test_a_figure_that_is_not_there_is_not_taken_for_met() -> None:
    assert {one.met for one in results((*OF_EVALUATION, *OF_GATE), {"items_100": None})} == {None}


def test_the_table_has_a_line_for_each_goal() -> None:
    lines = table(results((*OF_EVALUATION, *OF_GATE), FIGURES | {"gate_overhead_s": None})).splitlines()
    assert len(lines) == 5
    assert lines[1].split()[-5:] == ["1.50x", "at", "least", "1.6x", "MISSED"]
    assert lines[4].split()[-3:] == ["s", "not", "measured"]
