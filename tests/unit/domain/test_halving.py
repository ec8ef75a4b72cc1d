"""Who stops, when, and with which words."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.measured import measured
from flywheel.domain.rungs import Draw, more_trials, stratified
from flywheel.domain.search import Assignment, Measurement, Search, SearchSettings, Step
from flywheel.domain.search_estimates import estimates
from flywheel.domain.search_evidence import evidence, threshold

NAMES = ("c01", "c02", "c03", "c04", "c05", "c06")
ITEMS = tuple((f"item-{n:02}", ("edge", "happy", "attack")[n % 3]) for n in range(30))


def play(
    settings: SearchSettings, chances: dict[str, float], safe: dict[str, float] | None = None
) -> tuple[Step, list[Measurement]]:
    search = Search(settings)
    found: list[Measurement] = []

    def run(one: Assignment) -> Measurement:
        chance = random.Random(f"{one}")
        score = float(chance.random() < chances[one.configuration])
        fine = chance.random() < safe[one.configuration] if safe else None
        return Measurement(one.configuration, one.item_id, one.trial, score, fine)

    while (step := search.next(found)).assignments:
        found += [run(one) for one in step.assignments]
    return step, found


def test_one_that_is_clearly_best_is_left_alone_long_before_the_bound() -> None:
    settings = SearchSettings("halving", NAMES, ITEMS, keep=0.9)
    step, found = play(settings, dict.fromkeys(NAMES, 0.0) | {"c04": 1.0})
    assert (step.remaining, step.best, step.finished) == (("c04",), "c04", "one_left")
    assert {one.code for one in step.stopped} == {"clearly_worse"}
    assert step.stopped[0].message.startswith("100.0 points below c04 (0.000 against 1.000) on the same 30 trials")
    assert step.stopped[0].figures["evidence"] >= step.stopped[0].figures["threshold"] == 200
    assert len(found) < settings.bound / 3


def test_of_those_that_are_not_clearly_worse_the_last_are_halved_away() -> None:
    chances = {name: 0.3 + 0.05 * n for n, name in enumerate(NAMES)}
    step, found = play(SearchSettings("halving", NAMES, ITEMS, keep=0.5), chances)
    assert step.finished == "rungs_done"
    assert len(step.remaining) == 2
    halved = [one for one in step.stopped if one.code == "halved"]
    assert halved
    assert "the best 3 go on" in halved[0].message
    trials = {name: sum(one.configuration == name for one in found) for name in NAMES}
    assert trials[step.remaining[0]] > 2 * trials[halved[0].configuration]


def test_finalists_may_get_more_trials_than_the_full_grid_gives() -> None:
    settings = SearchSettings("halving", tuple(f"c{n:02}" for n in range(32)), ITEMS, trials=4, keep=0.5)
    step, found = play(settings, dict.fromkeys(settings.configurations, 0.5))
    finalist = [one for one in found if one.configuration == step.remaining[0]]
    assert len(finalist) > len(ITEMS) * settings.trials


def test_an_unsafe_configuration_stops_however_well_it_scores() -> None:
    settings = SearchSettings("halving", NAMES, ITEMS, first_share=1.0, safety_minimum=0.95)
    step, _ = play(settings, dict.fromkeys(NAMES, 0.5) | {"c02": 1.0}, dict.fromkeys(NAMES, 1.0) | {"c02": 0.0})
    stopped = {one.configuration: one for one in step.stopped}
    assert stopped["c02"].code == "unsafe"
    assert "at least 95.0% must be" in stopped["c02"].message
    assert step.best not in {None, "c02"}


def test_nothing_is_recommended_when_all_that_remain_are_below_the_safety_minimum() -> None:
    settings = SearchSettings("halving", NAMES, ITEMS, safety_minimum=0.95)
    step, _ = play(settings, dict.fromkeys(NAMES, 0.5), dict.fromkeys(NAMES, 0.1))
    assert (step.best, step.finished, step.remaining) == (None, "none_left", ())


def test_one_that_cannot_be_deployed_stops_and_the_others_go_on() -> None:
    search = Search(SearchSettings("halving", NAMES, ITEMS))
    first = search.next([], failed={"c03": "AccessDeniedException"})
    assert first.rung == 1
    assert {one.configuration for one in first.assignments} == set(NAMES) - {"c03"}
    assert [(one.configuration, one.rung, one.code, one.message) for one in first.stopped] == [
        ("c03", 1, "failed_to_deploy", "it could not be asked: AccessDeniedException")
    ]


def test_one_that_fails_in_a_later_rung_keeps_what_it_did_before() -> None:
    search = Search(SearchSettings("halving", NAMES, ITEMS, keep=0.9))
    found = [Measurement(one.configuration, one.item_id, one.trial, 0.5) for one in search.next([]).assignments]
    step = search.next(found, failed={"c01": "gone"})
    assert (step.stopped[-1].configuration, step.stopped[-1].rung) == ("c01", 2)
    assert step.stopped[:-1] == search.next(found).stopped


def test_equal_configurations_are_decided_when_none_can_be_better_by_the_margin() -> None:
    step, found = play(SearchSettings("halving", NAMES[:3], ITEMS, margin=0.2), dict.fromkeys(NAMES, 1.0))
    assert (step.finished, step.best) == ("decided", "c01")
    assert len(found) < SearchSettings("halving", NAMES[:3], ITEMS).bound


def test_a_single_configuration_is_asked_the_first_rung_and_found() -> None:
    step, found = play(SearchSettings("halving", NAMES[:1], ITEMS), {"c01": 0.5})
    assert (step.best, step.finished, len(found)) == ("c01", "one_left", 10)


def test_a_judge_that_is_down_leaves_nothing_to_recommend() -> None:
    search = Search(SearchSettings("halving", NAMES, ITEMS))
    found: list[Measurement] = []
    while (step := search.next(found)).assignments:
        found += [Measurement(one.configuration, one.item_id, one.trial, None) for one in step.assignments]
    assert (step.best, step.estimates) == (None, {})
    assert {one.code for one in step.stopped} == {"halved"}


def test_the_best_is_stopped_as_clearly_worse_no_more_often_than_promised_however_often_one_looks() -> None:
    """300 runs of 20 passes over items of very different difficulty, a look after each; both have the same mean."""
    chance = random.Random(7)
    items = [f"item-{n}" for n in range(20)]
    wrong = 0
    for _ in range(300):
        ease = {item: chance.random() for item in items}
        rungs, own = [], []
        for trial in range(1, 11):
            rungs.append([Draw((item, trial), 1.0) for item in items])
            own += [
                Measurement(name, item, trial, float(chance.random() < ease[item]))
                for item in items
                for name in NAMES[:2]
            ]
        settings = SearchSettings("halving", NAMES[:2], tuple((item, "s") for item in items))
        found = measured(settings, own)
        looks = [evidence(found, "c01", "c02", rungs[:n], margin=0.0) for n in range(1, 11)]
        wrong += max(looks) >= threshold(2, 0.05)
    assert wrong / 300 <= 0.05


@given(st.integers(1, 30), st.integers(0, 50))
def test_the_first_rung_asks_each_slice_in_proportion(count: int, seed: int) -> None:
    chosen = stratified(ITEMS, count, seed)
    assert len(set(chosen)) == len(chosen) == count
    by_slice = dict(ITEMS)
    for name in ("edge", "happy", "attack"):
        assert abs(sum(by_slice[item] == name for item in chosen) - count / 3) < 1 + 1e-9


@given(
    st.lists(st.tuples(st.integers(1, 5), st.floats(0, 0.5)), min_size=1, max_size=20),
    st.integers(1, 60),
    st.sampled_from((0.2, 0.5, 1.0)),
)
def test_further_trials_are_as_many_as_asked_for_and_numbered_on(
    items: list[tuple[int, float]], count: int, even: float
) -> None:
    asked = {f"item-{n}": times for n, (times, _) in enumerate(items)}
    spread = {f"item-{n}": deviation for n, (_, deviation) in enumerate(items)}
    draws = more_trials(asked, spread, count, even=even, seed=1, rung=3)
    assert count - 1 <= len(draws) <= count
    assert all(0 < draw.weight <= 1 / even + 1e-6 for draw in draws)
    for item, times in asked.items():
        own = [draw.trial[1] for draw in draws if draw.trial[0] == item]
        assert own == list(range(times + 1, times + 1 + len(own)))


def test_items_whose_scores_vary_get_more_trials() -> None:
    asked = {f"item-{n}": 1 for n in range(10)}
    spread = {item: 0.5 if item == "item-3" else 0.05 for item in asked}
    draws = more_trials(asked, spread, 40, even=0.5, seed=1, rung=3)
    assert sum(draw.trial[0] == "item-3" for draw in draws) > 10


def test_a_missing_item_is_filled_in_by_how_hard_it_is_for_the_others() -> None:
    found = estimates({"c01": {"easy": [1.0], "hard": [0.0]}, "c02": {"easy": [1.0]}, "c03": {}})
    assert found == pytest.approx({"c01": 0.5, "c02": 0.5})
