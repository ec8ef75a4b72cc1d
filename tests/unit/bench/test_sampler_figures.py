"""Figures of reviewed days, the limits they are held against, and when a mutant counts as caught."""

from dataclasses import fields, replace

import pytest

from flywheel.domain.sampling import Estimate
from tests.bench.review_rules import Reviewed
from tests.bench.sampler_figures import LIMITS, SamplerFigures, figures
from tests.bench.traffic import TRAFFIC_WORLDS
from tests.bench.verdict_sampler import SAMPLER, Block, Days, judged

GOOD = Reviewed(
    truth=0.04,
    said=Estimate(0.04, 0.02, 0.07),
    reviews=200,
    failures=40,
    rare=frozenset({"rare-0", "silent-1"}),
    population=100_000,
    stands_for=1.0,
)


def off_by(error: float) -> Reviewed:
    return replace(GOOD, said=Estimate(0.04 + error, 0.02, 0.07))


def test_figures_are_those_of_the_days() -> None:
    days = [off_by(0.01), off_by(-0.01)] * 7
    days[3] = replace(days[3], said=Estimate(0.03, 0.0, 0.03), reviews=199, stands_for=1.7, failures=33)
    found = figures(days, 200)
    assert found.bias == pytest.approx(0)
    assert found.rmse == pytest.approx(0.01 / (0.04 * 0.96 / 200 * 99_800 / 99_999) ** 0.5)
    assert found.coverage == pytest.approx(13 / 14)
    assert found.width == pytest.approx((13 * 5 + 3) / 14)
    assert found.found == pytest.approx((13 * 40 + 33) / (14 * 8))
    assert (found.rare, found.silent, found.off_budget) == (0.2, 0.2, 1)
    assert found.misfit == pytest.approx(0.05)


def test_a_topic_is_seen_in_a_week_when_it_is_seen_once() -> None:
    blind = replace(GOOD, rare=frozenset())
    days = [blind] * 6 + [off_by(0.01)] + [blind] * 7
    assert figures(days, 200).rare == pytest.approx(0.1)


def test_every_limit_names_a_world_and_a_figure_and_can_be_missed() -> None:
    names = {field.name for field in fields(SamplerFigures)}
    worst = SamplerFigures(9, 9, 0, 99, 0, 0, 0, 9, 9)
    for limit in LIMITS:
        assert limit.world in TRAFFIC_WORLDS
        assert limit.figure in names
        assert not limit.holds(worst)


def days_of(mutant: list[Reviewed], own: list[Reviewed]) -> list[Days]:
    return [Days(Block("auc-85", 0, len(own)), {SAMPLER: own, "mutant": mutant}, 0)]


def test_a_mutant_is_caught_by_the_rows_that_it_misses_and_the_sampler_holds() -> None:
    days = [off_by(0.01), off_by(-0.01)] * 4
    found = judged("mutant", days_of([replace(day, reviews=210) for day in days], days))
    assert found["caught"]
    assert [row["quantity"] for row in found["missed_by"]] == ["days whose budget is not met exactly"]


def test_a_mutant_is_not_caught_by_a_row_that_the_sampler_misses_on_the_same_days() -> None:
    days = [replace(off_by(error), reviews=210) for error in (0.01, -0.01)] * 4
    assert not judged("mutant", days_of(days, days))["caught"]
    assert not judged("mutant", days_of([GOOD, off_by(0.001)] * 2, [*[GOOD, off_by(0.001)] * 2, days[0]]))["caught"]
