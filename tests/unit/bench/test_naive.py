"""Today's simple rules, as exactly as they are meant."""

from random import Random

import pytest

from tests.bench.naive import RULES, mcnemar, one_trial, promoted, shares
from tests.bench.worlds import WORLDS


@pytest.mark.parametrize(
    ("lost", "won", "p"),
    [
        (0, 0, 1.0),
        (5, 5, 1.0),
        (5, 0, 0.0625),
        (6, 0, 0.03125),
        (0, 6, 0.03125),
        (8, 1, 0.0390625),
        (10, 2, 0.03857421875),
        (1, 1, 1.0),
    ],
)
def test_mcnemar_s_p_value_is_exact(lost: int, won: int, p: float) -> None:
    assert mcnemar(lost, won) == pytest.approx(p)


def test_each_rule_promotes_what_it_says() -> None:
    # 100 items: the candidate lost six that the incumbent solves, both fail ten more.
    trials = [(0.0, 1.0)] * 6 + [(0.0, 0.0)] * 10 + [(1.0, 1.0)] * 84
    assert promoted(trials) == dict(zip(RULES, (True, True, False, False), strict=True))


def test_a_gain_is_never_blocked() -> None:
    assert all(promoted([(1.0, 0.0)] * 20 + [(1.0, 1.0)] * 80).values())


def test_what_errored_is_left_out_as_is_usual() -> None:
    assert all(promoted([(1.0, 1.0)] * 10 + [(None, 1.0)] * 30).values())


def test_a_cached_incumbent_is_its_first_stored_trial() -> None:
    truth = WORLDS["cached-equal"].draw(Random("cached"))
    assert truth.history is not None
    incumbent = [incumbent for _, incumbent in one_trial(truth, Random("trial"))]
    assert incumbent == [trials[0] for trials in truth.history.values()]


def test_shares_are_means_over_the_gates() -> None:
    always, never = dict.fromkeys(RULES, True), dict.fromkeys(RULES, False)
    assert shares([always, always, always, never]) == dict.fromkeys(RULES, 0.75)
