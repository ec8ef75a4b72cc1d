"""Prompts kept in Langfuse: what is known of their labels, and who moves them."""

from typing import Protocol

from flywheel.domain.prompt_labels import PromptState


class PromptStates(Protocol):
    """What is known of the label that asks for a gate, prompt by prompt."""

    def get(self, name: str) -> PromptState:
        """Give what is known; an empty state of revision 0 when that is nothing."""
        ...

    def put(self, name: str, state: PromptState) -> None:
        """Write what was made of revision `state.revision`; it becomes the next one.

        Raises:
            ConflictError: somebody else has written since.
        """
        ...


class PromptLabels(Protocol):
    """Labels of prompt versions.

    Langfuse has no compare-and-set for them: whoever moves one looks afterwards whether it was still right to.
    """

    def give(self, name: str, version: int, label: str) -> None:
        """Give the label to that version; the version that has it loses it. Safe to repeat.

        Raises:
            NotFoundError: there is no such version.
            InvalidRequestError: Langfuse refuses it, or does not accept our keys.
            TransientError: Langfuse does not answer now.
        """
        ...
