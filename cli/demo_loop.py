"""The second half of `flywheel demo`: users arrive, a failure is found, judged, harvested; the next push meets it."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.problems import CommandError

if TYPE_CHECKING:
    from cli.demo import Pushed
    from cli.session import Session
    from flywheel.ports import GateRow
    from local.reviewer import Case, Judgement
    from local.stack import StackInfo

USERS = (Path("dataset/personas.json"), Path("local/demo/personas.json"))
# Who arrives, and how many of their traces are reviewed: a reviewer's half hour.
TRAFFIC: Mapping[str, Any] = {
    "profile": "constant",
    "rate_per_minute": 150.0,
    "duration_s": 20.0,
    "seed": 7,
    "concurrency": 12,
    "think_s": 0.0,
}
REVIEWS = 30
_HARVESTS = 6
_GROWN_S = 120.0

# What is known to be right about the question that production answers wrong.
ASKED = "lambda function"
RIGHT = "A short-lived process must call flush before it exits, or the events still in the queue are lost."
_NOT_ANSWERED = "does not cover this question"

type Push = Callable[[str], "Pushed"]
type Say = Callable[[str], None]


@dataclass(slots=True)
class Loop:
    """`summary.json`, `loop`. `estimated_failure_rate`: low, point, high; None while there are too few reviews."""

    traffic: dict[str, Any] = field(default_factory=dict)
    sampled: int = 0
    budget: int = 0
    reviewed: int = 0
    flagged: int = 0
    dataset_before: int = 0
    dataset_after: int = 0
    duplicates_linked: int = 0
    rejected_by_new_item: bool = False
    repaired_promoted: bool = False
    estimated_failure_rate: tuple[float, float, float] | None = None
    pushes: list["Pushed"] = field(default_factory=list)


def decide(case: "Case") -> "Judgement":
    """The scripted reviewer: wrong is what is not answered; the case whose answer it knows is for the dataset."""
    from local.reviewer import Judgement  # noqa: PLC0415

    if _NOT_ANSWERED not in case.answer:
        return Judgement(correct=True)
    if ASKED not in case.question.lower():
        return Judgement(correct=False, comment="The documentation has more on this than the agent found.")
    return Judgement(correct=False, add_to_dataset=True, trajectory_confirmed=True, correction=RIGHT)
