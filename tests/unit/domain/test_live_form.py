"""What people said on one trace, brought together."""

from datetime import timedelta
from typing import Any

import pytest

from flywheel.domain.live_form import CORRECTION, SaidComment, SaidScore, read_review
from flywheel.domain.right_answer import NO_CORRECTION
from tests.fakes.clock import NOON


def said(name: str, value: Any, author: str = "anna", minute: int = 0, kind: str = "BOOLEAN") -> SaidScore:
    return SaidScore(name, value, kind, author, NOON + timedelta(minutes=minute))


def corrected(text: str, author: str = "anna") -> SaidScore:
    return said("output", text, author, kind=CORRECTION)


OUTPUT = "For ever."
FLAG = said("add_to_dataset", value=True)


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
        ([FLAG, corrected("x" * 501)], "longer than"),
        ([FLAG, corrected("\n".join(f"Fact {n}." for n in range(21)))], "21 facts"),
        ([FLAG, corrected(OUTPUT)], "counts as none"),
        ([FLAG, corrected('{"answer": "For ever.", "stop_reason": "end_turn"}')], "counts as none"),
        ([FLAG, corrected('{"answer": "Thirty "days"."}')], "begins as JSON"),
        ([FLAG, corrected("```\na\nb\n```")], "no statement"),
        ([FLAG, said("must_refuse", value=True), corrected('{"answer": ')], "begins as JSON"),
    ],
)
def test_what_contradicts_is_named(scores: list[SaidScore], why: str) -> None:
    review = read_review(scores, output=OUTPUT)
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


def test_who_only_clicked_into_the_correction_said_nothing() -> None:
    review = read_review([corrected(OUTPUT)], output=OUTPUT)
    assert (review.said, review.corrected, review.facts) == (False, False, ())
    assert review.notes == (NO_CORRECTION,)


def test_a_click_of_one_reviewer_does_not_contradict_the_correction_of_another() -> None:
    review = read_review([FLAG, corrected(OUTPUT), corrected("Thirty days.", "bert")], output=OUTPUT)
    assert (review.facts, review.answer, review.contradictions) == (("Thirty days.",), "Thirty days.", ())
    assert review.notes == (NO_CORRECTION,)


def test_an_answer_that_is_called_right_is_not_contradicted_by_a_click() -> None:
    facts = SaidComment("anna", "facts:\n- Kept for ever.", NOON)
    review = read_review([FLAG, said("correct", value=True), corrected(OUTPUT)], [facts], OUTPUT)
    assert (review.contradictions, review.facts, review.answer) == ((), ("Kept for ever.",), OUTPUT)


def test_listed_facts_stand_beside_the_correction_in_which_they_are_looked_for() -> None:
    facts = SaidComment("anna", "Facts:\n1. **Thirty** days.\n2. Not more.", NOON)
    review = read_review([FLAG, corrected("# Retention\n\nThirty days, not more.")], [facts], OUTPUT)
    assert (review.facts, review.contradictions) == (("Thirty days.", "Not more."), ())
    assert review.answer == "# Retention\n\nThirty days, not more."
    assert read_review([FLAG], [facts], OUTPUT).answer == "Thirty days.\nNot more."


@pytest.mark.parametrize(
    "text", ["I can't help with that.", "Dabei kann ich nicht helfen.", '{"answer": "I cannot share that."}']
)
def test_a_refusal_that_is_written_out_agrees_with_must_refuse(text: str) -> None:
    review = read_review([FLAG, said("must_refuse", value=True), corrected(text)], output=OUTPUT)
    assert (review.contradictions, review.facts, review.must_refuse) == ((), (), True)


def test_a_note_says_what_was_left_out() -> None:
    review = read_review([FLAG, corrected("Call flush.\n```\na\nb\n```")], output=OUTPUT)
    assert (review.facts, review.notes) == (("Call flush.",), ("code of several lines was left out of the correction",))
