"""Scored pairs -> counts and means of each arm, over all and by slice."""

from dataclasses import dataclass
from typing import Any

from flywheel.domain.verdict import Errored

type Score = float | Errored


@dataclass(frozen=True, slots=True)
class Scored:
    """One complete pair. `incumbent` is None where there is none to compare with."""

    item_id: str
    slice: str
    candidate: Score
    incumbent: Score | None


def agent_erred(score: Score | None) -> bool:
    """The agent or its runtime failed; a judge's failure does not count."""
    return isinstance(score, Errored) and score.stage != "judge"


def judge_erred(score: Score | None) -> bool:
    return isinstance(score, Errored) and score.stage == "judge"


class ArmTally:
    """Trials of one arm so far."""

    __slots__ = ("errored", "judge_errored", "scored", "total")

    def __init__(self) -> None:
        self.scored = 0
        self.total = 0.0
        self.errored = 0
        self.judge_errored = 0

    def add(self, score: Score) -> None:
        if isinstance(score, Errored):
            if score.stage == "judge":
                self.judge_errored += 1
            else:
                self.errored += 1
        else:
            self.scored += 1
            self.total += score

    @property
    def mean(self) -> float | None:
        """Mean of the scores; None without any."""
        return self.total / self.scored if self.scored else None

    @property
    def judge_error_rate(self) -> float:
        """Share of the answers that the judge could not score."""
        reached = self.scored + self.judge_errored
        return self.judge_errored / reached if reached else 0.0

    def to_dict(self) -> dict[str, Any]:
        return {
            "mean": self.mean,
            "scored": self.scored,
            "errored": self.errored,
            "judge_errored": self.judge_errored,
        }
