"""Measurements of an experiment -> a table of trials that can be asked for; hostile ones are refused."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

from flywheel.domain.search_settings import SearchSettings
from flywheel.domain.search_step import Measurement
from flywheel.errors import InvalidRequestError

type Trial = tuple[str, int]  # item, number from 1


@dataclass(frozen=True, slots=True)
class Measured:
    """`trials`: configuration -> trial -> what was measured of it."""

    trials: dict[str, dict[Trial, Measurement]]

    def score(self, configuration: str, trial: Trial) -> float | None:
        """None: not measured, or it says nothing."""
        found = self.trials[configuration].get(trial)
        return None if found is None else found.score


def measured(settings: SearchSettings, measurements: Iterable[Measurement]) -> Measured:
    """Sort what was measured; the same measurement twice counts once.

    Raises:
        InvalidRequestError: a configuration or an item is not of this search, a trial is less than 1, a score is
        outside
            [0, 1], or one trial has two different results: then nobody knows which of them decided earlier.
    """
    trials: dict[str, dict[Trial, Measurement]] = {name: {} for name in settings.configurations}
    items = {item_id for item_id, _ in settings.items}
    for one in measurements:
        own = trials.get(one.configuration)
        if own is None:
            raise InvalidRequestError(f"{one.configuration!r} is not a configuration of this experiment")
        if one.item_id not in items:
            raise InvalidRequestError(f"{one.item_id!r} is not an item of this experiment")
        if one.trial < 1:
            raise InvalidRequestError(f"{one} has no trial number from 1 on")
        if one.score is not None and not (isfinite(one.score) and 0 <= one.score <= 1):
            raise InvalidRequestError(f"{one} has a score outside [0, 1]")
        if own.setdefault((one.item_id, one.trial), one) != one:
            raise InvalidRequestError(
                f"trial {one.trial} of item {one.item_id!r} has two different results for {one.configuration!r}"
            )
    return Measured(trials)
