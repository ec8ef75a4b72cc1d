"""The cost bound: turns in flight count, what has no price is charged as the dearest."""

import pytest

from flywheel.domain.outcome import Usage
from flywheel.domain.prices import TYPICAL_TRIAL, ModelPrice, PriceTable, cost_usd
from flywheel.domain.spending import Spending

PRICES = PriceTable("2026-01-01", "test", {"cheap": ModelPrice(1, 1), "dear": ModelPrice(10, 10)})
CHEAP = cost_usd(PRICES, "cheap", TYPICAL_TRIAL) or 0.0


def test_a_turn_in_flight_is_reserved() -> None:
    spending = Spending(2.5 * CHEAP, PRICES, "cheap")
    assert [spending.begin() for _ in range(3)] == [True, True, False]
    spending.end(CHEAP)
    assert not spending.begin()


def test_turns_that_cost_less_than_guessed_make_room() -> None:
    spending = Spending(2 * CHEAP, PRICES, "cheap")
    for _ in range(15):
        assert spending.begin()
        spending.end(CHEAP / 10)
    assert spending.typical_usd == pytest.approx(CHEAP / 10)


def test_a_model_without_a_price_is_bounded_by_the_dearest_one() -> None:
    spending = Spending(25 * CHEAP, PRICES, "unknown")
    turns = 0
    while spending.begin():
        spending.end(cost_usd(PRICES, "unknown", Usage(1, 1, 1)))
        turns += 1
    assert turns == 2


def test_what_costs_nothing_never_ends_a_run() -> None:
    free = PriceTable("2026-01-01", "test", {"local": ModelPrice(0, 0), "dear": ModelPrice(10, 10)})
    spending = Spending(0.001, free, "local")
    assert all(spending.begin() for _ in range(1_000))
