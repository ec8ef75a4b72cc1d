"""A JSONPath and a value -> the values it names. The part of JSONPath that mappings use: names, positions, `*`."""

import re
from typing import Any

# `.name`, `['name']`, `["name"]`, `[0]`, `[-1]`, `[*]`, `.*`
_STEP = re.compile(r"\.(\*|[\w-]+)|\[(?:'([^'\\]*)'|\"([^\"\\]*)\"|(-?\d{1,9})|(\*))\]")

type Step = str | int | None


def read_path(path: str) -> list[Step]:
    """Names, positions, None for `*`.

    Raises:
        ValueError: it does not start with `$`, or has what is not read here (filters, slices, `..`).
    """
    if not path.startswith("$"):
        raise ValueError('JSONPath expressions must start with "$".')
    steps: list[Step] = []
    position = 1
    while position < len(path):
        found = _STEP.match(path, position)
        if found is None:
            raise ValueError(f"The stand-in cannot read it from {path[position : position + 40]!r} on.")
        plain, single, double, number, every = found.groups()
        name = next((text for text in (plain, single, double) if text is not None), None)
        steps.append(int(number) if number else None if every or plain == "*" else name)
        position = found.end()
    return steps


def values_at(path: str, value: Any) -> list[Any]:
    """All that the path names in the value, in order; nothing when there is no such thing."""
    found = [value]
    for step in read_path(path):
        found = [inner for outer in found for inner in _inside(outer, step)]
    return found


def _inside(value: Any, step: Step) -> list[Any]:
    if isinstance(value, dict):
        if step is None:
            return list(value.values())
        return [value[step]] if isinstance(step, str) and step in value else []
    if isinstance(value, list):
        if step is None:
            return value
        if isinstance(step, str):
            step = int(step) if step.isascii() and step.isdigit() and len(step) < 10 else len(value)  # noqa: PLR2004
        return [value[step]] if -len(value) <= step < len(value) else []
    return []
