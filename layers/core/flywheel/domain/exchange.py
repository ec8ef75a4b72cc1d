"""Input and output of a trace or a payload -> question, earlier turns and answer, whatever agent wrote them.

The one reader of them all: the sampler, the harvest and the golden dataset take nothing out of an input by themselves.
It knows plain text, JSON inside text, objects with a field for what was asked or answered, messages of the common
frameworks (`exchange_messages`), histories beside a question (`exchange_history`), the `args` and `kwargs` that
Langfuse's `@observe` writes, streams of events, and what proxies wrap around a body. It never raises and looks at a
bounded part of what it gets: what it cannot read it says, in words for people that quote no text of anybody.
"""

from typing import Any

from flywheel.domain.exchange_answer import Answered, AnswerSearch
from flywheel.domain.exchange_history import earlier_turns
from flywheel.domain.exchange_messages import Turn
from flywheel.domain.exchange_question import Asked, QuestionSearch

__all__ = ["Answered", "Asked", "Turn", "read_answer", "read_history", "read_question"]


def read_question(given: Any) -> Asked:
    """What was asked, out of an input: text, JSON as text, or a decoded value."""
    try:
        return QuestionSearch().look(given)
    except RecursionError:  # a value that was built too deep to be compared or printed
        return Asked(unreadable="it is nested too deeply")


def read_answer(given: Any) -> Answered:
    """What was answered, out of an output: text, JSON as text, or a decoded value."""
    try:
        return AnswerSearch().look(given)
    except RecursionError:
        return Answered(unreadable="it is nested too deeply")


def read_history(given: Any) -> tuple[Turn, ...] | None:
    """The turns of a conversation that is kept by itself; none of an empty one, None when it cannot be read."""
    try:
        return earlier_turns(given)
    except RecursionError:
        return None
