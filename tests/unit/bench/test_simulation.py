"""Outcomes -> figures, and the same outcomes however the work is spread."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.bench.simulation import Outcome, Setting, figures, simulate, spread


def test_shares_means_and_the_95th_percentile() -> None:
    outcomes = [Outcome("PASS", "", 10, 20 * number, 2) for number in range(1, 20)]
    outcomes.append(Outcome("FAIL", "regression", 10, 1000, 12))
    found = figures(outcomes)
    assert (found.passed, found.failed, found.inconclusive) == (0.95, 0.05, 0.0)
    assert found.invocations == pytest.approx((20 * 190 + 1000) / 20)
    assert found.invocations_p95 == 380.0
    assert found.looks == 2.5
    assert found.reasons == {"regression": 1}


def test_spreading_changes_nothing() -> None:
    setting = Setting("cached-equal", wave=60, changes=(("max_trials", 1),))
    with ThreadPoolExecutor(2) as pool:
        assert list(spread(pool, simulate, setting, 3)) == simulate(setting, range(3))


def test_a_setting_changes_the_policy_and_nothing_else() -> None:
    assert Setting("equal", changes=(("margin", 0.15),)).policy.margin == 0.15
    assert Setting("equal").policy.max_trials == 6


def test_a_pair_costs_two_invocations_and_one_when_the_incumbent_is_cached() -> None:
    once = (("max_trials", 1),)
    for outcome in simulate(Setting("equal", 60, once), [0]):
        assert outcome.invocations == 2 * outcome.pairs
    for outcome in simulate(Setting("cached-equal", 60, once), [0]):
        assert outcome.invocations == outcome.pairs
