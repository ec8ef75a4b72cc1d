"""Report -> HTML; how it looks and behaves is tested in a browser, see tests/integration/test_report_browser.py."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from flywheel.report import render_html
from flywheel.report.render import coded, measure, percent, saving, span, usd
from flywheel.report.words import signed
from tests import report_samples

_VOID = {"meta", "link", "br", "hr", "img", "input"}


class _Balance(HTMLParser):
    """Fails when an element is closed that is not the open one; remembers what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        assert not any(name.startswith("on") for name, _ in attrs), f"a handler in <{tag}>"
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _parsed(name: str) -> tuple[str, _Balance]:
    page = render_html(report_samples.SAMPLES[name]())
    parser = _Balance()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return page, parser


@pytest.mark.parametrize("name", sorted(report_samples.SAMPLES))
def test_each_page_is_well_formed_without_scripts_and_loads_nothing(name: str) -> None:
    page, parser = _parsed(name)
    assert parser.seen.isdisjoint({"script", "iframe", "img", "object", "embed", "form", "base"})
    assert all(link == "data:," or link.startswith("http://127.0.0.1:3000/") for link in parser.links)
    assert "default-src 'none'" in page
    assert re.search(r"@import|url\((?!#)", page) is None


@pytest.mark.parametrize("name", sorted(report_samples.SAMPLES))
def test_each_page_can_be_written_as_utf_8_and_stays_under_a_megabyte(name: str) -> None:
    assert len(_parsed(name)[0].encode("utf-8")) < 1_000_000


def test_hostile_texts_appear_only_escaped() -> None:
    page, _ = _parsed("hostile")
    assert "<script" not in page
    assert "&lt;script&gt;document.title" in page
    assert "{{ 7*7 }}" in page
    assert "javascript:" not in page


def test_the_banner_says_verdict_first_reason_and_next_step() -> None:
    report = report_samples.crashing()
    page = render_html(report)
    banner = page[page.index("<header") : page.index("</header>")]
    assert all(
        text in banner
        for text in ("FAIL", "12 of 60" if "12 of 60" in report.headline else "of 60 trials errored", "Next:")
    )


def test_commands_in_backticks_are_set_as_code_and_escaped() -> None:
    assert coded("run `a <b>` & go") == "run <code>a &lt;b&gt;</code> &amp; go"


def test_errored_trials_are_called_errors_and_not_wrong_answers() -> None:
    page, _ = _parsed("crashing")
    assert "this is an error, not a wrong answer" in page
    assert "errored at invoke" in page


def test_a_gate_without_records_has_a_page_that_says_why() -> None:
    page, _ = _parsed("never_ready")
    assert "No trial was run" in page
    assert "was not READY within 60 s" in page
    assert "<figure" not in page


def test_the_first_gate_says_that_there_was_no_incumbent() -> None:
    page, _ = _parsed("first_gate")
    assert "nothing is in production yet" in page
    assert "Item by item" not in page


def test_each_stand_in_is_named() -> None:
    page, _ = _parsed("passing")
    assert all(name in page for name in report_samples.STAND_INS)
    assert "Not everything here was real" in page


def test_each_plot_has_a_title_and_a_description_for_those_who_cannot_see_it() -> None:
    page, _ = _parsed("regressed")
    plots = re.findall(r'<svg class="plot"[^>]*role="img".*?</svg>', page, re.DOTALL)
    assert len(plots) == 6
    assert all("<title" in plot and "<desc" in plot for plot in plots)


def test_what_decided_is_told_with_its_evidence_and_what_it_took() -> None:
    page, _ = _parsed("passing")
    assert "Ended after 100 of 747 possible pairs" in page
    assert "A fixed-size test of the same error rates takes 348 invocations; this gate took 200." in page
    assert page.count('class="plot evidence"') == 6
    assert "Against the anchor release" in page
    assert "What is missing" not in page


def test_an_inconclusive_gate_says_what_is_missing_and_what_it_would_cost() -> None:
    page, _ = _parsed("undecided")
    missing = page[page.index('id="missing"') : page.index('id="decided"')]
    assert "about 210 more pairs" in missing
    assert "more trials would not settle it" in missing
    assert re.search(r'data-label="Invocations" class="num ">420</td><td data-label="Cost" class="num ">\$\d', missing)
    assert "It took 4.3 times the invocations of a fixed-size test" in page
    assert "A fixed-size test of the same error rates takes" not in page


