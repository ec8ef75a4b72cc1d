"""What a dimension contributes, from configurations alike in everything else; the items that tell two apart."""

from functools import partial

import pytest

from flywheel.domain import experiment_measures
from flywheel.domain.experiment import Dimension, Value
from flywheel.domain.experiment_effects import best_two, effects, separating
from tests.unit.domain.experiments import ITEMS, configuration, trial, trials

measure = partial(experiment_measures.measure, safe_from=0.75)

DIMENSIONS = (
    Dimension("model", (Value("a", {}), Value("b", {}))),
    Dimension("prompt", (Value("p", {}), Value("q", {}))),
)
GRID = [
    configuration("c01", model="a", prompt="p"),
    configuration("c02", model="a", prompt="q"),
    configuration("c03", model="b", prompt="p"),
    configuration("c04", model="b", prompt="q"),
]


def test_an_effect_is_the_paired_difference_of_configurations_that_are_alike_otherwise() -> None:
    found = measure(
        ITEMS,
        "correctness",
        {
            "c01": trials([0.5] * 12),
            "c02": trials([0.75] * 12),
            "c03": trials([0.75] * 12, latency_ms=2000, cost_usd=0.04),
            "c04": trials([1.0] * 12, latency_ms=2000, cost_usd=0.04),
        },
        (),
    ).figures
    model, prompt = effects(DIMENSIONS, GRID, found)
    assert (model.value, model.reference, model.pairs, model.items) == ("b", "a", 2, 12)
    assert model.quality is not None
    assert model.quality.value == 0.25
    assert model.quality.low is not None
    assert model.quality.low > 0
    assert model.latency_ratio == pytest.approx(2.0)
    assert model.cost_ratio == pytest.approx(4.0)
    assert prompt.quality is not None
    assert prompt.quality.value == 0.25
    assert prompt.latency_ratio == pytest.approx(1.0)


def test_without_a_pair_that_is_alike_otherwise_nothing_is_said() -> None:
    found = measure(ITEMS, "correctness", {"c01": trials([0.5] * 12), "c04": trials([1.0] * 12)}, ()).figures
    assert [(e.pairs, e.quality, e.cost_ratio) for e in effects(DIMENSIONS, [GRID[0], GRID[3]], found)] == [
        (0, None, None)
    ] * 2


def test_a_configuration_that_was_never_scored_makes_no_pair() -> None:
    found = measure(ITEMS, "correctness", {"c01": trials([0.5] * 12), "c03": []}, ()).figures
    assert effects(DIMENSIONS, GRID, found)[0].pairs == 0


def test_only_items_that_both_were_asked_count() -> None:
    found = measure(
        ITEMS, "correctness", {"c01": trials([0.0] * 12), "c03": [trial(2, 1.0), trial(5, 0.5)]}, ()
    ).figures
    effect = effects(DIMENSIONS, GRID, found)[0]
    assert effect.items == 2
    assert effect.quality is not None
    assert (effect.quality.value, effect.quality.low) == (0.75, None)


def test_the_items_with_the_largest_differences_separate_two() -> None:
    ours = [1.0, 0.5, 1.0, 0.0, *[1.0] * 8]
    found = measure(ITEMS, "correctness", {"c01": trials(ours), "c02": trials([1.0, 1.0, 0.0, *[1.0] * 9])}, ()).figures
    apart = separating("c01", "c02", found, ITEMS)
    assert [(s.item_id, s.difference) for s in apart] == [("i2", 1.0), ("i3", -1.0), ("i1", -0.5)]
    assert apart[0].question == "Question 2?"
    assert len(separating("c01", "c02", found, ITEMS, most=1)) == 1


def test_the_best_two_went_on_to_the_end_where_there_are_two() -> None:
    found = measure(
        ITEMS,
        "correctness",
        {"c01": trials([0.5] * 12), "c02": trials([1.0] * 12), "c03": trials([0.75] * 12)},
        ("c01", "c03"),
    ).figures
    assert best_two(found, ("c01", "c03")) == ("c03", "c01")
    assert best_two(found, ("c01",)) == ("c01", "c02")
    assert best_two({"c01": found["c01"]}, ("c01",)) is None
