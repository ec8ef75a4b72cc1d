"""Decoded JSON of an experiment's file, member by member -> typed values, with everything that is wrong and where."""

from collections.abc import Mapping
from typing import Any

from flywheel.domain.agent_parameters import NumberRange
from flywheel.domain.json_document import Place
from flywheel.domain.json_words import described, shown

_MOST_UNKNOWN = 10


class Reading:
    """Reads members of one file; `problems` grows by (place in the file, message).

    What is missing, null or wrong is given as None (or empty): with a problem nothing of the file is used.
    """

    def __init__(self) -> None:
        self.problems: list[tuple[Place, str]] = []

    def wrong(self, place: Place, message: str) -> None:
        self.problems.append((place, message))

    def keys(self, place: Place, given: Mapping[str, Any], known: set[str]) -> None:
        unknown = [key for key in given if key not in known]
        for key in unknown[:_MOST_UNKNOWN]:
            self.wrong((*place, key), f"unknown key {shown(key)}; known are {', '.join(sorted(known))}")
        if len(unknown) > _MOST_UNKNOWN:
            self.wrong(place, f"{len(unknown) - _MOST_UNKNOWN} more keys are unknown")

    def member(self, place: Place, given: Mapping[str, Any], key: str, known: set[str]) -> Mapping[str, Any]:
        """An object with no other keys than the known ones."""
        value = self.mapping((*place, key), given.get(key))
        self.keys((*place, key), value, known)
        return value

    def mapping(self, place: Place, value: Any) -> Mapping[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.wrong(place, f"is {described(value)}; expected an object")
            return {}
        return value

    def entries(self, place: Place, value: Any, most: int) -> list[Any]:
        """A list of 1 to `most` entries."""
        if value is None:
            return []
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            self.wrong(place, f"is {described(value)}; expected a list of 1 to {most}")
            return []
        return value

    def whole(self, place: Place, given: Mapping[str, Any], key: str, bounds: tuple[int, int]) -> int | None:
        allowed = NumberRange(*bounds, whole=True)
        value = self._within((*place, key), given.get(key), allowed)
        return None if value is None else int(value)

    def number(self, place: Place, given: Mapping[str, Any], key: str, bounds: tuple[float, float]) -> float | None:
        value = self._within((*place, key), given.get(key), NumberRange(*bounds, whole=False))
        return None if value is None else float(value)

    def flag(self, place: Place, given: Mapping[str, Any], key: str) -> bool | None:
        value = given.get(key)
        if value is None or isinstance(value, bool):
            return value
        self.wrong((*place, key), f"is {described(value)}; expected true or false")
        return None

    def text(self, place: Place, value: Any, longest: int) -> str:
        """One line of text that can be shown: no control characters, none that turn the line around."""
        if not isinstance(value, str):
            self.wrong(place, f"is {described(value)}; expected text")
        elif not 1 <= len(value) <= longest or value != value.strip():
            self.wrong(place, f"is {shown(value)}; expected 1 to {longest} characters with no space at either end")
        elif not value.isprintable():
            self.wrong(place, f"is {shown(value)}; expected printable characters only")
        else:
            return value
        return ""

    def texts(self, place: Place, value: Any, most: int, longest: int) -> tuple[str, ...] | None:
        """A list of different texts; None when there is none."""
        if value is None:
            return None
        found = [
            self.text((*place, number), one, longest) for number, one in enumerate(self.entries(place, value, most))
        ]
        seen: set[str] = set()
        for number, one in enumerate(found):
            if one and one in seen:
                self.wrong((*place, number), f"{shown(one)} is there already")
            seen.add(one)
        return tuple(found)

    def _within(self, place: Place, value: Any, allowed: NumberRange) -> float | None:
        if value is not None and not allowed.holds(value):
            self.wrong(place, f"is {described(value)}; expected {allowed}")
            return None
        return None if value is None else float(value)
