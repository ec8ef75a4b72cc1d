"""Properties that hold for every search, whatever is measured."""

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.search import (
    Assignment,
    Measurement,
    Search,
    SearchSettings,
    Step,
    grid_invocations,
    largest_invocations,
)
from flywheel.errors import InvalidRequestError

type Score = Callable[[Assignment], float | None]


def settings(strategy: str = "halving", configurations: int = 6, items: int = 12, **changes: object) -> SearchSettings:
    names = tuple(f"c{n:02}" for n in range(1, configurations + 1))
    rows = tuple((f"item-{n:02}", "happy" if n % 3 else "edge") for n in range(items))
    return replace(SearchSettings("halving", names, rows), strategy=strategy, **changes)  # type: ignore[arg-type]


def by_chance(seed: int) -> Score:
    def score(one: Assignment) -> float | None:
        chance = random.Random(f"{seed} {one}")
        return chance.choice((0.0, 0.5, 1.0, 1.0, None))

    return score


def measure(assignments: Iterable[Assignment], score: Score) -> list[Measurement]:
    return [Measurement(one.configuration, one.item_id, one.trial, score(one)) for one in assignments]


def play(search: Search, score: Score, failed: dict[str, str] | None = None) -> tuple[list[Step], list[Measurement]]:
    """Run every rung to its end."""
    found: list[Measurement] = []
    steps = [search.next(found, failed=failed or {})]
    while steps[-1].assignments:
        found += measure(steps[-1].assignments, score)
        steps.append(search.next(found, failed=failed or {}))
    return steps, found


searches = st.builds(
    settings,
    st.sampled_from(("grid", "random", "halving")),
    st.integers(1, 9),
    st.integers(1, 14),
    trials=st.integers(1, 7),
    seed=st.integers(0, 5),
    first_share=st.sampled_from((0.1, 0.34, 1.0)),
    keep=st.sampled_from((0.3, 0.5, 0.9)),
    even=st.sampled_from((0.2, 0.5, 1.0)),
    safety_minimum=st.sampled_from((None, 0.9)),
)


@given(searches, st.integers(0, 100))
def test_a_search_ends_within_its_bound_and_asks_every_trial_once(settings: SearchSettings, seed: int) -> None:
    steps, found = play(Search(settings), by_chance(seed))
    asked = [one for step in steps for one in step.assignments]
    assert len(asked) == len(set(asked)) == len(found)
    assert len(asked) <= largest_invocations(settings) <= grid_invocations(settings)
    assert steps[-1].finished is not None


@given(searches, st.integers(0, 100))
def test_all_that_remain_are_asked_the_same_and_who_stopped_stays_stopped(settings: SearchSettings, seed: int) -> None:
    steps, _ = play(Search(settings), by_chance(seed))
    for step in steps[:-1]:
        trials = {
            name: [(one.item_id, one.trial) for one in step.assignments if one.configuration == name]
            for name in settings.configurations
        }
        assert {name for name, own in trials.items() if own} == set(step.remaining)
        assert len({tuple(trials[name]) for name in step.remaining}) == 1
    for before, after in pairwise(steps):
        assert after.stopped[: len(before.stopped)] == before.stopped
    for step in steps:
        assert {one.configuration for one in step.stopped} | set(step.remaining) == set(settings.configurations)
        assert step.best is None or step.best in step.remaining


@given(searches, st.integers(0, 100), st.randoms(use_true_random=False))
def test_order_and_repetition_of_what_was_measured_change_nothing(
    settings: SearchSettings, seed: int, chance: random.Random
) -> None:
    steps, found = play(Search(settings), by_chance(seed))
    shuffled = found + found[::2]
    chance.shuffle(shuffled)
    assert Search(settings).next(shuffled) == steps[-1]


@given(searches, st.integers(0, 100), st.integers(0, 1000))
def test_trials_that_were_lost_are_asked_for_again(settings: SearchSettings, seed: int, lost: int) -> None:
    first = Search(settings).next([])
    found = measure(first.assignments, by_chance(seed))
    missing = first.assignments[lost % len(first.assignments)]
    del found[lost % len(first.assignments)]
    again = Search(settings).next(found)
    assert again.assignments == (missing,)
    assert again.rung == first.rung


@given(searches, st.integers(0, 100), st.integers(1, 50))
def test_a_rung_that_arrives_in_parts_stops_nobody_who_goes_on_later(
    settings: SearchSettings, seed: int, part: int
) -> None:
    found: list[Measurement] = []
    stopped: tuple[object, ...] = ()
    step = Search(settings).next(found)
    while step.assignments:
        found += measure(step.assignments[:part], by_chance(seed))
        step = Search(settings).next(found)
        assert step.stopped[: len(stopped)] == stopped
        stopped = step.stopped


@given(searches, st.integers(0, 100))
def test_a_search_of_which_all_configurations_fail_ends_without_a_best(settings: SearchSettings, seed: int) -> None:
    failed = dict.fromkeys(settings.configurations, "AccessDeniedException")
    step = Search(settings).next([], failed=failed)
    assert (step.assignments, step.finished, step.best, step.remaining) == ((), "none_left", None, ())
    assert {one.code for one in step.stopped} <= {"failed_to_deploy", "not_drawn"}


def test_a_trial_that_nobody_asked_for_changes_nothing() -> None:
    search = Search(settings())
    steps, found = play(search, by_chance(1))
    assert search.next([*found, Measurement("c01", "item-00", 99, 1.0)]) == steps[-1]


@pytest.mark.parametrize(
    ("measurement", "says"),
    [
        (Measurement("c77", "item-00", 1, 1.0), "'c77' is not a configuration"),
        (Measurement("c01", "nothing", 1, 1.0), "'nothing' is not an item"),
        (Measurement("c01", "item-00", 0, 1.0), "no trial number"),
        (Measurement("c01", "item-00", 1, 1.01), "outside"),
        (Measurement("c01", "item-00", 1, float("nan")), "outside"),
    ],
)
def test_a_measurement_that_cannot_be_is_refused(measurement: Measurement, says: str) -> None:
    with pytest.raises(InvalidRequestError, match=says):
        Search(settings()).next([measurement])


def test_two_different_results_of_one_trial_are_refused_in_either_order() -> None:
    pair = [Measurement("c01", "item-00", 1, 1.0), Measurement("c01", "item-00", 1, None)]
    for both in (pair, pair[::-1]):
        with pytest.raises(InvalidRequestError, match="two different results"):
            Search(settings()).next(both)


def test_a_failed_configuration_that_is_not_known_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="c99"):
        Search(settings()).next([], failed={"c99": "gone"})


def test_the_search_ends_when_what_is_left_does_not_pay_for_the_rung() -> None:
    search = Search(settings())
    first = search.next([])
    assert search.next([], invocations_left=len(first.assignments)) == first
    step = search.next([], invocations_left=len(first.assignments) - 1)
    assert (step.assignments, step.finished, step.best) == ((), "budget", None)
    found = measure(first.assignments, lambda one: float(one.configuration == "c03"))
    assert search.next(found, invocations_left=0).best == "c03"
