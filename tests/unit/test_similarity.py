"""Near-duplicates: on the labelled pairs no two different questions are one, and most paraphrases are."""

from pathlib import Path

import pytest

from flywheel.domain.harvest_settings import load_default_harvest
from flywheel.similarity import WordLikeness

PAIRS = [
    tuple(line.split("\t"))
    for line in (Path(__file__).parents[1] / "data" / "near_duplicates.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
]


def linked(kind: str) -> list[bool]:
    least = load_default_harvest().similarity
    return [WordLikeness().questions(one, [two])[0] >= least for said, one, two in PAIRS if said == kind]


def test_different_questions_are_never_linked() -> None:
    assert len(linked("other")) >= 18
    assert not any(linked("other"))


def test_most_paraphrases_are_linked() -> None:
    found = linked("same")
    assert len(found) >= 14
    assert sum(found) / len(found) >= 0.8


@pytest.mark.parametrize(
    ("one", "other"),
    [("Data is kept for 30 days.", "Data is kept for 90 days."), ("It is possible.", "It is not possible.")],
)
def test_facts_that_differ_in_a_number_or_a_negation_are_two(one: str, other: str) -> None:
    assert WordLikeness().facts(one, other) == 0
    assert WordLikeness().facts(one, one.upper()) == 1
