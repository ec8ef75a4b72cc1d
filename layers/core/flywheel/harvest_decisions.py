"""A finished review and its trace -> what becomes of it, with the judge asked about what would become a golden item."""

from dataclasses import replace
from datetime import datetime

from flywheel.domain.harvest import Decision
from flywheel.domain.live_form import TypedReview
from flywheel.domain.live_review import LiveReview
from flywheel.harvest_cases import Cases
from flywheel.ports.harvest import CaseJudge, HarvestNotes, Look, TraceContent

# A review on which the judge fails for what it says, not for being down, goes to people after so many runs.
_MOST_TRIES = 3


class Decisions:
    """What `Cases` decides, held against the judge: nothing is written that its own right answer would fail."""

    def __init__(self, cases: Cases, judge: CaseJudge, notes: HarvestNotes) -> None:
        self._cases = cases
        self._judge = judge
        self._notes = notes

    def decide(
        self,
        row: LiveReview,
        review: TypedReview,
        trace: TraceContent | None,
        now: datetime,
        look: Look | None,
        *,
        dry_run: bool,
    ) -> Decision | None:
        """None: the judge could not be asked; the row stays open, and the next run asks again.

        Raises:
            InvalidRequestError: the setting `policy`, by which items pass, is invalid.
        """
        decision = self._cases.decide(row, review, trace, now)
        notes = [note for note in review.notes if note not in decision.message]
        decision = replace(decision, message="; ".join(filter(None, [decision.message, *notes])))
        if decision.effect != "write":
            return decision
        checked = self._judge.check(self._cases.built(row.trace_id), self._cases.right_answer(row.trace_id))
        if checked.passes:
            return decision
        if checked.passes is None and self._asked_again(row, review, look, now, checked.of_the_text, dry_run=dry_run):
            return None
        return Decision("conflict", item_id=decision.item_id, message=checked.message)

    def _asked_again(
        self,
        row: LiveReview,
        review: TypedReview,
        look: Look | None,
        now: datetime,
        of_the_text: bool,  # noqa: FBT001 - it is counted
        *,
        dry_run: bool,
    ) -> bool:
        """Whether the next run asks; a judge that is down is asked for as long as it takes."""
        known = look if look is not None and look.review_hash == review.review_hash else Look(review.review_hash, now)
        tries = known.tries + of_the_text
        if tries >= _MOST_TRIES:
            return False
        if of_the_text and not dry_run:
            self._notes.note_look(row.trace_id, replace(known, tries=tries))
        return True
