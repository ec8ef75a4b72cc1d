"""Geometry of the plots: nothing leaves the paper, nothing is divided by zero."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.report.model import ItemDifference, MetricRow
from flywheel.report.plots import LEFT, RIGHT, difference_plot, latency_plot, score_plot
from flywheel.report.scales import Scale, Span, histogram, nice_ticks, ticks_between
from tests import report_samples


@given(st.floats(1e-6, 1e9))
def test_ticks_are_few_round_and_inside_the_axis(top: float) -> None:
    ticks = nice_ticks(top)
    assert 2 <= len(ticks) <= 6
    assert ticks[0] == 0
    assert ticks[-1] <= top * 1.000001


def test_an_axis_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        nice_ticks(0)


@given(st.lists(st.floats(0, 1e9), max_size=50), st.floats(0.1, 1e6))
def test_a_histogram_loses_no_value(values: list[float], top: float) -> None:
    assert sum(histogram(values, top, 8)) == len(values)


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_ticks_between_two_numbers_are_inside_them_and_hold_zero(low: float, length: float) -> None:
    ticks = ticks_between(low, low + length)
    assert 1 <= len(ticks) <= 7
    assert all(low - 1e-6 <= t <= low + length + 1e-6 for t in ticks)
    assert (0.0 in ticks) == (low <= 0 <= low + length) or abs(low) < 1e-6 or abs(low + length) < 1e-6
    with pytest.raises(ValueError, match="length"):
        ticks_between(1, 1)


def test_a_span_may_run_up_the_paper_and_knows_what_it_holds() -> None:
    span = Span(-1, 1, 100, 0)
    assert [span.at(v) for v in (-2, -1, 0, 1)] == [100, 100, 50, 0]
    assert (span.holds(1), span.holds(1.1)) == (True, False)


def test_a_scale_puts_what_is_outside_on_its_edge() -> None:
    scale = Scale(10, 0, 100)
    assert [scale.at(v) for v in (-5, 0, 5, 10, 99)] == [0, 0, 50, 100, 100]


@pytest.mark.parametrize("name", sorted(report_samples.SAMPLES))
def test_nothing_is_drawn_outside_the_paper(name: str) -> None:
    report = report_samples.SAMPLES[name]()
    latency = latency_plot(report)
    if latency is not None:
        boxes = [box for band in latency.bands for box in band.boxes]
        assert all(x >= LEFT and x + w <= RIGHT + 0.01 and y >= 0 and y + h <= latency.height for x, y, w, h in boxes)
    differences = difference_plot(report.differences)
    if differences is not None:
        assert all(
            x >= LEFT - 0.01 and x + w <= RIGHT + 0.3 and y >= 0 and h >= 0 for x, y, w, h, _ in differences.bars
        )


def test_the_score_plot_marks_what_is_under_its_minimum() -> None:
    rows = [
        MetricRow("correctness", None, 0.6, 10, 0.9, 10, 0.75),
        MetricRow("correctness", "edge_case", 0.75, 5, None, 0, 0.75),
        MetricRow("correctness", "adversarial", 0.1, 5, None, 0, None),
        MetricRow("trajectory", None, 0.1, 5, None, 0, 0.5),
    ]
    plot = score_plot(rows, "correctness")
    assert plot is not None
    assert [(b.label, b.met) for b in plot.bars] == [("all items", False), ("edge_case", True), ("adversarial", None)]
    assert "required 0.75" in plot.summary


def test_plots_without_data_are_left_out() -> None:
    assert score_plot([], "correctness") is None
    assert difference_plot([]) is None
    assert latency_plot(report_samples.never_ready()) is None


def test_a_budget_far_beyond_all_latencies_does_not_squeeze_them() -> None:
    report = report_samples.passing()
    plot = latency_plot(report)
    assert plot is not None
    assert plot.budget_x is not None
    far = latency_plot(replace(report, latency_budget_ms=300_000))
    assert far is not None
    assert (far.budget_x, far.top_ms < 20_000) == (None, True)


def test_one_latency_far_out_is_counted_as_beyond_the_axis() -> None:
    report = report_samples.passing()
    ours = replace(report.arms[0], latencies_ms=(*(1_000,) * 50, 900_000))
    plot = latency_plot(replace(report, arms=(ours,)))
    assert plot is not None
    assert plot.beyond == 1
    assert plot.top_ms < 10_000


def test_of_thousands_of_differences_an_even_choice_is_drawn_and_all_are_counted() -> None:
    rows = [ItemDifference(f"i{n}", "happy_path", 0, 0, (n - 1_000) / 1_000) for n in range(2_001)]
    plot = difference_plot(rows)
    assert plot is not None
    assert (plot.worse, plot.same, plot.better) == (1_000, 1, 1_000)
    assert len(plot.bars) == plot.shown == 344
