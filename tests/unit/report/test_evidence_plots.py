"""Forest of slices, bars of evidence and of invocations: what they show, and that they stay on their paper."""

from dataclasses import replace

import pytest

from flywheel.domain.policy import GatePolicy
from flywheel.domain.verdict import Verdict
from flywheel.report.decision import AnchorEvidence, Decision, Interval, SliceEvidence
from flywheel.report.estimates import read_decision
from flywheel.report.evidence_plots import (
    BAR_WIDTH,
    MOST_ROWS,
    ForestPlot,
    anchor_plot,
    evidence_bars,
    evidence_said,
    forest_plot,
    spent_plot,
    state_text,
)
from flywheel.report.plots import LEFT, RIGHT
from flywheel.report.words import evidence_text, interval_text
from tests import report_samples
from tests.report_estimates import estimates


def decision(**options: object) -> Decision:
    found = read_decision(Verdict("PASS", (), estimates(**options)), GatePolicy())  # type: ignore[arg-type]
    assert found is not None
    return found


def forest(it: Decision) -> ForestPlot:
    plot = forest_plot(it)
    assert plot is not None
    return plot


@pytest.mark.parametrize("name", sorted(report_samples.SAMPLES))
def test_nothing_is_drawn_outside_the_paper(name: str) -> None:
    it = report_samples.SAMPLES[name]().decision
    if it is None:
        return
    plot = forest_plot(it)
    if plot is not None:
        xs = [x for row in plot.rows for x in (row.low_x, row.high_x, row.mean_x) if x is not None]
        assert all(LEFT <= x <= RIGHT for x in [*xs, plot.zero_x, plot.limit_x or LEFT])
    for bar in evidence_bars(it.certificates):
        sizes = (bar.width, bar.needed_x, bar.against_width or 0, bar.against_needed_x or 0)
        assert all(0 <= size <= BAR_WIDTH for size in sizes)
    assert all(0 < bar.width <= RIGHT - LEFT for bar in spent_plot(it.spent).bars)


def test_a_slice_shows_difference_interval_pairs_and_state_in_words() -> None:
    plot = forest(decision(slice_states=("open", "certified", "refuted")))
    assert [(row.label, row.state) for row in plot.rows] == [
        ("adversarial", "refuted"),
        ("happy_path", "open"),
        ("edge_case", "certified"),
    ]
    assert plot.rows[0].note == "33 pairs \N{MIDDLE DOT} \N{MULTIPLICATION X} refuted"
    assert plot.rows[0].value.startswith("\N{MINUS SIGN}0.780 (")
    assert plot.rows[0].low_x < (plot.rows[0].mean_x or 0) < plot.rows[0].high_x
    assert plot.limit_text == "slice margin \N{MINUS SIGN}0.50"
    assert (plot.limit_x or RIGHT) < plot.zero_x


def test_a_merged_slice_names_its_group_and_a_small_one_says_that_it_is_only_refuted() -> None:
    told = estimates(slice_states=("small", "small", "certified"))
    told["slices"]["happy_path"]["certified_in"] = "(small slices)"
    told["slices"]["edge_case"]["certified_in"] = None
    told["certificates"].append(told["certificates"][-1] | {"slice": "(small slices)"})
    found = read_decision(Verdict("PASS", (), told), GatePolicy())
    assert found is not None
    notes = {row.label: row.note for row in forest(found).rows}
    assert notes["happy_path"].endswith("small: certified within (small slices)")
    assert notes["edge_case"].endswith("too small to certify, only refuted")


def test_a_slice_without_a_scored_pair_has_a_row_and_no_interval() -> None:
    it = decision()
    bare = SliceEvidence("new", 2, 0, None, None, None, "open")
    row = next(r for r in forest(replace(it, slices=(*it.slices, bare))).rows if r.label == "new")
    assert (row.mean_x, row.value) == (None, "")
    assert forest_plot(replace(it, slices=(bare,))) is None


def test_of_very_many_slices_those_that_matter_most_are_drawn_and_the_others_counted() -> None:
    it = decision()
    rows = [replace(it.slices[0], slice=f"s{n:03d}", state="certified") for n in range(100)]
    rows[99] = replace(rows[99], state="refuted")
    plot = forest(replace(it, slices=tuple(rows)))
    assert (len(plot.rows), plot.omitted, plot.rows[0].label) == (MOST_ROWS, 100 - MOST_ROWS, "s099")


def test_the_anchor_has_one_row_and_its_own_margin() -> None:
    plot = anchor_plot(AnchorEvidence(Interval(-0.02, -0.06, 0.02, 1), "certified", 0.075))
    assert plot is not None
    assert [row.note for row in plot.rows] == ["1 pair \N{MIDDLE DOT} \N{CHECK MARK} certified"]
    assert plot.limit_text == "anchor margin \N{MINUS SIGN}0.075"
    assert anchor_plot(AnchorEvidence(None, "open", 0.075)) is None


def test_evidence_is_drawn_on_a_logarithmic_axis_that_all_claims_share() -> None:
    claim = decision().certificates[0]
    ten, hundred, none = evidence_bars(
        [replace(claim, evidence=e, needed=20.0, refuting_evidence=None, refuting_needed=None) for e in (10, 100, 0.2)]
    )
    assert ten.width == pytest.approx(hundred.width / 2)
    assert (none.width, none.against_width) == (0, None)
    assert ten.width < ten.needed_x < hundred.width


def test_both_bars_say_in_words_how_far_they_went() -> None:
    claim = replace(decision().certificates[0], evidence=23.4, needed=20, refuting_evidence=0.4, refuting_needed=150)
    assert evidence_said(claim) == "evidence for it 23.4, 20 needed; against it 0.4, 150 needed"
    assert evidence_said(replace(claim, refuting_evidence=None)) == "evidence for it 23.4, 20 needed"


def test_what_it_took_stands_beside_fixed_design_and_cap() -> None:
    plot = spent_plot(decision().spent)
    assert [(bar.label, bar.value) for bar in plot.bars] == [
        ("this gate", "200"), ("fixed-size test", "348"), ("cap", "1,494"),
    ]  # fmt: skip
    assert plot.bars[0].width < plot.bars[1].width < plot.bars[2].width
    unknown = spent_plot(replace(decision().spent, fixed_pairs=0, fixed_invocations=0))
    assert [bar.label for bar in unknown.bars] == ["this gate", "cap"]


def test_states_are_told_apart_without_colour() -> None:
    assert len({state_text(s)[0] for s in ("certified", "refuted", "open", "small")}) == 4
    assert state_text("unheard of") == "unheard of"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0021, "0.0021"), (1, "1"), (23.44, "23.4"), (12345.6, "12,346"), (1e300, "1e300")]
)
def test_evidence_has_as_many_digits_as_say_something(value: float, text: str) -> None:
    assert evidence_text(value) == text


def test_an_interval_reads_with_signs() -> None:
    assert interval_text(0.01, -0.07, 0.09) == "+0.010 (\N{MINUS SIGN}0.070 to +0.090)"
