import pytest

from flywheel.domain.interval import student, wilson


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_shares_have_the_intervals_of_newcombe_1998(hits: int, trials: int, low: float, high: float) -> None:
    found = wilson(hits, trials)

    assert (found.value, found.low, found.high) == pytest.approx((hits / trials, low, high), abs=5e-5)


def test_a_share_of_all_or_none_has_an_interval_that_holds_it() -> None:
    assert wilson(20, 20).high == 1.0
    assert wilson(20, 20).low == pytest.approx(0.8389, abs=5e-5)
    assert wilson(0, 5).low == 0.0


@pytest.mark.parametrize(("hits", "trials"), [(0, 0), (3, 2), (-1, 2)])
def test_what_is_no_share_is_refused(hits: int, trials: int) -> None:
    with pytest.raises(ValueError, match="have no share"):
        wilson(hits, trials)


@pytest.mark.parametrize(("freedom", "quantile"), [(5, 2.5706), (9, 2.2622), (29, 2.0452), (1000, 1.9623)])
def test_student_reaches_as_far_as_its_tables_say(freedom: int, quantile: float) -> None:
    assert student(freedom) == pytest.approx(quantile, rel=0.003)


def test_student_with_hardly_any_freedom_is_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        student(4)
