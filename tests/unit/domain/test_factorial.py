import random
from itertools import product

import pytest

from flywheel.domain.factorial import predict

LEVELS = {f"{a}{b}{c}": (a, b, c) for a, b, c in product("ab", "xyz", "12")}


def truth(chance: random.Random) -> dict[str, float]:
    effect = {level: chance.gauss(0, 0.05) for level in "abxyz12"}
    return {name: 0.7 + sum(effect[level] for level in own) for name, own in LEVELS.items()}


def test_what_rests_on_few_trials_is_predicted_better_from_all_that_share_its_levels() -> None:
    chance = random.Random(1)
    raw = predicted = 0.0
    for _ in range(50):
        true = truth(chance)
        seen = {name: mean + chance.gauss(0, 0.04) for name, mean in true.items()}
        said = predict(seen, dict.fromkeys(LEVELS, 0.04**2), LEVELS)
        raw += sum((seen[name] - true[name]) ** 2 for name in LEVELS)
        predicted += sum((said[name] - true[name]) ** 2 for name in LEVELS)
    assert predicted < 0.6 * raw


def test_many_trials_overrule_what_the_levels_say() -> None:
    seen = dict.fromkeys(LEVELS, 0.5) | {"ax1": 0.9}
    noise = dict.fromkeys(LEVELS, 1e-6)
    assert predict(seen, noise, LEVELS)["ax1"] == pytest.approx(0.9, abs=0.01)


def test_a_prediction_lies_on_the_same_scale_when_all_means_are_equal() -> None:
    seen = dict.fromkeys(LEVELS, 0.8)
    assert predict(seen, dict.fromkeys(LEVELS, 0.01), LEVELS) == pytest.approx(seen)


@pytest.mark.parametrize("levels", [{}, dict.fromkeys(LEVELS, ())])
def test_without_levels_nothing_is_moved(levels: dict[str, tuple[str, ...]]) -> None:
    seen = {name: n / 100 for n, name in enumerate(LEVELS)}
    assert predict(seen, dict.fromkeys(LEVELS, 0.01), levels) == seen


def test_two_configurations_say_nothing_of_levels() -> None:
    seen = {"ax1": 0.1, "bx1": 0.9}
    assert predict(seen, dict.fromkeys(seen, 0.01), LEVELS) == seen
