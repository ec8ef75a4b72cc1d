"""What is set up in Langfuse, part by part: looked at first, then made; one row about each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from flywheel.errors import ConflictError, FlywheelError, InvalidRequestError, NotFoundError, TransientError

# Of a plan: exists, create, change, differs (and cannot be changed), by hand. Of what was carried out:
# created and changed in their place, refused with Langfuse's words, failed and not reached when it does not answer.
# Not offered: this server has no such thing, and so nothing that comes after it.
type State = Literal[
    "exists", "create", "change", "created", "changed", "differs", "refused", "by hand", "failed",
    "not reached", "not offered",
]  # fmt: skip
_DONE: dict[State, State] = {"create": "created", "change": "changed"}
# Somebody has to do something before all of it is there.
WANTING: frozenset[State] = frozenset({"differs", "refused"})
# Only evaluators that Langfuse runs itself need these: without them gates and the loop are whole.
OPTIONAL: frozenset[str] = frozenset({"LLM connection", "evaluator", "evaluation rule"})
BROKEN: frozenset[State] = frozenset({"failed", "not reached"})


@dataclass(frozen=True, slots=True)
class Found:
    """`said`: what differs, or why; `next_step`: what a person does about it, empty when there is nothing to do."""

    state: State
    said: str = ""
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    part: str
    name: str
    state: State
    said: str = ""
    next_step: str = ""


class Part(Protocol):
    """One thing that should be there. `look` changes nothing; `make` may be repeated."""

    @property
    def part(self) -> str: ...

    @property
    def name(self) -> str: ...

    def look(self) -> Found: ...

    def make(self) -> Found | None:
        """Make or change it; what else there is to say, None for nothing."""
        ...


def carry_out(parts: Iterable[Part], *, dry_run: bool) -> Iterator[Row]:
    """Look at each part and make what is missing; a refusal stops nothing, a Langfuse that is down stops the rest.

    Where a part is not offered, those after it need it: there are no rows about them.
    """
    down = False
    for part in parts:
        if down:
            yield Row(part.part, part.name, "not reached", "", "run it again when Langfuse answers: it goes on there")
            continue
        try:
            found = part.look()
            if found.state in _DONE and not dry_run:
                found = part.make() or Found(_DONE[found.state], found.said)
        except TransientError as error:
            down = True
            found = Found("failed", str(error), "run it again: what is there already stays as it is")
        except (InvalidRequestError, ConflictError, NotFoundError) as error:
            found = Found("refused", str(error), _advice(error))
        yield Row(part.part, part.name, found.state, found.said, found.next_step)
        if found.state == "not offered":
            return


def _advice(error: FlywheelError) -> str:
    if isinstance(error, ConflictError):
        return "somebody else was at it at the same moment: run it again"
    return "see docs/operations.md, Set up Langfuse"
