"""What every store of the harvest's notes must do: run on the double and on the real adapter."""

from datetime import timedelta

import pytest

from flywheel.errors import ConflictError
from flywheel.ports.harvest import HarvestNotes, Look
from tests.fakes.clock import NOON

LATER = NOON + timedelta(minutes=11)


class HarvestNotesContract:
    """`notes`: empty ones."""

    def test_one_run_at_a_time_has_the_right_until_it_gives_it_back_or_it_runs_out(self, notes: HarvestNotes) -> None:
        notes.acquire("h-1", now=NOON, until=LATER)
        notes.acquire("h-1", now=NOON, until=LATER)
        with pytest.raises(ConflictError):
            notes.acquire("h-2", now=NOON + timedelta(minutes=10), until=LATER)
        notes.release("h-2")
        with pytest.raises(ConflictError):
            notes.acquire("h-2", now=NOON, until=LATER)
        notes.acquire("h-2", now=LATER, until=LATER + timedelta(minutes=11))
        notes.release("h-1")
        with pytest.raises(ConflictError):
            notes.acquire("h-3", now=LATER, until=LATER)
        notes.release("h-2")
        notes.acquire("h-3", now=LATER, until=LATER)

    def test_looks_are_replaced_and_forgotten(self, notes: HarvestNotes) -> None:
        notes.note_look("t-1", Look("a", NOON))
        notes.note_look("t-2", Look("b", NOON))
        notes.note_look("t-1", Look("c", LATER, conflicting=True, tries=2))
        notes.forget_look("t-2")
        notes.forget_look("t-2")
        assert notes.looks() == {"t-1": Look("c", LATER, conflicting=True, tries=2)}

    def test_an_announcement_names_what_was_listed_when_it_began_until_it_is_made(self, notes: HarvestNotes) -> None:
        assert notes.growth() is None
        notes.announce("p-1", "state-1")
        first = notes.growth()
        assert first is not None
        assert first.items == {"p-1": "state-1"}
        notes.announce("p-2", "state-1")
        notes.announce("p-1", "state-2")
        assert notes.growth() == first

        notes.announced(first)
        notes.announced(first)
        second = notes.growth()
        assert second is not None
        # What was written again while it was announced is announced again.
        assert second.items == {"p-1": "state-2", "p-2": "state-1"}
        assert second.request_id != first.request_id
        notes.announced(second)
        assert notes.growth() is None
