"""Points of a plot -> places for their names that hide neither a point nor another name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

_CHARACTER, _LINE = 6.3, 11.0
_POINT = 6.0
# Where a name goes first: right, left, above, below, then the corners; then the same a little farther away.
_SIDES = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1))
_DISTANCES = (7.0, 15.0)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on the paper; (x, y) is its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    def meets(self, other: Self) -> bool:
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )

    def holds(self, other: Self) -> bool:
        return (
            self.x <= other.x
            and self.y <= other.y
            and other.x + other.width <= self.x + self.width
            and other.y + other.height <= self.y + self.height
        )


def place(points: Mapping[str, tuple[float, float]], paper: Box) -> dict[str, Box]:
    """Boxes for the names that find a place; the first names choose first, and one without a free place has none."""
    taken = [Box(x - _POINT, y - _POINT, 2 * _POINT, 2 * _POINT) for x, y in points.values()]
    found: dict[str, Box] = {}
    for name, (x, y) in points.items():
        for box in _places(name, x, y):
            if paper.holds(box) and not any(box.meets(other) for other in taken):
                found[name] = box
                taken.append(box)
                break
    return found


def _places(name: str, x: float, y: float) -> list[Box]:
    width = _CHARACTER * len(name)
    boxes = []
    for distance in _DISTANCES:
        for across, down in _SIDES:
            left = x + distance if across > 0 else x - distance - width if across < 0 else x - width / 2
            middle = y + down * distance
            boxes.append(Box(round(left, 2), round(middle - _LINE / 2, 2), width, _LINE))
    return boxes
