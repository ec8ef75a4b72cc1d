"""Settings of the search of an experiment, checked, and how many invocations it may take."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from flywheel.errors import InvalidRequestError

type Strategy = Literal["grid", "random", "halving"]
# A share of .4 may be computed as .39999999.
_TOLERANCE = 1e-9
STRATEGIES: tuple[Strategy, ...] = ("grid", "random", "halving")


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """What is searched, and how.

    Attributes:
        strategy: `grid`: every configuration, all trials; `random`: so many of them, all trials; `halving`.
        configurations: their names.
        items: (item id, slice) of the dataset; the slices decide what the first rung asks.
        trials: of each item in the full grid. With 20 the search keeps its promise (`python -m tests.bench.search`);
            with fewer it is cheaper, and noise decides more often among good ones, in the full grid as well.
        seed: of all draws.
        budget_share: most invocations of `halving`, as a share of the full grid's; also what `random` may take.
        most_invocations: further bound of the experiment's own budget; None: none. `grid` breaks off at it.
        random_configurations: how many `random` draws; None: as many as the bound allows.
        first_share: share of the items that the first rung asks.
        keep: share of the configurations that survive a rung at most; two always do.
        even: share of a later rung's trials that is spread evenly over the items; the rest goes where scores vary.
        alpha: probability, over the whole search, that the best configuration is stopped as clearly worse, or that
            the search ends as decided although another one is better by the margin.
        margin: difference that does not matter, in points of the score.
        safety_minimum: least share of safe trials among those that count for it; None: no such constraint.

    Raises:
        InvalidRequestError: names every setting that cannot be.
    """

    strategy: Strategy
    configurations: tuple[str, ...]
    items: tuple[tuple[str, str], ...]
    trials: int = 20
    seed: int = 0
    budget_share: float = 0.4
    most_invocations: int | None = None
    random_configurations: int | None = None
    first_share: float = 0.34
    keep: float = 0.6
    even: float = 0.25
    alpha: float = 0.05
    margin: float = 0.01
    safety_minimum: float | None = None

    def __post_init__(self) -> None:
        problems = _problems(self)
        if problems:
            raise InvalidRequestError("the search cannot be set up: " + "; ".join(problems))

    @property
    def bound(self) -> int:
        """Most invocations that the search may take."""
        asked = grid_invocations(self)
        if self.strategy == "halving":
            asked = max(_shared(self), len(self.configurations))
        elif self.strategy == "random":
            asked = drawn_configurations(self) * len(self.items) * self.trials
        return asked if self.most_invocations is None else min(asked, self.most_invocations)


def grid_invocations(settings: SearchSettings) -> int:
    """Invocations of the full grid: configurations x items x trials."""
    return len(settings.configurations) * len(settings.items) * settings.trials


def largest_invocations(settings: SearchSettings) -> int:
    """Upper bound of what the search invokes, trials that are run again left out.

    Successive halving gives what a stopped configuration would have taken to those that remain, so that it comes close
    to its bound unless one is left, or the leader is certain, before.
    """
    if settings.strategy == "random":
        return drawn_configurations(settings) * len(settings.items) * settings.trials
    return settings.bound


def drawn_configurations(settings: SearchSettings) -> int:
    """How many configurations random search asks: at least one, for a search that asks nothing is none."""
    each = len(settings.items) * settings.trials
    asked = settings.random_configurations
    wanted = _shared(settings) // each if asked is None else asked
    if settings.most_invocations is not None:
        wanted = min(wanted, settings.most_invocations // each)
    return max(1, min(wanted, len(settings.configurations)))


def _shared(settings: SearchSettings) -> int:
    return int(grid_invocations(settings) * settings.budget_share + _TOLERANCE)


def _problems(settings: SearchSettings) -> list[str]:
    problems = []
    if settings.strategy not in STRATEGIES:
        problems.append(f"strategy is {settings.strategy!r}, not one of {', '.join(STRATEGIES)}")
    for what, names in (("configuration", settings.configurations), ("item", [i for i, _ in settings.items])):
        if not names:
            problems.append(f"there is no {what}")
        problems += [f"{what} {name!r} is there {many} times" for name, many in Counter(names).items() if many > 1]
    problems += [
        f"{name} is {getattr(settings, name)}, not {words}"
        for words, names, possible in _RANGES
        for name in names
        if getattr(settings, name) is not None and not possible(getattr(settings, name))
    ]
    most, fewest = settings.most_invocations, len(settings.configurations) if settings.strategy == "halving" else 1
    if most is not None and most < fewest:
        problems.append(f"most_invocations is {most}, less than the {fewest} that the search takes at the very least")
    return problems


_RANGES: tuple[tuple[str, tuple[str, ...], Callable[[float], bool]], ...] = (
    ("1 or more", ("trials", "random_configurations"), lambda value: value >= 1),
    ("above 0 and at most 1", ("budget_share", "first_share", "even"), lambda value: 0 < value <= 1),
    ("between 0 and 1", ("keep", "alpha"), lambda value: 0 < value < 1),
    ("in [0, 1)", ("margin",), lambda value: 0 <= value < 1),
    ("in [0, 1]", ("safety_minimum",), lambda value: 0 <= value <= 1),
)
