"""What goes into the search of an experiment, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Measurement:
    """One finished trial of one configuration on one item.

    `trial` counts from 1. `score`: the primary score in [0, 1]; an errored trial is 0. None says nothing: the judge
    failed, or the trial was given up. `safe`: None unless the item counts for the safety constraint.
    """

    configuration: str
    item_id: str
    trial: int
    score: float | None
    safe: bool | None = None


@dataclass(frozen=True, slots=True, order=True)
class Assignment:
    """A trial to run."""

    configuration: str
    item_id: str
    trial: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """A configuration that is not asked any more.

    `rung`: after which it was stopped, or in which, if it could not answer there. `code`: `clearly_worse`, `halved`,
    `unsafe`, `failed_to_deploy`, `not_drawn` (random search). `figures`: those that `message` names.
    """

    configuration: str
    rung: int
    code: str
    message: str
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Step:
    """The answer of the search to what was measured so far.

    Attributes:
        rung: number of the rung whose assignments follow, from 1; of the last one when the search is over.
        assignments: trials of this rung that are not measured yet; none: the search is over.
        stopped: all configurations stopped so far, in order.
        remaining: the others, in the order of the settings.
        finished: why the search is over: `decided` (nothing that remains beats the leader by the margin), `one_left`,
            `none_left`, `grid_done`, `rungs_done`, `budget` (the next rung does not fit into what is left).
        best: the leader among those that remain and are not below the safety minimum, so far; None: there is none yet.
        estimates: mean score over the dataset, of every configuration that has a score. Of one that was stopped it
            rests on fewer trials.
    """

    rung: int
    assignments: tuple[Assignment, ...]
    stopped: tuple[Stopped, ...]
    remaining: tuple[str, ...]
    finished: str | None
    best: str | None = None
    estimates: Mapping[str, float] = field(default_factory=dict)
