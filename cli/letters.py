"""Dead letters, read and handed over: what the commands need of AWS, as protocols, and what is done with them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from flywheel.domain.dead_letters import Addresses, Delivery, Event, Letter, route_letter
from flywheel.errors import FlywheelError

# `taken`: handed over and out of the queue; `kept`: it stays, `message` says why; `would`: it was only shown.
type Fate = Literal["taken", "kept", "would"]


class LetterBox(Protocol):
    """The dead-letter queue."""

    def read(self) -> list[Letter]:
        """Every letter, oldest first; nobody else reads them until they are given back, removed, or minutes passed."""
        ...

    def give_back(self, letters: Iterable[Letter]) -> None:
        """Let others read them again."""
        ...

    def remove(self, letter: Letter) -> None: ...


class Handover(Protocol):
    """Where letters go. Each raises `FlywheelError` unless it was taken."""

    def invoke(self, function: str, payload: str) -> None:
        """Queue an invocation: the function's own retries and its own dead letter begin anew."""
        ...

    def start(self, machine_arn: str, payload: str, name: str) -> None:
        """Start an execution; one of that name which is there already counts as taken."""
        ...

    def put(self, event: Event) -> None: ...


@dataclass(frozen=True, slots=True)
class Handled:
    letter: Letter
    delivery: Delivery
    fate: Fate
    message: str = ""


def listed(box: LetterBox, addresses: Addresses) -> list[tuple[Letter, Delivery]]:
    """Look, and leave everything as it was."""
    letters = box.read()
    box.give_back(letters)
    return [(letter, route_letter(letter, addresses)) for letter in letters]


def redrive(
    box: LetterBox,
    handover: Handover,
    addresses: Addresses,
    *,
    choose: Callable[[list[Letter]], list[Letter]],
    dry_run: bool = False,
) -> list[Handled]:
    """Hand chosen letters to where they belong, oldest first. A letter leaves the queue only after it was taken.

    Killed in between, it is still there, and is handed over again: every effect behind it happens once all the same.
    """
    letters = box.read()
    kept = list(letters)
    handled: list[Handled] = []
    try:
        for letter in choose(letters):
            done = _hand_over(letter, route_letter(letter, addresses), handover, dry_run=dry_run)
            handled.append(done)
            if done.fate == "taken":
                box.remove(letter)
                kept.remove(letter)
    finally:
        box.give_back(kept)
    return handled


def _hand_over(letter: Letter, delivery: Delivery, handover: Handover, *, dry_run: bool) -> Handled:
    if delivery.route == "unknown":
        return Handled(letter, delivery, "kept", delivery.why)
    if dry_run:
        return Handled(letter, delivery, "would")
    try:
        if delivery.event is not None:
            handover.put(delivery.event)
        elif delivery.route == "execution":
            # Named after the letter: handed over twice, it starts one execution.
            handover.start(delivery.target, delivery.payload, f"redrive-{letter.letter_id}"[:80])
        else:
            handover.invoke(delivery.target, delivery.payload)
    except FlywheelError as error:
        return Handled(letter, delivery, "kept", str(error))
    return Handled(letter, delivery, "taken")
