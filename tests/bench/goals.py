"""Measured figures -> which goals they meet, as a table; pure."""

import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

type Bound = Literal["at least", "at most", "exactly", "above"]
_COMPARE = {"at least": operator.ge, "at most": operator.le, "exactly": operator.eq, "above": operator.gt}


def within(measured: float, bound: Bound, limit: float) -> bool:
    """Without tolerance."""
    return bool(_COMPARE[bound](measured, limit))


@dataclass(frozen=True, slots=True)
class Goal:
    """`path`: keys into the written figures."""

    what: str
    path: tuple[str, ...]
    bound: Bound
    limit: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """A goal and what was measured for it; None: it was not measured."""

    goal: Goal
    measured: float | None

    @property
    def met(self) -> bool | None:
        if self.measured is None:
            return None
        return within(self.measured, self.goal.bound, self.goal.limit)

    @property
    def word(self) -> str:
        return {True: "met", False: "MISSED", None: "not measured"}[self.met]


OF_EVALUATION = (
    Goal("100 items, faster than (a) SDK, synchronous", ("items_100", "over_sdk_sync"), "at least", 50, "x"),
    Goal("100 items, faster than (c) SDK, 50 workers", ("items_100", "over_sdk_async"), "at least", 1.6, "x"),
    Goal("100 items, time over the limit (b)", ("items_100", "over_limit"), "at most", 1.5, "x"),
    Goal("100 items, agent calls an item", ("items_100", "agent_calls_per_item"), "exactly", 1),
)
OF_GATE = (Goal("overhead of a warm gate", ("gate_overhead_s",), "at most", 20, " s"),)


def results(goals: Iterable[Goal], figures: Mapping[str, Any]) -> list[Result]:
    """Look every goal's figure up."""
    return [Result(goal, _at(figures, goal.path)) for goal in goals]


def _at(figures: Mapping[str, Any], path: tuple[str, ...]) -> float | None:
    value: Any = figures
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return None if value is None else float(value)


def table(found: Iterable[Result]) -> str:
    """One line a goal: what, measured, goal, met or missed."""
    rows = [
        (
            result.goal.what,
            "-" if result.measured is None else f"{result.measured:.2f}{result.goal.unit}",
            f"{result.goal.bound} {result.goal.limit:g}{result.goal.unit}",
            result.word,
        )
        for result in found
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
