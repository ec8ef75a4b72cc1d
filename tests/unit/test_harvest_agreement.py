"""Agreement of scores with people, kept up to date."""

import json
from typing import Any

from flywheel.domain.live_form import SaidScore, read_review
from flywheel.domain.review import Review, dump_reviews
from flywheel.domain.review_form import SAMPLED_SCORE
from flywheel.harvest_agreement import GATE_JUDGE, PAIRS, AgreementBook, Pairs, pairs_of
from tests.fakes.clock import NOON
from tests.fakes.objects import InMemoryObjects

RIGHT: Pairs = {"helpfulness": (True, True)}
WRONG: Pairs = {"helpfulness": (True, False)}


def update(store: InMemoryObjects, seen: dict[str, Pairs], most: int = 100) -> dict[str, Any]:
    return AgreementBook(store).update(seen, pass_at=0.5, most=most, at="2026-11-23T12:00:00+00:00")


def score(name: str, value: Any, *, people: bool = False) -> SaidScore:
    return SaidScore(name, value, "BOOLEAN" if isinstance(value, bool) else "NUMERIC", "", NOON, people=people)


def test_scores_of_machines_in_0_to_1_stand_beside_what_people_said() -> None:
    said = [score("correct", value=False, people=True), score("helpfulness", 0.7), score("toxic", value=False)]
    said += [score("tokens", 812.0), score(SAMPLED_SCORE, 0.1), score("label", "good")]
    assert pairs_of(said, read_review(said), 0.5) == {"helpfulness": (True, False), "toxic": (False, False)}
    assert pairs_of(said[1:], read_review(said[1:]), 0.5) == {}


def test_looking_again_counts_nothing_twice_and_an_edit_replaces() -> None:
    store = InMemoryObjects()
    update(store, {"t-1": RIGHT, "t-2": RIGHT})
    assert update(store, {"t-1": RIGHT})["helpfulness"]["answers"] == 2
    assert update(store, {"t-1": WRONG})["helpfulness"]["agreed"] == 1
    assert update(store, {"t-1": {}})["helpfulness"]["answers"] == 1


def test_the_oldest_are_the_first_to_go() -> None:
    store = InMemoryObjects()
    for number in range(5):
        update(store, {f"t-{number}": RIGHT}, most=3)
    assert list(json.loads(store.read(PAIRS))) == ["t-2", "t-3", "t-4"]


def test_reviews_of_gates_are_held_against_the_judge_and_a_broken_file_is_passed_over() -> None:
    store = InMemoryObjects()
    review = Review("g-1", "i", 1, "candidate", "t", "j-1", 1.0, 0.0, "random", "anna", NOON.isoformat())
    store.put("reviews/j-1/g-1.json", dump_reviews([review]).encode())
    store.put("reviews/j-1/g-2.json", b"{")
    assert update(store, {})[GATE_JUDGE]["metric_only"] == 1
