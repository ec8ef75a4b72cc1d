"""A dead-letter queue, and the places where its letters belong, in memory."""

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

from flywheel.domain.dead_letters import Event, Letter
from flywheel.errors import TransientError
from tests.fakes.clock import NOON


class InMemoryLetterBox:
    def __init__(self) -> None:
        self.letters: dict[str, Letter] = {}
        self.hidden: set[str] = set()
        self.removals_fail = 0

    def put(self, body: Any, **attributes: str) -> Letter:
        text = body if isinstance(body, str) else json.dumps(body)
        sent_at = NOON + timedelta(minutes=len(self.letters))
        letter = Letter(str(uuid4()), text, attributes, sent_at)
        self.letters[letter.letter_id] = letter
        return letter

    def read(self) -> list[Letter]:
        found = [letter for letter in self.letters.values() if letter.letter_id not in self.hidden]
        self.hidden |= {letter.letter_id for letter in found}
        return sorted(found, key=lambda letter: (letter.sent_at, letter.letter_id))

    def give_back(self, letters: Iterable[Letter]) -> None:
        self.hidden -= {letter.letter_id for letter in letters}

    def remove(self, letter: Letter) -> None:
        if self.removals_fail:
            self.removals_fail -= 1
            raise TransientError("sqs:DeleteMessage: timed out")
        del self.letters[letter.letter_id]
        self.hidden.discard(letter.letter_id)


class RecordingHandover:
    """`refuses`: targets that do not take anything."""

    def __init__(self) -> None:
        self.invoked: list[tuple[str, Any]] = []
        self.executions: dict[str, tuple[str, Any]] = {}
        self.events: list[Event] = []
        self.refuses: Mapping[str, str] = {}

    def invoke(self, function: str, payload: str) -> None:
        self._refuse(function)
        self.invoked.append((function, json.loads(payload)))

    def start(self, machine_arn: str, payload: str, name: str) -> None:
        self._refuse(machine_arn)
        self.executions.setdefault(name, (machine_arn, json.loads(payload)))

    def put(self, event: Event) -> None:
        self._refuse("bus")
        self.events.append(event)

    def _refuse(self, target: str) -> None:
        if target in self.refuses:
            raise TransientError(self.refuses[target])
