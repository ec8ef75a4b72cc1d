"""What people said on one trace, brought together."""

from datetime import timedelta
from typing import Any

import pytest

from flywheel.domain.live_form import CORRECTION, SaidComment, SaidScore, facts_of, read_review
from tests.fakes.clock import NOON


def said(name: str, value: Any, author: str = "anna", minute: int = 0, kind: str = "BOOLEAN") -> SaidScore:
    return SaidScore(name, value, kind, author, NOON + timedelta(minutes=minute))


def corrected(text: str, author: str = "anna") -> SaidScore:
    return said("output", text, author, kind=CORRECTION)


FLAG = said("add_to_dataset", value=True)


def test_facts_come_one_a_line_without_bullets_and_once() -> None:
    text = "- One.\n\n* Two.\n 3. Three.\n\u2022 four\n-5 degrees\none.\n"
    assert facts_of(text) == ("One.", "Two.", "Three.", "four", "-5 degrees")


def test_the_newest_score_of_a_reviewer_counts() -> None:
    review = read_review([said("correct", value=True), said("correct", value=False, minute=5)])
    assert (review.failed, review.flagged, review.contradictions) == (True, False, ())


def test_nothing_said_is_told_from_something_said() -> None:
    assert not read_review([SaidScore("helpfulness", 0.5, "NUMERIC", "", NOON, people=False)]).said
    assert read_review([said("correct", value=True)]).said


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        ([FLAG], "without a fact"),
        ([FLAG, said("must_refuse", value=True), corrected("A fact.")], "has no facts"),
        ([FLAG, said("correct", value=True), corrected("A fact.")], "called correct and is corrected"),
        ([FLAG, corrected("One."), corrected("Two.", "bert")], "different facts"),
        (
            [FLAG, corrected("One."), said("add_to_dataset", value=False, author="bert")],
            "disagree about add_to_dataset",
        ),
        (
            [FLAG, corrected("A."), said("correct", value=True), said("correct", value=False, author="b")],
            "about correct",
        ),
        ([FLAG, corrected("x" * 2001)], "longer than"),
        ([FLAG, corrected("\n".join(f"Fact {n}." for n in range(51)))], "51 facts"),
    ],
)
def test_what_contradicts_is_named(scores: list[SaidScore], why: str) -> None:
    review = read_review(scores)
    assert review.flagged
    assert any(why in problem for problem in review.contradictions), review.contradictions


def test_two_reviewers_who_say_the_same_agree() -> None:
    scores = [FLAG, corrected("One."), said("add_to_dataset", value=True, author="bert"), corrected("- one.", "bert")]
    review = read_review(scores)
    assert (review.contradictions, review.reviewers) == ((), ("anna", "bert"))


def test_the_trajectory_is_confirmed_when_nobody_denies_it() -> None:
    yes, no = said("trajectory_confirmed", value=True), said("trajectory_confirmed", value=False, author="bert")
    assert read_review([FLAG, yes]).trajectory_confirmed
    assert not read_review([FLAG, yes, no]).trajectory_confirmed
    assert not read_review([FLAG]).trajectory_confirmed


def test_the_hash_is_over_all_that_was_said_in_whatever_order_it_comes() -> None:
    scores = [FLAG, corrected("One.")]
    comments = [SaidComment("anna", "a", NOON), SaidComment("bert", "b", NOON)]
    first = read_review(scores, comments).review_hash
    assert read_review(scores[::-1], comments[::-1]).review_hash == first
    assert read_review([FLAG, corrected("One!")], comments).review_hash != first
    assert read_review(scores, comments[:1]).review_hash != first
    own = SaidComment("", "flywheel harvest 0123: why", NOON)
    assert read_review(scores, [*comments, own]).review_hash == first
