from math import sqrt

import pytest

from flywheel.domain.history import History


def test_a_history_widens_by_its_standard_error() -> None:
    history = History({"a": [0.0, 1.0, 0.0, 1.0], "b": [1.0, 1.0, 1.0, 1.0]})
    assert history.means == {"a": 0.5, "b": 1.0}
    spread = 1.0 / 6  # squares of a over the freedom of both
    assert history.spread == pytest.approx(spread)
    assert history.pad(["a", "b"]) == pytest.approx(1.645 * sqrt(2 * spread / 4) / 2)
    assert history.pad(["a"]) == pytest.approx(1.645 * sqrt(spread / 4))


def test_more_trials_widen_less() -> None:
    short, long = (History({"a": [0.0, 1.0] * n, "b": [1.0, 0.0] * n}) for n in (2, 20))
    assert long.pad(["a", "b"]) < short.pad(["a", "b"]) / 3


def test_single_trials_are_taken_to_spread_as_much_as_they_can() -> None:
    assert History({"a": [1.0], "b": [0.0]}).spread == 0.25


def test_items_without_history_are_left_out() -> None:
    history = History({"a": [0.0, 1.0], "b": []})
    assert "b" not in history.means
    assert history.pad(["b", "z"]) == 0.0


@pytest.mark.parametrize("score", [1.5, -0.1, float("nan"), "1", True, None])
def test_a_score_outside_the_range_is_an_error(score: float) -> None:
    with pytest.raises(ValueError, match="history of item 'a'"):
        History({"a": [score]})
