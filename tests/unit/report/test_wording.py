"""What a report says of a gate that was left to a person."""

import pytest

from flywheel.domain.holds import NOTE_OF
from flywheel.domain.verdict import Reason, Verdict
from flywheel.report.wording import is_approved, meaning, next_step, wording

UNDECIDED = Reason("undecided", "nobody knows")


def verdict(note: str) -> Verdict:
    return Verdict("INCONCLUSIVE", (UNDECIDED, Reason(note, "m")))


def test_a_promotion_that_a_person_approved_says_so_and_one_that_nobody_did_is_looked_into() -> None:
    assert "A person approved it" in meaning("INCONCLUSIVE", promoted=True, approved=True)
    assert "look into this at once" in meaning("INCONCLUSIVE", promoted=True)
    assert "look into this at once" in meaning("FAIL", promoted=True, approved=True)
    assert "Production was not touched" in meaning("INCONCLUSIVE", promoted=False, approved=True)


def test_only_an_inconclusive_verdict_with_that_note_counts_as_approved() -> None:
    assert is_approved(verdict("approved"))
    assert not is_approved(verdict("rejected_by_person"))
    assert not is_approved(Verdict("PASS", (Reason("approved", "m"),)))


@pytest.mark.parametrize("note", NOTE_OF.values())
def test_the_next_step_follows_from_what_the_person_did(note: str) -> None:
    promoted = note == "approved"
    said = next_step(verdict(note), promoted=promoted)
    assert said == wording(note).next_step
    assert ("rollback" in said) is promoted


def test_an_approved_gate_that_could_not_be_promoted_says_what_its_first_reason_asks_for() -> None:
    assert next_step(verdict("approved"), promoted=False) == wording("undecided").next_step
