"""The plot of the difference over the pairs: it stays on its paper, and says what it shows."""

from dataclasses import replace

import pytest

from flywheel.domain.policy import GatePolicy
from flywheel.domain.verdict import Verdict
from flywheel.report.decision import Decision, PathPoint
from flywheel.report.estimates import read_decision
from flywheel.report.path_plot import BOTTOM, LEFT, TOP, PathPlot, path_plot
from flywheel.report.plots import RIGHT
from tests import report_samples
from tests.report_estimates import estimates


def decision(**options: object) -> Decision:
    found = read_decision(Verdict("PASS", (), estimates(**options)), GatePolicy())  # type: ignore[arg-type]
    assert found is not None
    return found


def drawn(it: Decision) -> PathPlot:
    plot = path_plot(it)
    assert plot is not None
    return plot


def corners(points: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in points.split())]


@pytest.mark.parametrize("name", sorted(report_samples.SAMPLES))
def test_nothing_is_drawn_outside_the_paper(name: str) -> None:
    it = report_samples.SAMPLES[name]().decision
    plot = path_plot(it) if it else None
    if plot is None:
        return
    points = [p for line in (plot.band, *plot.mean) for p in corners(line)]
    points += [(plot.last_x, y) for y in (plot.last_y, plot.low_y, plot.high_y)]
    points += [(LEFT, line.y) for line in plot.lines] + [(mark.x, TOP) for mark in plot.marks]
    assert all(LEFT <= x <= RIGHT and TOP <= y <= BOTTOM for x, y in points)


@pytest.mark.parametrize("points", [1, 2, 3, 120])
def test_the_lines_and_the_last_interval_are_on_the_axis_with_one_point_and_with_many(points: int) -> None:
    plot = drawn(decision(points=points, pairs=240))
    assert len(plot.lines) == 2
    assert all(TOP < line.y < BOTTOM for line in plot.lines)
    assert TOP < plot.high_y < plot.last_y < plot.low_y < BOTTOM
    assert bool(plot.band) == (points > 1)


def test_an_early_confidence_sequence_does_not_squeeze_the_later_one() -> None:
    plot = drawn(decision(points=120, pairs=600))
    height = plot.low_y - plot.high_y
    assert height > (BOTTOM - TOP) / 5


def test_a_mean_that_leaves_the_axis_breaks_its_line_instead_of_running_along_the_edge() -> None:
    it = decision(points=40)
    wild = [PathPoint(n, -0.9 if n < 4 else 0.0, -1.0 if n < 9 else -0.1, 0.1) for n in range(1, 41)]
    plot = drawn(replace(it, path=tuple(wild)))
    assert [len(corners(line)) for line in plot.mean] == [37]


def test_claims_that_were_settled_alike_at_the_same_pair_share_a_mark() -> None:
    told = estimates()
    for certificate in told["certificates"]:
        certificate["at_pairs"] = 40
    found = read_decision(Verdict("PASS", (), told), GatePolicy())
    assert found is not None
    [mark] = drawn(found).marks
    assert (mark.pairs, mark.state) == (40, "certified")
    assert mark.said.count(";") == 4


def test_the_mark_of_the_mean_says_whether_it_was_certified_or_refuted() -> None:
    certified, refuted = drawn(decision()).mean_mark, drawn(decision(state="refuted", pairs=22)).mean_mark
    assert certified is not None
    assert refuted is not None
    assert (certified.state, certified.pairs, refuted.state, refuted.pairs) == ("certified", 100, "refuted", 22)
    assert drawn(decision(state="open")).mean_mark is None


def test_without_an_incumbent_the_only_line_is_the_minimum() -> None:
    plot = drawn(decision(design="one_sample"))
    assert [(line.kind, line.label) for line in plot.lines] == [("limit", "minimum 0.75")]
    assert "candidate minus minimum" in plot.summary


def test_the_summary_tells_difference_interval_margin_and_where_it_was_settled() -> None:
    summary = drawn(decision()).summary
    assert summary.startswith("After 100 pairs candidate minus incumbent is ")
    assert "the margin is \N{MINUS SIGN}0.090" in summary
    assert summary.endswith("the mean was certified after 100 pairs")


def test_a_gate_without_a_scored_pair_has_no_plot_and_one_without_a_path_its_last_interval() -> None:
    it = decision()
    assert path_plot(replace(it, path=(), difference=None)) is None
    assert drawn(replace(it, path=())).band == ""
