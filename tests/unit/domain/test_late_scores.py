"""Late scores are averaged when all of them are there, and never before."""

from dataclasses import replace

import pytest

from flywheel.domain.late_scores import LateState, dump_late, joined, load_late
from flywheel.errors import InvalidRequestError
from tests.fakes.clock import NOON

STATE = LateState(
    attempt=1,
    names=("helpful", "correct"),
    asked_since=NOON.isoformat(),
    deadline=NOON.isoformat(),
    awaited={"c01": ("t1", "t2"), "c02": ("t3",)},
    others={"c03": ("t9",)},
)


def test_half_of_the_scores_have_no_mean() -> None:
    state = STATE.with_values({"helpful": {"t1": 1.0, "t3": 0.5}})
    assert [(f.configuration_id, f.name, f.arrived, f.expected, f.mean) for f in joined(state)] == [
        ("c01", "helpful", 1, 2, None),
        ("c01", "correct", 0, 2, None),
        ("c02", "helpful", 1, 1, 0.5),
        ("c02", "correct", 0, 1, None),
        ("c03", "helpful", 0, 1, None),
        ("c03", "correct", 0, 1, None),
    ]


def test_all_of_them_have_one() -> None:
    state = STATE.with_values({"helpful": {"t1": 1.0}}).with_values({"helpful": {"t2": 0.5}})
    assert joined(state)[0].mean == 0.75


def test_what_was_not_asked_for_is_not_taken() -> None:
    state = STATE.with_values({"helpful": {"t7": 1.0}, "tone": {"t1": 0.0}})
    assert state.values == {"helpful": {}, "correct": {}}


def test_a_second_value_does_not_change_the_first() -> None:
    state = STATE.with_values({"helpful": {"t1": 1.0}}).with_values({"helpful": {"t1": 0.0}})
    assert state.values["helpful"] == {"t1": 1.0}


def test_a_trace_is_missing_until_it_has_every_score() -> None:
    assert list(STATE.missing(STATE.awaited)) == ["t1", "t2", "t3"]
    state = STATE.with_values({"helpful": {"t1": 1.0, "t2": 1.0}, "correct": {"t1": 1.0}})
    assert list(state.missing(state.awaited)) == ["t2", "t3"]


def test_a_state_is_read_back_as_it_was() -> None:
    state = replace(STATE.with_values({"helpful": {"t1": 0.25}}), settled=True, trouble="slow")
    assert load_late(dump_late(state)) == state


@pytest.mark.parametrize("text", ["", "[]", '{"attempt": 1}', dump_late(STATE)[:-1] + ', "more": 1}'])
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="not late scores"):
        load_late(text)
