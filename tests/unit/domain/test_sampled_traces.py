"""What is checked of traces, and how they are weighed."""

from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.sampled_traces import Totals, Trace, columns, weighing
from flywheel.errors import InvalidRequestError

TRACES: list[Trace] = [("a", 0.5, "x"), ("b", 0.25, "x"), ("c", 0.0, "y"), ("d", 0.25, "x")]
some_traces = st.lists(
    st.tuples(st.text(min_size=1), st.floats(0, 1), st.sampled_from("xyz")), min_size=1, unique_by=lambda t: t[0]
)


def test_half_follows_the_risk_three_tenths_all_traces_and_two_tenths_the_topics() -> None:
    checked = columns(TRACES)
    weights = weighing(checked.totals()).weights(checked)
    assert weights == pytest.approx(
        [
            0.5 * 0.5 + 0.3 / 4 + 0.2 / 6,
            0.5 * 0.25 + 0.3 / 4 + 0.2 / 6,
            0.3 / 4 + 0.2 / 2,
            0.5 * 0.25 + 0.3 / 4 + 0.2 / 6,
        ]
    )


def test_without_any_risk_its_share_goes_to_the_equal_part() -> None:
    checked = columns([(trace_id, 0.0, topic) for trace_id, _, topic in TRACES])
    weights = weighing(checked.totals()).weights(checked)
    assert weights == pytest.approx([0.8 / 4 + 0.2 / 6, 0.8 / 4 + 0.2 / 6, 0.8 / 4 + 0.2 / 2, 0.8 / 4 + 0.2 / 6])


@given(some_traces)
def test_the_weights_of_a_population_sum_to_one_and_none_is_below_the_equal_part(traces: list[Trace]) -> None:
    checked = columns(traces)
    weights = weighing(checked.totals()).weights(checked)
    assert fsum(weights) == pytest.approx(1)
    assert min(weights) >= 0.3 / len(traces)


def test_risks_too_small_to_count_do_not_outweigh_everything() -> None:
    checked = columns([("big", 1.5 * 2.0**-53, "x"), *((str(n), 1e-17, "x") for n in range(1_000))])
    assert fsum(weighing(checked.totals()).weights(checked)) == pytest.approx(1)


@given(some_traces, st.integers(1, 8))
def test_totals_of_shards_add_up_to_the_totals_of_the_whole(traces: list[Trace], shards: int) -> None:
    parts = [columns(traces[start::shards]).totals() for start in range(shards)]
    assert sum(parts, Totals(0, 0, {})) == columns(traces).totals()


@pytest.mark.parametrize(
    "entries",
    [
        [("a", 0.2, "x"), ("a", 0.9, "y"), ("a", 0.9, "x"), ("b", 0.1, "x")],
        [("a", 0.9, "x"), ("b", 0.1, "x"), ("a", 0.9, "y"), ("a", 0.2, "x")],
    ],
)
def test_a_trace_that_comes_several_times_counts_once_by_its_highest_risk(entries: list[Trace]) -> None:
    checked = columns(entries)
    found = sorted(zip(checked.trace_ids, checked.risks, checked.topics, strict=True))
    assert found == [("a", 0.9, "x"), ("b", 0.1, "x")]


def test_no_traces_are_fine() -> None:
    assert columns([]).totals() == Totals(0, 0, {})


def test_whole_numbers_and_lists_are_fine() -> None:
    assert columns([("a", 1, "x"), ["b", 0, "x"]]).totals() == columns([("a", 1.0, "x"), ("b", 0.0, "x")]).totals()  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("trace", "message"),
    [
        (("b", float("nan"), "x"), "the risk of trace 'b' is nan"),
        (("b", float("inf"), "x"), "the risk of trace 'b' is inf"),
        (("b", -0.01, "x"), "the risk of trace 'b' is -0.01; expected a number in"),
        (("b", 1.01, "x"), "the risk of trace 'b' is 1.01"),
        (("b", True, "x"), "the risk of trace 'b' is True"),
        (("b", "0.5", "x"), "the risk of trace 'b' is '0.5'"),
        (("b", None, "x"), "the risk of trace 'b' is None"),
        ((7, 0.5, "x"), "the id of trace 1 is 7; expected text"),
        ((b"b", 0.5, "x"), "the id of trace 1 is b'b'"),
        (("", 0.5, "x"), "the id of trace 1 is ''"),
        ((["b"], 0.5, "x"), "the id of trace 1 is"),
        (("b", 0.5, None), "the topic of trace 'b' is None; expected text"),
        (("b", 0.5, ["x"]), "the topic of trace 'b' is"),
        (("b", 0.5), "trace 1 is ('b', 0.5); expected (id, risk, topic)"),
        ("abc", "trace 1 is 'abc'"),
        (None, "trace 1 is None"),
    ],
)
def test_a_trace_that_is_not_one_is_named(trace: Trace, message: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        columns([("a", 0.5, "x"), trace, ("c", 0.5, "x")])
    assert message in str(caught.value)
