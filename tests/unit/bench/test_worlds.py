"""Every world does to its candidate exactly what it says, on each dataset that is drawn."""

from collections import Counter
from random import Random
from statistics import fmean, pstdev

import pytest

from tests.bench.worlds import HISTORY, WORLDS, Truth, mean, shifted


def _drawn(name: str, number: int = 0) -> Truth:
    return WORLDS[name].draw(Random(f"{name} {number}"))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("equal", 0.0),
        ("plus-5", 0.05),
        ("minus-10", -0.1),
        ("minus-10-proportional", -0.1),
        ("minus-5", -0.05),
        ("minus-3", -0.03),
        ("broken-slice", -0.0875),
        ("scattered", -0.0875),
        ("half-of-a-slice", -0.04375),
        ("slice-by-half", -0.0475),
        ("candidate-errs", 0.0),
        ("coin-flips", 0.0),
        ("deterministic", 0.0),
        ("cached-equal", 0.0),
        ("cached-minus-10", -0.1),
        ("cached-drift", 0.0),
        ("cached-drift-kept", -0.05),
    ],
)
def test_the_mean_moves_by_what_the_world_says(name: str, change: float) -> None:
    for number in range(20):
        truth = _drawn(name, number)
        assert truth.change == pytest.approx(change)
        assert all(0.0 <= p <= 1.0 for p in (*truth.candidate.values(), *truth.incumbent.values()))


def test_items_are_as_hard_as_the_study_s() -> None:
    chances = [p for number in range(200) for p in _drawn("equal", number).incumbent.values()]
    assert fmean(chances) == pytest.approx(0.85, abs=0.005)
    assert pstdev(chances) == pytest.approx(0.25, abs=0.005)
    assert fmean(p * (1 - p) for p in chances) == pytest.approx(0.065, abs=0.003)


@pytest.mark.parametrize(("name", "slices", "items"), [("equal", 10, 12), ("coin-flips", 30, 4)])
def test_slices_are_of_equal_size(name: str, slices: int, items: int) -> None:
    assert list(Counter(_drawn(name).slices.values()).values()) == [items] * slices


@pytest.mark.parametrize(
    ("name", "hit", "slices", "to"),
    [
        ("broken-slice", 12, 1, 0.1),
        ("half-of-a-slice", 6, 1, 0.1),
        ("slice-by-half", 12, 1, 0.5),
    ],
)
def test_a_break_hits_the_items_of_one_slice(name: str, hit: int, slices: int, to: float) -> None:
    truth = _drawn(name)
    worse = [item for item, p in truth.candidate.items() if p != truth.incumbent[item]]
    assert len(worse) == hit
    assert len({truth.slices[item] for item in worse}) == slices
    assert {(truth.incumbent[item], truth.candidate[item]) for item in worse} == {(0.975, to)}


def test_a_scattered_break_keeps_to_no_slice() -> None:
    truth = _drawn("scattered")
    worse = [item for item, p in truth.candidate.items() if p != truth.incumbent[item]]
    assert len(worse) == 12
    assert len({truth.slices[item] for item in worse}) > 4


def test_a_shift_takes_from_the_items_that_have_room() -> None:
    chances = shifted({"a": 0.0, "b": 0.1, "c": 1.0}, -0.2)
    assert chances == pytest.approx({"a": 0.0, "b": 0.0, "c": 0.5})
    assert mean(shifted({"a": 1.0, "b": 0.5}, 0.1)) == pytest.approx(0.85)


def test_a_shift_beyond_the_room_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        shifted({"a": 0.05, "b": 0.05}, -0.1)


def test_a_cached_incumbent_has_stored_trials_of_every_item() -> None:
    truth = _drawn("cached-equal")
    assert truth.history is not None
    assert truth.history.keys() == truth.slices.keys()
    assert {len(trials) for trials in truth.history.values()} == {HISTORY}
    stored = fmean(score for trials in truth.history.values() for score in trials)
    assert stored == pytest.approx(mean(truth.incumbent), abs=0.03)


def test_scores_that_were_judged_again_fall_with_the_candidate_s() -> None:
    again, kept = _drawn("cached-drift"), _drawn("cached-drift-kept")
    assert again.history is not None
    assert kept.history is not None
    assert again.candidate == again.incumbent
    assert mean(kept.candidate) == pytest.approx(mean(kept.incumbent) - 0.05)


def test_equal_seeds_draw_equal_worlds() -> None:
    for name in WORLDS:
        assert _drawn(name) == _drawn(name)
        assert name == "coin-flips" or _drawn(name) != _drawn(name, 1)
