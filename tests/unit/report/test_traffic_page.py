"""The page of a run of synthetic users: self-contained, escaped, and honest about what is missing."""

from dataclasses import replace

from flywheel.domain.traffic_report import build_report
from flywheel.report.traffic_page import render_traffic, time_plot
from tests.unit.domain.test_traffic_report import FACTS, part, turn


def test_the_page_has_the_plot_and_the_figures() -> None:
    rows = [turn(n, 100 * n) for n in range(59)] + [turn(59, 9, outcome="errored", error="http_500")]
    page = render_traffic(build_report(FACTS, [part(0, *rows)]))
    assert FACTS.run_id in page
    assert "http_500" in page
    assert page.count("<svg") == 5  # the plot, and its key of four
    assert "intended arrival" in page
    for word in ("<script", "http://", "https://", "src="):
        assert word not in page


def test_lines_break_where_nothing_answered() -> None:
    plot = time_plot(build_report(FACTS, [part(0, turn(0), turn(1), turn(50))]))
    assert plot is not None
    assert plot.p95.count("M") == 2
    assert len(plot.errored) == 0


def test_a_run_without_a_turn_has_a_page_without_a_plot() -> None:
    report = build_report(FACTS, [])
    assert time_plot(report) is None
    assert "Nothing was sent." in render_traffic(report)


def test_what_stood_in_for_a_real_service_is_said() -> None:
    page = render_traffic(build_report(replace(FACTS, stand_ins=("AgentCore", "model")), []))
    assert "Not everything here was real" in page
    assert "Not everything here was real" not in render_traffic(build_report(FACTS, []))


def test_whatever_a_name_holds_it_is_escaped() -> None:
    facts = replace(FACTS, failure="<b>States.Timeout</b>")
    page = render_traffic(build_report(facts, [part(0, turn(0, persona="<i>ada</i>"))]))
    assert "<i>ada" not in page
    assert "<b>States" not in page
