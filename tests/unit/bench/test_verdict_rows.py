"""A row holds strictly or not at all; a mutant is caught by a row that it misses."""

import pytest

from tests.bench.goals import Bound
from tests.bench.simulation import Figures, Setting
from tests.bench.verdict_mutants import MUTANTS, judged, lines
from tests.bench.verdict_rows import LIMITS, Row, observed, table
from tests.bench.worlds import WORLDS


def _figures(passed: float) -> Figures:
    return Figures(400, passed, 1.0 - passed, 0.0, 300.0, 600.0, 15.0, {})


@pytest.mark.parametrize(
    ("observed", "bound", "limit", "holds"),
    [
        (0.05, "at most", 0.05, True),
        (0.0525, "at most", 0.05, False),
        (0.95, "at least", 0.95, True),
        (0.9475, "at least", 0.95, False),
        (-0.0599, "above", -0.06, True),
        (-0.06, "above", -0.06, False),
    ],
)
def test_a_row_is_compared_without_tolerance(observed: float, bound: Bound, limit: float, holds: bool) -> None:
    row = Row("equal candidate", "PASS share", observed, bound, limit, {"mean >= .5": 1.0})
    assert row.holds is holds
    assert row.to_dict() == {
        "world": "equal candidate",
        "quantity": "PASS share",
        "observed": observed,
        "bound": bound,
        "limit": limit,
        "naive": {"mean >= .5": 1.0},
        "holds": holds,
    }


def test_every_limit_is_of_a_world_that_exists_and_no_quantity_has_two() -> None:
    assert {limit.setting.world for limit in LIMITS} <= WORLDS.keys()
    assert len({(limit.setting, limit.figure, limit.bound) for limit in LIMITS}) == len(LIMITS)


def test_each_quantity_is_read_from_its_own_figure() -> None:
    found = Figures(400, 0.1, 0.2, 0.7, 300.0, 600.0, 15.0, {})
    read = {limit.quantity: observed(limit, found) for limit in LIMITS if limit.setting.wave == 10}
    assert read == {
        "PASS share": 0.1,
        "FAIL share": 0.2,
        "mean invocations": 300.0,
        "95th percentile of invocations": 600.0,
    }


def test_the_table_says_what_is_missed_and_what_the_naive_rules_do() -> None:
    rows = [
        Row("equal candidate", "mean invocations", 280.4, "at most", 310, {"mean >= .5": 1.0}).to_dict(),
        Row("equal candidate", "FAIL share", 0.03, "at most", 0.05, {"mean >= .5": 1.0}).to_dict(),
        Row("-10 points", "PASS share", 0.0525, "at most", 0.05, {"mean >= .5": 0.995}).to_dict(),
    ]
    headings, first, second, third = table(rows).splitlines()
    assert headings.startswith("world")
    assert " ".join(first.split()) == "equal candidate mean invocations 280 at most 310 met mean >= .5: 1"
    assert " ".join(second.split()) == "equal candidate FAIL share 0.03 at most 0.05 met"
    assert " ".join(third.split()) == "-10 points PASS share 0.0525 at most 0.05 MISSED mean >= .5: 0.995"


def test_a_mutant_changes_the_policy_in_worlds_that_have_limits() -> None:
    for mutant in MUTANTS:
        assert mutant.limits
        for limit in mutant.limits:
            assert limit.setting.policy != Setting(limit.setting.world).policy


def test_a_mutant_is_caught_by_the_rows_that_it_misses() -> None:
    mutant = next(one for one in MUTANTS if one.name == "margin .15")
    missed = judged(mutant, dict.fromkeys(mutant.settings, _figures(passed=0.5)))
    held = judged(mutant, dict.fromkeys(mutant.settings, _figures(passed=0.05)))
    assert missed["caught"]
    assert [row["world"] for row in missed["missed_by"]] == [WORLDS[world].words for world in mutant.worlds]
    assert held == {"name": "margin .15", "caught": False, "missed_by": []}
    assert [line.split("  ")[1] for line in lines([missed, held]).splitlines()] == ["margin .15", "margin .15"]
    assert "NOT CAUGHT" in lines([held])
