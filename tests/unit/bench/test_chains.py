"""Releases in a row, and results that arrive in another order than they were asked for."""

from random import Random

import pytest

from tests.bench import arrival, creep
from tests.bench.worlds import Truth, equal, mean

SEED = 3


def _always(truth: Truth, release: int) -> bool:
    return True


def _never(truth: Truth, release: int) -> bool:
    return False


def test_ten_promoted_losses_add_up() -> None:
    first = equal(Random(SEED))
    assert creep.chain(_always, first) == pytest.approx(creep.RELEASES * creep.LOSS)


def test_what_is_not_promoted_costs_nothing() -> None:
    assert creep.chain(_never, equal(Random(SEED))) == 0.0


def test_each_candidate_is_compared_with_the_release_before_it() -> None:
    first = equal(Random(SEED))
    seen: list[float] = []

    def every_other(truth: Truth, release: int) -> bool:
        seen.append(mean(truth.incumbent) - mean(first.incumbent))
        assert truth.change == pytest.approx(creep.LOSS)
        return release % 2 == 1

    assert creep.chain(every_other, first) == pytest.approx(5 * creep.LOSS)
    assert seen[:4] == pytest.approx([0.0, creep.LOSS, creep.LOSS, 2 * creep.LOSS])


def test_the_rules_of_today_let_it_creep() -> None:
    assert creep.naive_chains("mean >= .5", [0]) == pytest.approx([creep.RELEASES * creep.LOSS], abs=0.02)


@pytest.mark.parametrize("in_order", [True, False])
def test_equal_seeds_give_equal_decisions(in_order: bool) -> None:
    setup = ("minus-10", in_order)
    assert arrival.passes(setup, [SEED]) == arrival.passes(setup, [SEED])


def test_a_success_arrives_before_most_failures() -> None:
    rng = Random(SEED)
    successes = [arrival.duration(1.0, rng) for _ in range(100)]
    failures = [arrival.duration(0.0, rng) for _ in range(100)]
    assert max(successes) <= 1.0 <= min(failures)
