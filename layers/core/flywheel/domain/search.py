"""The search of an experiment: settings and measurements so far -> what to run next, what stopped and why; pure.

>>> settings = SearchSettings("halving", ("c01", "c02", "c03", "c04"), (("capital", "easy"), ("proof", "hard")))
>>> Search(settings).next([]).assignments[0]
Assignment(configuration='c01', item_id='capital', trial=1)
"""

from collections.abc import Mapping, Sequence

from flywheel.domain.exhaustive import exhaustive_step
from flywheel.domain.halving import Halving
from flywheel.domain.measured import measured
from flywheel.domain.search_settings import SearchSettings, Strategy, grid_invocations, largest_invocations
from flywheel.domain.search_step import Assignment, Measurement, Step, Stopped
from flywheel.errors import InvalidRequestError

__all__ = [
    "Assignment",
    "Measurement",
    "Search",
    "SearchSettings",
    "Step",
    "Stopped",
    "Strategy",
    "grid_invocations",
    "largest_invocations",
]

_NONE: Mapping[str, str] = {}


class Search:
    """Has no state: the same measurements give the same step, in whatever order they come."""

    def __init__(self, settings: SearchSettings) -> None:
        self._settings = settings

    def next(
        self,
        measurements: Sequence[Measurement],
        *,
        failed: Mapping[str, str] = _NONE,
        invocations_left: int | None = None,
    ) -> Step:
        """What to run after these measurements.

        A rung is decided once each of its trials is measured: those that are missing are asked for again. Who gives a
        trial up says so by a measurement without a score.

        Args:
            measurements: all of the experiment so far; the same one twice counts once.
            failed: configurations that cannot be asked -> why. One stops in the first rung that it did not complete.
            invocations_left: when the trials of the next rung are more than that, the search ends; None: no such limit.

        Raises:
            InvalidRequestError: see `measured`; or a failed configuration is not of this experiment.
        """
        found = measured(self._settings, measurements)
        unknown = sorted(set(failed) - set(self._settings.configurations))
        if unknown:
            raise InvalidRequestError(f"{', '.join(unknown)}: no configuration of this experiment")
        if self._settings.strategy == "halving":
            return Halving(self._settings, found, failed).step(invocations_left)
        return exhaustive_step(self._settings, found, failed, invocations_left)
