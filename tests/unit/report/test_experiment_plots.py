"""Plots of an experiment: names that do not collide, a front that only rises, axes that hold what they show."""

from dataclasses import replace
from itertools import combinations

import pytest

from flywheel.domain.experiment_effects import Effect
from flywheel.domain.item_intervals import Figure
from flywheel.report.experiment_page import halving_rows
from flywheel.report.experiment_plots import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    cost_plot,
    effects_plot,
    latency_plot,
)
from flywheel.report.labels import Box, place
from tests.experiment_reports import CONSTRAINED, experiment

PAPER = Box(0, 0, 500, 300)


@pytest.mark.parametrize("many", [2, 12, 64])
def test_names_hide_neither_a_point_nor_another_name(many: int) -> None:
    points = {f"c{n:02d}": (250 + 40 * (n % 7), 150.0 + 9 * (n // 7)) for n in range(many)}
    found = place(points, PAPER)
    assert all(PAPER.holds(box) for box in found.values())
    assert not any(a.meets(b) for a, b in combinations(found.values(), 2))
    assert not any(box.meets(Box(x - 5, y - 5, 10, 10)) for box in found.values() for x, y in points.values())


def test_the_first_name_has_the_first_choice_and_one_without_a_place_has_none() -> None:
    found = place({f"c{n}": (250.0, 150.0) for n in range(40)}, PAPER)
    assert "c0" in found
    assert 4 <= len(found) < 40


def test_a_name_at_the_edge_turns_to_the_other_side() -> None:
    assert place({"c01": (498.0, 150.0)}, PAPER)["c01"].x < 498


@pytest.mark.parametrize("plot_of", [cost_plot, latency_plot])
def test_every_point_is_on_the_paper_and_the_recommended_one_is_drawn_last(plot_of: type) -> None:
    report = experiment(4, 2, 4, items=24, trials=2, constraints=CONSTRAINED).report()
    plot = plot_of(report)
    assert len(plot.points) == 32
    assert all(LEFT <= p.x <= RIGHT and TOP <= p.y <= BOTTOM for p in plot.points)
    assert plot.points[-1].kind == "recommended"
    assert plot.points[-1].label is not None
    assert plot.unlabelled == sum(p.label is None for p in plot.points)
    assert plot.front.startswith("M")
    heights = [float(part.split("H")[0]) for part in plot.front.split("V")[1:]]
    assert heights == sorted(heights, reverse=True)


def test_costs_far_apart_have_a_logarithmic_axis_and_near_ones_a_straight_one() -> None:
    far, near = cost_plot(experiment(4, 1, 1).report()), cost_plot(experiment(2, 1, 1).report())
    assert far is not None
    assert near is not None
    assert (far.logarithmic, near.logarithmic) == (True, False)
    assert len(far.ticks_x) >= 2


def test_costs_that_are_all_the_same_or_nothing_still_have_an_axis() -> None:
    report = experiment(2, 1, 1).report()
    for cost in (0.0, 0.01):
        rows = tuple(replace(row, cost_per_item_usd=Figure(cost)) for row in report.configurations)
        plot = cost_plot(replace(report, configurations=rows))
        assert plot is not None
        assert plot.points[0].x == plot.points[1].x


def test_without_costs_there_is_no_plot_of_them() -> None:
    report = experiment(2, 1, 1).report()
    rows = tuple(replace(row, cost_per_item_usd=None) for row in report.configurations)
    assert cost_plot(replace(report, configurations=rows)) is None
    assert latency_plot(replace(report, configurations=rows[:1])) is None


def test_an_effect_is_better_worse_or_open_by_its_interval() -> None:
    figures = [Figure(0.1, 0.05, 0.2), Figure(-0.1, -0.2, -0.05), Figure(0.0, -0.1, 0.1), Figure(0.1), None]
    plot = effects_plot([Effect("model", f"m{n}", "m", 2, 9, figure, 2.0, None) for n, figure in enumerate(figures)])
    assert plot is not None
    assert [row.state for row in plot.rows] == ["certified", "refuted", "open", "open", "open"]
    assert plot.rows[0].note == "against m; 2 pairs, 9 items; latency \N{MULTIPLICATION SIGN}2"
    assert plot.rows[-1].mean_x is None
    assert "nothing is alike in everything else" in plot.rows[-1].note
    assert effects_plot([]) is None


def test_the_halving_shows_who_went_farthest_first_and_why_the_others_did_not() -> None:
    report = experiment(3, 2, 2).report()
    rungs = [rung for rung in report.rungs if rung.assigned]
    rows = halving_rows(report, rungs)
    asked = [sum(t is not None for t in row.trials) for row in rows]
    assert asked == sorted(asked, reverse=True)
    assert [row.going for row in rows] == [True, True, *[False] * 10]
    assert all("in rung" in row.ended for row in rows[2:])
