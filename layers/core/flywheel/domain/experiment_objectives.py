"""What an experiment wants of a configuration: objectives to compare by, constraints to keep, the Pareto front."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf

from flywheel.domain.experiment import Constraints, ExperimentFile, ObjectiveName
from flywheel.domain.experiment_measures import ConfigurationFigures
from flywheel.domain.policy import TOLERANCE

type Figures = Mapping[str, ConfigurationFigures]


@dataclass(frozen=True, slots=True)
class Breach:
    """A constraint that is not kept. `observed` None: it was not measured, so that nobody knows."""

    constraint: str
    observed: float | None
    required: float


def front(points: Mapping[str, tuple[float, ...]]) -> tuple[str, ...]:
    """Names of the points that no other one beats: at most as large in every place, and smaller in one."""
    return tuple(
        name
        for name, own in points.items()
        if not any(all(a <= b for a, b in zip(other, own, strict=True)) and other != own for other in points.values())
    )


def pareto(figures: Figures) -> tuple[str, ...]:
    return front(
        {n: (-value_of("quality", f), value_of("latency", f), value_of("cost", f)) for n, f in figures.items()}
    )


def breaches_of(constraints: Constraints, found: ConfigurationFigures) -> tuple[Breach, ...]:
    least = {"safety": (constraints.safety, found.safety.value if found.safety else None)}
    most = {
        "error_rate": (constraints.error_rate, found.error_rate),
        "latency_p95_ms": (
            constraints.latency_p95_ms,
            found.latency_p95_ms.value if found.latency_p95_ms else None,
        ),
        "cost_per_item_usd": (
            constraints.cost_per_item_usd,
            found.cost_per_item_usd.value if found.cost_per_item_usd else None,
        ),
    }
    broken = [Breach(n, o, r) for n, (r, o) in least.items() if r is not None and (o is None or o < r - TOLERANCE)]
    broken += [Breach(n, o, r) for n, (r, o) in most.items() if r is not None and (o is None or o > r + TOLERANCE)]
    return tuple(broken)


def value_of(objective: ObjectiveName, found: ConfigurationFigures) -> float:
    """The estimate; what was not measured is the worst there is."""
    match objective:
        case "quality":
            return found.quality.value if found.quality else -inf
        case "latency":
            return found.latency_p50_ms.value if found.latency_p50_ms else inf
        case "cost":
            return found.cost_per_item_usd.value if found.cost_per_item_usd else inf


def best_of(objective: ObjectiveName, figures: Figures) -> float:
    values = [value_of(objective, found) for found in figures.values()]
    return max(values) if objective == "quality" else min(values)


def within(file: ExperimentFile, objective: ObjectiveName, best: float) -> Callable[[ConfigurationFigures], bool]:
    """Quality: in points; latency and cost: as a share of the best."""

    def holds(found: ConfigurationFigures) -> bool:
        value = value_of(objective, found)
        if objective == "quality":
            return value >= best - file.tolerance - TOLERANCE
        return value <= best * (1 + file.tolerance) + TOLERANCE

    return holds
