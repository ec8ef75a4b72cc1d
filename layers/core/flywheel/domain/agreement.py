"""Pass or fail as the judge and as people say -> Cohen's kappa with an interval.

Kappa (Cohen 1960) is the agreement beyond what two raters would reach by chance: 1 is full agreement, 0 is chance.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

from flywheel.domain.interval import Interval, Z


@dataclass(frozen=True, slots=True)
class Agreement:
    """Answers by who let them pass: both, the judge only, people only, neither."""

    both: int
    judge_only: int
    people_only: int
    neither: int

    @property
    def answers(self) -> int:
        return self.both + self.judge_only + self.people_only + self.neither

    @property
    def agreed(self) -> int:
        return self.both + self.neither

    def kappa(self) -> Interval | None:
        """Kappa of judge and people in [-1, 1] at 95 %.

        None where people let all answers pass, or none: nothing tells agreement from chance there. Agreement itself is
        never below kappa, so that a judge which agrees too seldom is seen without it.

        The interval is the one of Fleiss, Cohen and Everitt (1969) around a table with one more answer in each cell.
        On the table as it is, that large-sample interval has no width where judge and people never disagreed, and at
        30 answers it covers the true kappa 78 % of the time on average (26 % at worst). With the four answers more it
        covers 96 % (94 % at worst): exact sums over all tables, see the tests.
        """
        passed_by_people = self.both + self.people_only
        if passed_by_people in (0, self.answers):
            return None
        value, _ = _kappa(self.both, self.judge_only, self.people_only, self.neither)
        middle, error = _kappa(self.both + 1, self.judge_only + 1, self.people_only + 1, self.neither + 1)
        low, high = max(-1.0, middle - Z * error), min(1.0, middle + Z * error)
        return Interval(value, min(value, low), max(value, high))


def compare(answers: Iterable[tuple[bool, bool]]) -> Agreement:
    """Count answers, each given as (the judge lets it pass, people let it pass)."""
    counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for answer in answers:
        counts[answer] += 1
    return Agreement(counts[True, True], counts[True, False], counts[False, True], counts[False, False])


def _kappa(both: int, judge_only: int, people_only: int, neither: int) -> tuple[float, float]:
    """Kappa and its large-sample standard error; the table has answers of both kinds by one rater at least."""
    total = both + judge_only + people_only + neither
    diagonal = (both / total, neither / total)
    judge = ((both + judge_only) / total, (people_only + neither) / total)
    people = ((both + people_only) / total, (judge_only + neither) / total)
    chance = judge[0] * people[0] + judge[1] * people[1]
    kappa = (sum(diagonal) - chance) / (1 - chance)
    agreeing = sum(d * (1 - (j + p) * (1 - kappa)) ** 2 for d, j, p in zip(diagonal, judge, people, strict=True))
    differing = (1 - kappa) ** 2 * (
        judge_only / total * (people[0] + judge[1]) ** 2 + people_only / total * (people[1] + judge[0]) ** 2
    )
    centre = (kappa - chance * (1 - kappa)) ** 2
    return kappa, sqrt(max(0.0, agreeing + differing - centre) / total) / (1 - chance)
