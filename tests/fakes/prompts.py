"""What is known of prompts' labels, and the labels themselves, in memory; and what every such part must do."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from flywheel.domain.prompt_labels import Change, PromptState, after, asked
from flywheel.errors import ConflictError, FlywheelError, NotFoundError
from flywheel.ports import PromptLabels, PromptStates
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


class InMemoryPromptLabels:
    """Prompts by name: version -> labels. `trouble`: what the next calls raise, one each; `moves`: what was given."""

    def __init__(self, prompts: dict[str, dict[int, set[str]]] | None = None) -> None:
        self.prompts = prompts or {}
        self.trouble: list[FlywheelError] = []
        self.moves: list[tuple[str, int, str]] = []

    def holder(self, name: str, label: str) -> int | None:
        """The version that has it."""
        return next((version for version, labels in self.prompts.get(name, {}).items() if label in labels), None)

    def give(self, name: str, version: int, label: str) -> None:
        if self.trouble:
            raise self.trouble.pop(0)
        versions = self.prompts.get(name, {})
        if version not in versions:
            raise NotFoundError(f"no prompt {name}:{version}")
        for labels in versions.values():
            labels.discard(label)
        versions[version].add(label)
        self.moves.append((name, version, label))


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


class PromptLabelsContract:
    """`labels`: a project in which the prompt `name` has three versions, the first one with the label `other`.

    `holder` reads which version has a label now.
    """

    def test_a_label_belongs_to_one_version_however_often_it_is_given(
        self, labels: PromptLabels, name: str, holder: Callable[[str], int | None]
    ) -> None:
        assert holder("production") is None
        labels.give(name, 1, "production")
        labels.give(name, 1, "production")
        assert holder("production") == 1
        labels.give(name, 3, "production")
        assert (holder("production"), holder("other")) == (3, 1)

    def test_a_version_that_is_not_there_gets_nothing_and_nobody_loses_anything(
        self, labels: PromptLabels, name: str, holder: Callable[[str], int | None]
    ) -> None:
        labels.give(name, 2, "production")
        with pytest.raises(NotFoundError):
            labels.give(name, 9, "production")
        with pytest.raises(NotFoundError):
            labels.give(f"{name}-unknown", 1, "production")
        assert holder("production") == 2
