"""A process killed at its n-th effect, before or after it happened: parts of a world, wrapped."""

from collections.abc import Callable, Iterable
from typing import Any, Literal

type Moment = Literal["before", "after"]


class ProcessKilled(BaseException):
    """Not an Exception: nothing in the product may catch it, as nothing catches a SIGKILL."""


class Killer:
    """Counts effects, and kills once at the `at`-th one. `at` 0 never kills."""

    def __init__(self, at: int = 0, moment: Moment = "before") -> None:
        self._at = at
        self._moment = moment
        self.effects: list[str] = []
        self.killed = False

    def effect(self, name: str, call: Callable[[], Any]) -> Any:
        self.effects.append(name)
        due = len(self.effects) == self._at and not self.killed
        self.killed = self.killed or due
        if due and self._moment == "before":
            raise ProcessKilled(name)
        result = call()
        if due:
            raise ProcessKilled(name)
        return result


class Guarded:
    """Stands for `part`; the named methods are effects. Everything else goes through."""

    def __init__(self, part: Any, effects: Iterable[str], killer: Killer, name: str) -> None:
        self._part = part
        self._effects = frozenset(effects)
        self._killer = killer
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._part, attribute)
        if attribute not in self._effects:
            return found
        label = f"{self._name}.{attribute}"
        return lambda *args, **kwargs: self._killer.effect(label, lambda: found(*args, **kwargs))