def test_a_gate_that_ended_before_anything_was_settled_claims_no_saving() -> None:
    page, _ = _parsed("one_look")
    assert "nothing was saved" in page
    assert "+0.039, between" in page
    assert "after 1 pair." in page


def test_a_verdict_by_point_estimate_has_the_page_it_had() -> None:
    page, _ = _parsed("point_estimate")
    assert 'id="decided"' not in page
    assert "point estimate" in page
    assert "Item by item" in page


def test_the_first_gate_is_held_against_the_minimum() -> None:
    page, _ = _parsed("first_gate")
    assert "candidate \N{MINUS SIGN} minimum, pair by pair" in page
    assert "minimum 0.75</li>" in page
    assert 'data-label="Observed" class="num ">0.811<' in page


def test_a_cached_incumbent_says_what_was_stored_and_from_which_gates() -> None:
    page, _ = _parsed("cached")
    card = page[page.index("The incumbent was not asked again") :]
    assert "174 stored answers of release 17 to 58 items" in card[:400]
    assert "g-20261119t101500-5b7c1a90" in card[:400]
    assert "judged again by today&#39;s judge" in card[:700] or "judged again by today's judge" in card[:700]
    assert "174 stored answers of release 12 to 58 items" in page
    assert page.count("Not invoked: its stored answers were judged again.") == 2


def test_claims_beyond_the_first_are_folded() -> None:
    report = report_samples.passing()
    assert report.decision is not None
    many = replace(report.decision, certificates=report.decision.certificates * 4)
    page = render_html(replace(report, decision=many))
    assert "<summary>12 more claims</summary>" in page
    assert page.count('class="plot evidence"') == 24


def test_reliability_is_told_by_arm_and_slice_and_names_items_below_n_of_n() -> None:
    page, _ = _parsed("passing")
    card = page[page.index("<h3>Steadiness</h3>") :]
    assert 'candidate<span class="soft">, edge_case</span>' in card
    assert "Items below n of n (6)" in card
    assert "pass and fail in both arms" in card


def test_a_policy_that_gates_reliability_says_what_it_asks_for() -> None:
    report = report_samples.passing()
    page = render_html(replace(report, policy=report.policy | {"reliability_k": 3, "minimum_reliability": 0.8}))
    assert "The policy asks for pass^3 of 80.0 % at least." in page


@pytest.mark.parametrize(
    ("invocations", "fixed", "said"),
    [
        (100, 400, "It saved 75 % of the invocations of a fixed-size test"),
        (500, 400, "It took 25 % more invocations than a fixed-size test"),
        (1_200, 400, "It took 3.0 times the invocations of a fixed-size test"),
        (400, 400, "It took as many invocations as a fixed-size test"),
        (400, 0, "no fixed-size test"),
    ],
)
def test_what_was_saved_is_said_also_when_it_took_more(invocations: int, fixed: int, said: str) -> None:
    it = report_samples.passing().decision
    assert it is not None
    saved = 1 - invocations / fixed if fixed else 0.0
    spent = replace(it.spent, invocations=invocations, fixed_invocations=fixed, saved=saved)
    assert said in saving(replace(it, spent=spent))


@pytest.mark.parametrize(
    ("value", "metric", "text"),
    [
        (None, "correctness", "\N{EN DASH}"),
        (0.5, "correctness", "0.500"),
        (9_900, "latency_ms", "9.9 s"),
        (0.2, "error_rate", "20.0 %"),
        (0.05, "cost_usd", "$0.05"),
        (3.0, None, "3"),
        (-0.4, "correctness", "\N{MINUS SIGN}0.400"),
    ],
)
def test_a_figure_is_shown_in_the_unit_of_its_metric(value: float | None, metric: str | None, text: str) -> None:
    assert measure(value, metric) == text


def test_money_time_shares_and_differences_read_well() -> None:
    assert [usd(v) for v in (None, 0.0, 0.0000381, 0.00961, 0.5, 1234.5)] == [
        "\N{EN DASH}",
        "$0.00",
        "$0.000038",
        "$0.0096",
        "$0.50",
        "$1,234.50",
    ]
    assert [span(v) for v in (0.0, 3.25, 60, 3661)] == ["0.0 s", "3.2 s", "1 min", "1 h 1 min 1 s"]
    assert (percent(0.2), signed(0.25), signed(-0.25)) == ("20.0 %", "+0.250", "\N{MINUS SIGN}0.250")
