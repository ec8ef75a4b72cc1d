"""Prompts kept in Langfuse: what is known of their labels."""

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
