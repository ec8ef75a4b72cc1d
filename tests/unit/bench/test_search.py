"""The simulated experiments: their truth is exact, their search is the product's own, and their figures add up."""

import json
from pathlib import Path
from random import Random

import pytest

from flywheel.domain.search import Measurement, Search, SearchSettings
from tests.bench import search
from tests.bench.search import Found, dataset, figures, searched, world
from tests.bench.search_worlds import KINDS, experiment

ITEMS = dataset()


@pytest.mark.parametrize("kind", KINDS)
def test_the_expected_score_is_what_trials_come_to(kind: str) -> None:
    truth = experiment(kind, ITEMS, Random(3))  # type: ignore[arg-type]
    name = truth.configurations[0]
    chance = Random(4)
    passes = 40
    total = sum(truth.trial(name, item, chance) for _ in range(passes) for item in ITEMS)
    assert total / (passes * len(ITEMS)) == pytest.approx(truth.mean(name), abs=0.025)


def test_worlds_have_between_4_and_32_configurations_on_the_projects_own_items() -> None:
    sizes = [len(world(seed, ITEMS).configurations) for seed in range(10)]
    assert min(sizes) >= 4
    assert max(sizes) <= 32
    assert len(ITEMS) >= 83
    assert world(5, ITEMS) == world(5, ITEMS)


def test_the_bench_searches_as_the_product_does() -> None:
    """It goes on where it was, to save time; the product decides everything anew after each rung."""
    items = ITEMS[:12]
    found = searched(3, items, {"trials": 3})
    truth, chance = world(3, items), Random("trials 3")
    by_id = {item.item_id: item for item in items}
    rows = tuple((item.item_id, item.slice) for item in items)
    product = Search(SearchSettings("halving", truth.configurations, rows, trials=3, seed=3))
    measured: list[Measurement] = []
    while (step := product.next(measured)).assignments:
        for one in step.assignments:
            score = truth.trial(one.configuration, by_id[one.item_id], chance)
            measured.append(Measurement(one.configuration, one.item_id, one.trial, score))
    means = {name: truth.mean(name) for name in truth.configurations}
    assert step.best is not None
    assert (found.invocations, found.finished) == (len(measured), step.finished)
    assert found.lost == max(means.values()) - means[step.best]


def test_the_figures_of_a_rule_are_shares_over_its_worlds() -> None:
    found = [
        Found("mixed", 4, 0.0, 300, 1000, "one_left", ("clearly_worse",)),
        Found("noisy", 4, 0.02, 1200, 3000, "rungs_done", ("halved", "halved")),
    ]
    own = figures(found)
    assert (own["worlds"], own["within_1_point"], own["share_of_grid"]) == (2, 0.5, 0.375)
    assert (own["largest_share_of_grid"], own["points_lost"]) == (0.4, 1.0)
    assert own["stopped"] == {"clearly_worse": 1, "halved": 2}


def test_a_missed_goal_is_the_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(search, "OUTPUT", tmp_path / "bench" / "search.json")
    monkeypatch.setattr(search, "RULES", {search.OURS: {"trials": 1}})
    monkeypatch.setattr(search, "dataset", lambda: ITEMS[:6])
    assert search.main(["--worlds", "3", "--workers", "1"]) == 1
    assert "MISSED" in capsys.readouterr().out
    written = json.loads((tmp_path / "bench" / "search.json").read_text("utf-8"))
    assert (written["worlds"], written["rules"][search.OURS]["worlds"]) == (3, 3)
