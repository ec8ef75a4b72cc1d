"""A label that is given starts something once, in whatever order Langfuse tells of it."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.prompt_labels import MOST_VERSIONS, Change, PromptState, after, asked

START = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
LABEL = "candidate"


def change(version: int, second: int, *labels: str, gone: bool = False, delivery: str = "") -> Change:
    at = START + timedelta(seconds=second)
    return Change(version, at, frozenset(labels), delivery or f"d{version}-{second}-{gone}", gone)


def gains(*changes: Change) -> list[tuple[int, int]]:
    """Version and second of every gain, in the order in which they are found."""
    state = PromptState()
    for one in changes:
        state = after(state, "p", one, LABEL)
    assert len({gain.request_id for gain in state.waiting}) == len(state.waiting)
    return [(gain.version, round((gain.at - START).total_seconds())) for gain in state.waiting]


def test_a_version_that_gets_the_label_is_found_once() -> None:
    assert gains(change(3, 1), change(3, 2, LABEL), change(3, 2, LABEL), change(3, 2, LABEL, delivery="other")) == [
        (3, 2)
    ]


def test_a_version_that_is_made_with_the_label_has_got_it() -> None:
    assert gains(change(1, 1, LABEL, "latest")) == [(1, 1)]


@pytest.mark.parametrize("labels", [(), ("production",), ("latest", "staging"), ("candidates",)])
def test_other_labels_are_nothing_to_us(labels: tuple[str, ...]) -> None:
    assert gains(change(3, 1, *labels)) == []


def test_edited_tags_and_our_own_move_of_production_change_nothing() -> None:
    first = change(3, 1, LABEL)
    assert gains(first, change(3, 2, LABEL), change(2, 2), change(3, 3, LABEL, "production"), change(2, 3)) == [(3, 1)]


def test_a_label_that_is_taken_away_and_given_again_starts_again() -> None:
    assert gains(change(3, 1, LABEL), change(3, 2), change(3, 3, LABEL)) == [(3, 1), (3, 3)]


def test_a_label_that_went_to_another_version_and_came_back_starts_again_though_nobody_told_of_its_loss() -> None:
    assert gains(change(3, 1, LABEL), change(4, 2, LABEL), change(4, 3), change(3, 3, LABEL)) == [
        (3, 1),
        (4, 2),
        (3, 3),
    ]


def test_the_version_that_loses_the_label_may_be_told_of_first_and_with_a_later_time() -> None:
    assert gains(change(1, 1, LABEL), change(1, 3), change(2, 2, LABEL)) == [(1, 1), (2, 2)]


def test_a_version_is_passed_over_when_another_has_had_the_label_since() -> None:
    assert gains(change(4, 5, LABEL), change(3, 2, LABEL)) == [(4, 5)]
    assert gains(change(4, 5, LABEL), change(4, 6), change(3, 2, LABEL)) == [(4, 5)]


def test_a_loss_that_is_told_late_shows_that_the_label_was_given_twice() -> None:
    assert gains(change(3, 1, LABEL), change(3, 4, LABEL), change(3, 2), change(3, 2)) == [(3, 1), (3, 4)]
    assert gains(change(3, 1, LABEL), change(3, 4, LABEL), change(4, 2, LABEL)) == [(3, 1), (3, 4)]


def test_a_deletion_has_the_time_of_the_change_before_it() -> None:
    assert gains(change(3, 1, LABEL), change(3, 1, LABEL, gone=True), change(3, 1, LABEL)) == [(3, 1)]
    assert gains(change(3, 1, LABEL, gone=True), change(3, 1, LABEL)) == []


def test_what_was_asked_for_waits_no_more() -> None:
    state = after(PromptState(), "p", change(3, 1, LABEL), LABEL)
    state = asked(state, state.waiting)
    assert (state.waiting, state.holder) == ((), 3)
    assert after(state, "p", change(3, 1, LABEL), LABEL) == state


def test_the_same_version_number_of_another_prompt_is_another_request() -> None:
    one, other = (after(PromptState(), name, change(3, 1, LABEL), LABEL).waiting[0] for name in ("p", "q"))
    assert one.request_id != other.request_id


def test_what_is_remembered_is_bounded_and_what_is_forgotten_is_old_news() -> None:
    state = PromptState()
    for number in range(1, MOST_VERSIONS + 50):
        state = after(state, "p", change(number, number, LABEL if number == 7 else "x"), LABEL)
    assert len(state.versions) == MOST_VERSIONS
    assert state.holder == 7
    assert after(state, "p", change(3, 3, LABEL), LABEL) == state


def told(moves: list[int]) -> list[Change]:
    """What Langfuse tells while the label moves: 0 takes it away, 9 edits the tags of all versions."""
    holder, found = 0, []
    for second, move in enumerate(moves, start=1):
        if move == 9:
            found += [change(v, second, *([LABEL] if v == holder else [])) for v in (1, 2, 3)]
        elif move != holder:
            found += [change(holder, second)] if holder else []
            found += [change(move, second, LABEL)] if move else []
            holder = move
    return found


@given(st.lists(st.sampled_from([0, 1, 2, 3, 9]), max_size=6), st.randoms(use_true_random=False))
def test_in_any_order_the_version_that_has_the_label_in_the_end_is_asked_for_once_since_it_got_it(
    moves: list[int], random: object
) -> None:
    changes = told(moves)
    stretches = [c for c in changes if LABEL in c.labels]
    in_order = gains(*changes)
    shuffled = changes * 2
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = gains(*shuffled)
    holder = None
    got = 0
    for second, move in enumerate(moves, start=1):
        if move not in (9, holder):
            holder, got = (move or None), second
    last = [gain for gain in found if gain[0] == holder and gain[1] >= got]
    assert len(last) == (1 if holder else 0)
    assert {(c.version, round((c.at - START).total_seconds())) for c in stretches} >= set(found)
    assert len(found) <= len(in_order)


def test_three_changes_in_every_order() -> None:
    changes = [change(3, 1, LABEL), change(3, 2), change(3, 3, LABEL)]
    for order in permutations(changes):
        assert gains(*order)[-1] == (3, 3)
