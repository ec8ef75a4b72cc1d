import pytest

from flywheel.domain.search import SearchSettings, grid_invocations, largest_invocations
from flywheel.domain.search_settings import drawn_configurations
from flywheel.errors import InvalidRequestError

ITEMS = tuple((f"item-{n}", "happy") for n in range(10))
NAMES = ("c01", "c02", "c03", "c04", "c05")


def test_the_grid_is_every_configuration_on_every_item_so_many_times() -> None:
    assert grid_invocations(SearchSettings("grid", NAMES, ITEMS, trials=4)) == 200


def test_halving_and_random_search_take_a_share_of_the_grid_at_most() -> None:
    assert largest_invocations(SearchSettings("grid", NAMES, ITEMS, trials=4)) == 200
    assert largest_invocations(SearchSettings("halving", NAMES, ITEMS, trials=4)) == 80
    assert largest_invocations(SearchSettings("random", NAMES, ITEMS, trials=4)) == 80
    assert largest_invocations(SearchSettings("random", NAMES, ITEMS, trials=4, random_configurations=3)) == 120


def test_the_budget_of_the_experiment_bounds_every_strategy() -> None:
    for strategy, most in (("grid", 50), ("halving", 50), ("random", 40)):
        found = SearchSettings(strategy, NAMES, ITEMS, trials=4, most_invocations=50)  # type: ignore[arg-type]
        assert largest_invocations(found) == most


def test_random_search_asks_one_configuration_at_least_and_all_at_most() -> None:
    assert drawn_configurations(SearchSettings("random", NAMES, ITEMS, budget_share=0.01)) == 1
    assert drawn_configurations(SearchSettings("random", NAMES, ITEMS, random_configurations=99)) == 5


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        SearchSettings(
            "hyperband",  # type: ignore[arg-type]
            ("c01", "c01"),
            (),
            trials=0,
            budget_share=0,
            first_share=1.5,
            even=-1,
            keep=1,
            alpha=0,
            margin=1,
            safety_minimum=95,
            random_configurations=0,
        )
    for part in (
        "'hyperband'",
        "configuration 'c01' is there 2 times",
        "there is no item",
        "trials is 0, not 1 or more",
        "budget_share is 0",
        "first_share is 1.5",
        "even is -1",
        "keep is 1",
        "alpha is 0",
        "margin is 1",
        "safety_minimum is 95",
        "random_configurations is 0",
    ):
        assert part in str(caught.value)


def test_a_budget_that_does_not_pay_for_one_trial_each_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="most_invocations is 4, less than the 5"):
        SearchSettings("halving", NAMES, ITEMS, most_invocations=4)
