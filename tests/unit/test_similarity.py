"""Near-duplicates: on the labelled pairs hardly two different questions are one, and many paraphrases are."""

import pytest

from flywheel.similarity import WordLikeness
from tests.bench.near_duplicates import SETS, labelled_pairs, linked


def test_of_the_pairs_that_chose_the_threshold_no_different_questions_are_linked_and_most_paraphrases_are() -> None:
    pairs = labelled_pairs(SETS["mended"])
    assert sum(not pair.same for pair in pairs) >= 18
    assert sum(pair.same for pair in pairs) >= 14
    assert linked(pairs, same=False).value == 0
    assert linked(pairs, same=True).value >= 0.8


def test_of_the_pairs_that_were_kept_from_it_few_different_questions_are_linked() -> None:
    pairs = labelled_pairs(SETS["held-out"])
    assert sum(not pair.same for pair in pairs) >= 30
    assert sum(pair.same for pair in pairs) >= 30
    assert linked(pairs, same=False).value <= 0.15
    assert linked(pairs, same=True).value >= 0.4


@pytest.mark.parametrize(
    ("one", "other"),
    [("Data is kept for 30 days.", "Data is kept for 90 days."), ("It is possible.", "It is not possible.")],
)
def test_facts_that_differ_in_a_number_or_a_negation_are_two(one: str, other: str) -> None:
    assert WordLikeness().facts(one, other) == 0
    assert WordLikeness().facts(one, one.upper()) == 1
