"""One decoded element of a dataset -> a golden item, or everything that is wrong with it."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from flywheel.domain.exchange import Asked, Turn, read_history, read_question
from flywheel.domain.golden_item import CHAT_HISTORY, SLICES, GoldenItem, question_id
from flywheel.domain.json_words import kind, shown

# Characters of each text of an item at most.
LONGEST = {
    "id": 200,
    "question": 10_000,
    "turn": 10_000,
    "fact": 2_000,
    "search term": 500,
    "tool name": 200,
    "origin": 100,
}
_MOST_FACTS = 50
_MOST_STEPS = 100
_MOST_TURNS = 50
_MOST_METADATA_CHARACTERS = 32_768
_DEEPEST_METADATA = 32
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")
# Everything below a space but tab and line feeds: such characters are damage, not text.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")

type Place = tuple[str | int, ...]


class ItemCheck:
    """Reads one element; `problems` grows by (place inside the element, message).

    `item_id` and `question` are what was read of them, empty when they are wrong themselves: an element with another
    problem can still repeat one.
    `lenient` is for items that people made or edited in Langfuse: unknown keys there are passed over, any id is taken
    as it is, and `input` may have the form of any agent (`exchange`): the question, or a trace's input as it was.
    """

    def __init__(self, *, lenient: bool = False) -> None:
        self.problems: list[tuple[Place, str]] = []
        self.item_id = ""
        self.question = ""
        self.turns: tuple[Turn, ...] = ()
        self._lenient = lenient

    def read(self, element: Any) -> GoldenItem | None:
        """The item, or None when there is any problem."""
        if not isinstance(element, Mapping):
            self._wrong((), f"an item is an object, not {kind(element)}")
            return None
        self._keys((), element, {"id", "input", "expected_output", "metadata"})
        self.question = self._question(element)
        self.item_id = self._id(element)
        fields = self._expected(element)
        fields |= self._metadata(element)
        if self.problems:
            return None
        return GoldenItem(item_id=self.item_id, question=self.question, turns=self.turns, **fields)

    def _question(self, element: Mapping[str, Any]) -> str:
        if "input" not in element:
            self._wrong((), "input is missing; an item needs input.question")
            return ""
        given = element["input"]
        if self._lenient and not (isinstance(given, Mapping) and isinstance(given.get("question"), str)):
            return self._asked(("input",), read_question(given))
        if not isinstance(given, Mapping):
            self._wrong(("input",), f"is {kind(given)}; expected an object with a question")
            return ""
        self._keys(("input",), given, {"question", CHAT_HISTORY})
        if CHAT_HISTORY in given:
            self._history(("input", CHAT_HISTORY), given[CHAT_HISTORY])
        if "question" not in given:
            self._wrong(("input",), "question is missing")
            return ""
        return self._text(("input", "question"), given["question"], "question")

    def _asked(self, place: Place, asked: Asked) -> str:
        if asked.unreadable:
            self._wrong(place, f"no question can be read: {asked.unreadable}")
            return ""
        self._turns((*place, CHAT_HISTORY), asked.turns)
        return self._text(place, asked.question, "question")

    def _history(self, place: Place, given: Any) -> None:
        turns = read_history(given) if isinstance(given, list) else None
        if turns is None:
            self._wrong(place, 'is no list of turns such as {"role": "user", "content": "..."}')
        else:
            self._turns(place, turns)

    def _turns(self, place: Place, turns: Sequence[Turn]) -> None:
        if len(turns) > _MOST_TURNS:
            self._wrong(place, f"has {len(turns)} turns; at most {_MOST_TURNS} are allowed")
        for number, turn in enumerate(turns[:_MOST_TURNS]):
            self._text((*place, number), turn.text, "turn")
        self.turns = tuple(turns)

    def _id(self, element: Mapping[str, Any]) -> str:
        if element.get("id") is None:
            return question_id(self.question, self.turns) if self.question else ""
        item_id = self._text(("id",), element["id"], "id")
        if item_id and not self._lenient and not _ID.fullmatch(item_id):
            self._wrong(("id",), "may have letters, digits and . _ : - only, starting with a letter or digit")
        return item_id

    def _expected(self, element: Mapping[str, Any]) -> dict[str, Any]:
        place = ("expected_output",)
        expected = element.get("expected_output")
        if isinstance(expected, str):
            return {"response_facts": (self._text(place, expected, "fact"),)}
        if not isinstance(expected, Mapping):
            missing = "expected_output" not in element
            self._wrong(() if missing else place, "expected_output is missing" if missing else _expected_kind(expected))
            return {}
        self._keys(place, expected, {"trajectory", "search_term", "response_facts", "must_refuse"})
        facts = self._texts((*place, "response_facts"), expected.get("response_facts"), "fact", _MOST_FACTS)
        for number, fact in enumerate(facts):
            if fact and fact in facts[:number]:
                self._wrong((*place, "response_facts", number), "repeats another fact of this item")
        refuse = expected.get("must_refuse", False)
        if not isinstance(refuse, bool):
            self._wrong((*place, "must_refuse"), f"is {kind(refuse)}; expected true or false")
        elif refuse and facts:
            self._wrong((*place, "response_facts"), "an item that must be refused has no facts")
        elif not refuse and not facts and not expected.get("response_facts"):
            self._wrong(place, "has neither response_facts nor must_refuse: no answer could be scored")
        term = expected.get("search_term")
        return {
            "trajectory": self._texts((*place, "trajectory"), expected.get("trajectory"), "tool name", _MOST_STEPS),
            "search_term": None if term is None else self._text((*place, "search_term"), term, "search term"),
            "response_facts": facts,
            "must_refuse": refuse,
        }

    def _metadata(self, element: Mapping[str, Any]) -> dict[str, Any]:
        place = ("metadata",)
        given = element.get("metadata")
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            self._wrong(place, f"is {kind(given)}; expected an object")
            return {}
        rest = {key: value for key, value in given.items() if key not in ("slice", "origin")}
        if self._json(place, rest) and len(json.dumps(rest)) > _MOST_METADATA_CHARACTERS:
            self._wrong(place, f"is longer than {_MOST_METADATA_CHARACTERS} characters")
        slice_ = given.get("slice")
        if slice_ is not None and (not isinstance(slice_, str) or slice_ not in SLICES):
            self._wrong((*place, "slice"), f"{shown(slice_)} is no slice; expected one of {', '.join(SLICES)}")
            slice_ = None
        origin = given.get("origin")
        origin = None if origin is None else self._text((*place, "origin"), origin, "origin")
        if slice_ == "production" and origin not in (None, "production"):
            self._wrong((*place, "origin"), f"{shown(origin)} contradicts the slice production")
        # Either of the two says that the item is a regression test; a production item in another slice is fine.
        origin = origin or ("production" if slice_ == "production" else "authored")
        slice_ = slice_ or ("production" if origin == "production" else "happy_path")
        return {"slice": slice_, "origin": origin, "metadata": rest}

    def _text(self, place: Place, value: Any, what: str) -> str:
        """The text, or "" with a problem noted."""
        if not isinstance(value, str):
            self._wrong(place, f"is {kind(value)}; expected text")
        elif not value.strip():
            self._wrong(place, f"the {what} is empty")
        elif len(value) > LONGEST[what]:
            self._wrong(place, f"the {what} has {len(value)} characters; at most {LONGEST[what]} are allowed")
        elif _CONTROL.search(value) or _SURROGATE.search(value):
            self._wrong(place, f"the {what} has a control character or half a character: the file is damaged")
        else:
            return value
        return ""

    def _texts(self, place: Place, value: Any, what: str, most: int) -> tuple[str, ...]:
        if value is None:
            return ()
        if not isinstance(value, list):
            self._wrong(place, f"is {kind(value)}; expected a list of texts")
            return ()
        if len(value) > most:
            self._wrong(place, f"has {len(value)} entries; at most {most} are allowed")
            return ()
        return tuple(self._text((*place, number), one, what) for number, one in enumerate(value))

    def _json(self, place: Place, value: Any) -> bool:
        """Whether it can be written as JSON again: finite numbers, whole characters, not too deep."""
        open_values: list[tuple[Place, Any]] = [(place, value)]
        while open_values:
            at, one = open_values.pop()
            if len(at) > _DEEPEST_METADATA:
                self._wrong(at[:4], f"is nested more than {_DEEPEST_METADATA} deep")
                return False
            if isinstance(one, float) and not math.isfinite(one):
                self._wrong(at, "is not a finite number")
                return False
            if isinstance(one, str) and _SURROGATE.search(one):
                self._wrong(at, "has half a character: the file is damaged")
                return False
            if isinstance(one, Mapping):
                open_values += [((*at, key), inner) for key, inner in one.items()]
                open_values += [((*at, key), key) for key in one if _SURROGATE.search(str(key))]
            elif isinstance(one, list):
                open_values += [((*at, number), inner) for number, inner in enumerate(one)]
        return True

    def _keys(self, place: Place, given: Mapping[str, Any], known: set[str]) -> None:
        for key in given:
            if key not in known and not self._lenient:
                self._wrong((*place, key), f"unknown key; known are {', '.join(sorted(known))}")

    def _wrong(self, place: Place, message: str) -> None:
        self.problems.append((place, message))


def unfit(asked: Asked) -> str:
    """Why no golden item can hold what was asked, in words for people; empty when one can."""
    if asked.unreadable:
        return asked.unreadable
    check = ItemCheck(lenient=True)
    check._asked((), asked)  # noqa: SLF001 - the same rules, of the same module
    return check.problems[0][1] if check.problems else ""


def _expected_kind(value: Any) -> str:
    return f"is {kind(value)}; expected an object, or one fact as text"
