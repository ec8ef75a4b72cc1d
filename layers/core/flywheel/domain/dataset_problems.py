"""What is wrong with a dataset, and where."""

from collections.abc import Sequence
from dataclasses import dataclass

from flywheel.errors import InvalidRequestError


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a dataset. `line` counts from 1, `item` from 0; None where there is no such place.

    `path` is the field inside the item, such as `expected_output.response_facts.2`.
    """

    line: int | None
    item: int | None
    path: str
    message: str

    def __str__(self) -> str:
        place = [f"line {self.line}"] if self.line is not None else []
        place += [f"item {self.item}"] if self.item is not None else []
        place += [self.path] if self.path else []
        return f"{', '.join(place)}: {self.message}" if place else self.message


class DatasetError(InvalidRequestError):
    """A dataset is wrong; `problems` holds everything that is, in the order of the file."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        most = 20
        lines = [f"{source}: {problem}" for problem in self.problems[:most]]
        lines += [f"{source}: ... and {len(self.problems) - most} more"] if len(self.problems) > most else []
        super().__init__("\n".join(lines))
