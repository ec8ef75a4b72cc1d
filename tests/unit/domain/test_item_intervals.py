"""Intervals of items' means: inside their range, never of no width, and holding the truth as often as they say."""

import random
from collections.abc import Callable
from statistics import fmean

import pytest

from flywheel.domain.item_intervals import FEWEST_ITEMS, Figure, amount_figure, difference_figure, score_figure
from flywheel.domain.quantile import percentile, percentile_interval

WORLDS = 150


def held(figure: Figure, truth: float) -> bool:
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low <= figure.value <= figure.high
    return figure.low <= truth <= figure.high


@pytest.mark.parametrize("figure", [score_figure, difference_figure, amount_figure])
def test_there_is_no_mean_of_nothing(figure: Callable[[list[float]], Figure]) -> None:
    with pytest.raises(ValueError, match="no items"):
        figure([])


@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_items_that_all_score_alike_still_leave_room_for_doubt(score: float) -> None:
    few, many = score_figure([score] * 10), score_figure([score] * 200)
    assert held(few, score)
    assert (few.high or 0) - (few.low or 0) > (many.high or 0) - (many.low or 0) > 0.01


def test_one_item_says_next_to_nothing() -> None:
    figure = score_figure([1.0])
    assert (figure.value, figure.high) == (1.0, 1.0)
    assert figure.low == pytest.approx(0.025)


def test_a_difference_of_a_few_items_has_no_interval() -> None:
    assert difference_figure([0.5] * (FEWEST_ITEMS - 1)) == Figure(0.5)
    assert difference_figure([0.5] * FEWEST_ITEMS).low is not None
    assert amount_figure([1.0] * (FEWEST_ITEMS - 1)) == Figure(1.0)


def test_items_that_never_differ_do_not_prove_that_they_never_will() -> None:
    figure = difference_figure([0.0] * 40)
    assert figure.low == pytest.approx(-(figure.high or 0))
    assert 0.03 < (figure.high or 0) < 0.08


def test_the_largest_difference_stays_in_range() -> None:
    assert difference_figure([1.0] * 8).high == 1.0
    assert difference_figure([-1.0] * 8).low == -1.0


@pytest.mark.parametrize(("items", "rate"), [(20, 0.9), (60, 0.97)])
def test_intervals_of_scores_hold_the_truth_at_least_as_often_as_they_say(items: int, rate: float) -> None:
    chance = random.Random(items)
    means = [[fmean(chance.random() < rate for _ in range(3)) for _ in range(items)] for _ in range(WORLDS)]
    assert sum(held(score_figure(own), rate) for own in means) / WORLDS >= 0.93


@pytest.mark.parametrize(("items", "ours", "theirs"), [(20, 0.9, 0.8), (60, 0.95, 0.95), (60, 0.9, 0.6)])
def test_intervals_of_differences_hold_the_truth_at_least_as_often_as_they_say(
    items: int, ours: float, theirs: float
) -> None:
    chance = random.Random(items)
    worlds = [[(chance.random() < ours) - (chance.random() < theirs) for _ in range(items)] for _ in range(WORLDS)]
    assert sum(held(difference_figure(own), ours - theirs) for own in worlds) / WORLDS >= 0.93


@pytest.mark.parametrize(("share", "fewest"), [(0.5, 6), (0.95, 72)])
def test_a_percentile_has_an_interval_from_so_many_values_on(share: float, fewest: int) -> None:
    values = [float(n) for n in range(fewest)]
    assert percentile_interval(values[1:], share) is None
    ends = percentile_interval(values, share)
    assert ends is not None
    assert ends[0] <= percentile(values, share) <= ends[1]


def test_the_interval_of_a_median_holds_it_at_least_as_often_as_it_says() -> None:
    chance = random.Random(3)
    worlds = [percentile_interval([chance.random() for _ in range(40)], 0.5) for _ in range(WORLDS)]
    assert sum(ends is not None and ends[0] <= 0.5 <= ends[1] for ends in worlds) / WORLDS >= 0.93


def test_there_is_no_interval_of_no_values() -> None:
    assert percentile_interval([], 0.5) is None
