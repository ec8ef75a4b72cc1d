"""What is known of prompts' labels, in memory; and what every such store must do."""

from dataclasses import replace
from datetime import timedelta

import pytest

from flywheel.domain.prompt_labels import Change, PromptState, after, asked
from flywheel.errors import ConflictError
from flywheel.ports import PromptStates
from tests.fakes.clock import NOON


class InMemoryPromptStates:
    def __init__(self) -> None:
        self.states: dict[str, PromptState] = {}

    def get(self, name: str) -> PromptState:
        return self.states.get(name, PromptState())

    def put(self, name: str, state: PromptState) -> None:
        if self.get(name).revision != state.revision:
            raise ConflictError(f"{name} was changed")
        self.states[name] = replace(state, revision=state.revision + 1)


class PromptStatesContract:
    """`states`: nothing is known yet."""

    def test_at_first_nothing_is_known(self, states: PromptStates) -> None:
        assert states.get("agents/docs") == PromptState()

    def test_what_is_known_is_read_back_whole(self, states: PromptStates) -> None:
        known = states.get("agents/docs")
        for number, labels in ((1, ()), (2, ("candidate",)), (3, ("x",))):
            at = NOON + timedelta(milliseconds=number)
            known = after(known, "agents/docs", Change(number, at, frozenset(labels), f"d{number}"), "candidate")
        states.put("agents/docs", known)
        found = states.get("agents/docs")
        assert found == replace(known, revision=1)
        assert (found.holder, len(found.waiting)) == (2, 1)
        states.put("agents/docs", asked(found, found.waiting))
        assert states.get("agents/docs").waiting == ()
        assert states.get("other") == PromptState()

    def test_of_two_who_read_the_same_only_the_first_writes(self, states: PromptStates) -> None:
        first = states.get("p")
        states.put("p", first)
        with pytest.raises(ConflictError):
            states.put("p", first)
        second = states.get("p")
        states.put("p", second)
        with pytest.raises(ConflictError):
            states.put("p", second)
        assert states.get("p").revision == 2
