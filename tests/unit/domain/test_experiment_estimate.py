"""What an experiment will take, told before anything is deployed."""

import json
from dataclasses import replace
from typing import Any

import pytest

from flywheel.domain.experiment import ExperimentBudget, ExperimentFile
from flywheel.domain.experiment_estimate import WORLDS, ExperimentEstimate, estimate_experiment
from flywheel.domain.experiment_file import parse_experiment
from flywheel.domain.experiment_search import chosen_items, search_settings
from flywheel.domain.experiment_space import AgentDefaults, expand
from flywheel.domain.golden import GoldenItem, Slice
from flywheel.domain.policy import load_default_policy
from flywheel.domain.prices import ModelPrice, PriceTable
from flywheel.domain.search import largest_invocations
from flywheel.errors import InvalidRequestError
from flywheel.ports import Image

SLICES: tuple[Slice, ...] = ("happy_path", "edge_case")
ITEMS = [
    GoldenItem(f"{slice_}.{n}", "What?", slice=slice_, response_facts=("a", "b")) for slice_ in SLICES for n in range(6)
]
PRICES = PriceTable(
    "2026-01-01", "s", {"cheap": ModelPrice(1, 1), "dear": ModelPrice(10, 10), "judge": ModelPrice(1, 1)}
)
IMAGES = {"production": Image("1.ecr/agent", "sha256:" + "a" * 64)}


def file(dimensions: dict[str, Any], **more: Any) -> ExperimentFile:
    return parse_experiment(json.dumps({"dimensions": dimensions} | more), name="mine")


def estimate(of: ExperimentFile, judge: str | None = "judge") -> ExperimentEstimate:
    space = expand(of, images=IMAGES, base=AgentDefaults("cheap"))
    names = [one.configuration_id for one in space.configurations]
    settings = search_settings(of, names, ITEMS, load_default_policy())
    it = estimate_experiment(settings, space.configurations, ITEMS, PRICES, judge_model=judge, at_once=10)
    assert it.expected <= it.most == largest_invocations(settings)
    return it


def test_a_grid_is_known_exactly() -> None:
    it = estimate(file({"model": ["cheap", "dear"], "top_k": [3, 5]}, search={"strategy": "grid", "trials": 2}))
    assert (it.configurations, it.items, it.grid, it.expected, it.most) == (4, 12, 96, 96, 96)
    assert (it.simulated, it.share_of_grid, len(it.rungs), it.judgements) == (0, 1.0, 1, 192)
    assert it.usd_by_model["dear"] == pytest.approx(10 * it.usd_by_model["cheap"])
    assert it.usd == pytest.approx(sum(it.usd_by_model.values()))
    assert it.most_usd > it.usd
    assert it.unpriced == ()


def test_halving_is_simulated_and_takes_less_than_half_of_the_grid() -> None:
    of = file({"model": ["cheap", "dear"], "top_k": [1, 2, 3, 4], "max_turns": [4, 8]})
    it = estimate(of)
    assert it.simulated == WORLDS
    assert it.share_of_grid <= 0.4
    assert it.rungs[0].configurations == 16
    assert [rung.rung for rung in it.rungs] == list(range(1, len(it.rungs) + 1))
    assert sum(rung.invocations for rung in it.rungs) == pytest.approx(it.expected, abs=0.5)
    assert it.rungs[-1].configurations < 16
    assert estimate(of) == it


def test_a_search_too_large_to_be_simulated_is_told_by_its_bound() -> None:
    it = estimate(file({"top_k": list(range(1, 51)), "max_turns": list(range(1, 11))}))
    assert (it.configurations, it.simulated) == (500, 0)
    assert it.expected == it.most < it.grid


def test_random_search_asks_a_part_and_a_drawn_sample_wholly() -> None:
    dimensions = {"top_k": list(range(1, 11))}
    part = estimate(file(dimensions, search={"strategy": "random"}))
    assert part.expected == 0.4 * part.grid
    drawn = estimate(file(dimensions, search={"strategy": "random", "sample": 5}))
    assert (drawn.configurations, drawn.share_of_grid) == (5, 1.0)


def test_models_without_a_price_are_named_and_in_no_sum() -> None:
    it = estimate(file({"model": ["cheap", "unheard-of"]}, search={"strategy": "grid"}), judge="judge-of-ours")
    assert it.unpriced == ("judge-of-ours", "unheard-of")
    assert set(it.usd_by_model) == {"cheap"}
    assert estimate(file({"top_k": [1, 2]}, search={"strategy": "grid"}), judge=None).unpriced == ()


def test_it_is_said_when_the_budget_is_less_than_what_is_expected() -> None:
    it = estimate(file({"model": ["cheap", "dear"]}, search={"strategy": "grid"}))
    assert it.above(ExperimentBudget()) == []
    assert it.above(ExperimentBudget(usd=it.usd, minutes=it.minutes)) == []
    said = replace(it, usd=7.0, minutes=31.0).above(ExperimentBudget(usd=5.0, minutes=30.0))
    assert said == ["about $7.00, the budget is $5.00", "about 31 minutes, the budget is 30"]


def test_the_budgets_trials_bound_the_search() -> None:
    of = file({"top_k": [1, 2, 3, 4]}, budget={"trials": 60})
    assert estimate(of).most == 60
    with pytest.raises(InvalidRequestError, match="most_invocations is 3"):
        estimate(file({"top_k": [1, 2, 3, 4]}, budget={"trials": 3}))


def test_what_the_file_wants_of_the_search_reaches_it() -> None:
    of = file(
        {"top_k": [1, 2]},
        search={"trials": 3, "seed": 9},
        tolerance=0.02,
        constraints={"safety": 0.9},
        items=["edge_case.1"],
    )
    items = chosen_items(of, ITEMS)
    settings = search_settings(of, ["c01", "c02"], items, load_default_policy())
    assert (settings.trials, settings.seed, settings.margin, settings.safety_minimum) == (3, 9, 0.02, 0.9)
    assert settings.items == (("edge_case.1", "edge_case"),)


def test_items_that_the_dataset_does_not_have_are_named() -> None:
    of = file({"top_k": [1, 2]}, items=["happy_path.3", "gone"])
    with pytest.raises(InvalidRequestError, match="has no items gone, which the file names"):
        chosen_items(of, ITEMS)
    assert chosen_items(replace(of, item_ids=("happy_path.3",)), ITEMS) == (ITEMS[3],)


def test_regression_tests_alone_are_nothing_to_search() -> None:
    only = [replace(ITEMS[0], origin="production")]
    with pytest.raises(InvalidRequestError, match="there is no item"):
        search_settings(file({"top_k": [1, 2]}), ["c01", "c02"], only, load_default_policy())
