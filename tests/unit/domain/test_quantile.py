import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.quantile import is_certainly_above, percentile

values = st.lists(st.integers(0, 20), max_size=30)


def test_the_nearest_rank_is_always_one_of_the_values() -> None:
    assert percentile([10, 20, 30, 40], 0.5) == 20
    assert percentile([15, 20, 35, 40, 50], 0.3) == 20
    assert percentile([7], 0.95) == 7
    assert percentile(list(range(1, 21)), 0.95) == 19
    assert percentile(list(range(1, 101)), 0.95) == 95
    assert percentile([3, 1, 2], 1.0) == 3


@pytest.mark.parametrize(("numbers", "share"), [([], 0.5), ([1], 0.0), ([1], 1.1), ([1], float("nan"))])
def test_a_percentile_of_nothing_or_beyond_its_range_is_an_error(numbers: list[float], share: float) -> None:
    with pytest.raises(ValueError, match="no percentile"):
        percentile(numbers, share)


@given(values.filter(bool), st.floats(0.01, 1))
def test_at_least_the_share_of_values_is_not_above_the_percentile(numbers: list[int], share: float) -> None:
    found = percentile(numbers, share)
    assert sum(n <= found for n in numbers) >= share * len(numbers) - 1e-6
    assert sum(n < found for n in numbers) < share * len(numbers)


@given(values, st.integers(0, 5), st.integers(0, 20), st.sampled_from([0.5, 0.9, 0.95, 1.0]))
def test_it_is_certain_exactly_when_the_best_end_is_above_the_limit(
    numbers: list[int], open_values: int, limit: int, share: float
) -> None:
    """The best end for the candidate: between none and all of the open values come, each of them at once."""
    ends = [numbers + [0] * come for come in range(open_values + 1)]
    every_end_is_above = all(end and percentile(end, share) > limit for end in ends)
    assert is_certainly_above(limit, numbers, open_values, share) == every_end_is_above


def test_fewer_than_no_open_values_are_an_error() -> None:
    with pytest.raises(ValueError, match="-1 values open"):
        is_certainly_above(1, [1], -1, 0.95)
