"""Evaluators and rules that Langfuse runs by itself: what stands there, and how it is made or changed."""

from dataclasses import dataclass
from typing import Protocol

from flywheel.domain.live_evaluators import Evaluator, Rule
from flywheel.errors import InvalidRequestError, NotFoundError


class EvaluatorsNotOfferedError(NotFoundError):
    """This server has no API for evaluators."""


class EvaluatorNotRunnableError(InvalidRequestError):
    """The server could not run the evaluator: its model is not there, or does not answer."""


@dataclass(frozen=True, slots=True)
class StandingRule:
    """`paused`: why the server does not run the rule although it is enabled; empty when it does."""

    rule_id: str
    rule: Rule
    paused: str = ""


class EvaluatorStore(Protocol):
    """Every method may raise `EvaluatorsNotOfferedError`."""

    def evaluator(self, name: str) -> Evaluator | None:
        """Give its newest version; None: there is none of that name."""
        ...

    def save(self, evaluator: Evaluator) -> None:
        """Make it, or its next version: rules run the newest one, earlier ones stay in Langfuse's history.

        Raises:
            EvaluatorNotRunnableError: with what the server says of its model.
        """
        ...

    def rule(self, name: str) -> StandingRule | None:
        """Give the rule of that name; None: there is none."""
        ...

    def create(self, rule: Rule) -> None:
        """Make it.

        Raises:
            ConflictError: there is one of that name.
            EvaluatorNotRunnableError: with what the server says of the evaluator's model.
        """
        ...

    def change(self, rule_id: str, rule: Rule) -> None:
        """Make the rule what is wanted, all of it.

        Raises:
            NotFoundError: there is no such rule any more.
            EvaluatorNotRunnableError: as in `create`.
        """
        ...
