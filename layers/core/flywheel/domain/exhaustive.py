"""Full grid and random search: every configuration, or some drawn by chance, gets all its trials."""

from collections.abc import Mapping

from flywheel.domain.measured import Measured
from flywheel.domain.rungs import Draw, draw
from flywheel.domain.search_estimates import estimates, item_scores
from flywheel.domain.search_evidence import safe_share
from flywheel.domain.search_settings import SearchSettings, drawn_configurations
from flywheel.domain.search_step import Assignment, Step, Stopped

_TOLERANCE = 1e-9


def exhaustive_step(
    settings: SearchSettings, found: Measured, failed: Mapping[str, str], invocations_left: int | None
) -> Step:
    """The next pass over the dataset: rung n is trial n of every item, so that a search cut short is an even one."""
    remaining, stopped = _drawn(settings)
    left = settings.bound
    items = [item_id for item_id, _ in settings.items]
    passes = dict.fromkeys(settings.configurations, 0)

    def answer(rung: int, missing: tuple[Assignment, ...], finished: str | None) -> Step:
        tables = {
            name: item_scores(found, name, ((item, trial) for trial in range(1, passes[name] + 1) for item in items))
            for name in settings.configurations
        }
        best = _best(settings, found, remaining, tables, rung)
        return Step(rung, missing, tuple(stopped), tuple(remaining), finished, best, estimates(tables))

    for rung in range(1, settings.trials + 1):
        trials = [(item, rung) for item in items]
        for name in [n for n in remaining if n in failed and any(t not in found.trials[n] for t in trials)]:
            remaining.remove(name)
            stopped.append(Stopped(name, rung, "failed_to_deploy", f"it could not be asked: {failed[name]}", {}))
        if not remaining:
            return answer(rung, (), "none_left")
        missing = tuple(Assignment(n, *t) for t in trials for n in remaining if t not in found.trials[n])
        left -= len(trials) * len(remaining)
        if left < 0 or (missing and invocations_left is not None and len(missing) > invocations_left):
            return answer(rung, (), "budget")
        if missing:
            return answer(rung, missing, None)
        passes.update(dict.fromkeys(remaining, rung))
    return answer(settings.trials, (), "grid_done")


def _drawn(settings: SearchSettings) -> tuple[list[str], list[Stopped]]:
    """The configurations that are asked, and those that were not drawn."""
    if settings.strategy == "grid":
        return list(settings.configurations), []
    many = drawn_configurations(settings)
    order = sorted(settings.configurations, key=lambda name: draw(settings.seed, "configuration", name))
    chosen = set(order[:many])
    message = f"random search asks {many} of {len(order)} configurations, and it was not drawn"
    figures = {"drawn": float(many), "configurations": float(len(order))}
    others = [Stopped(n, 1, "not_drawn", message, figures) for n in settings.configurations if n not in chosen]
    return [name for name in settings.configurations if name in chosen], others


def _best(
    settings: SearchSettings,
    found: Measured,
    remaining: list[str],
    tables: Mapping[str, Mapping[str, list[float]]],
    passes: int,
) -> str | None:
    """The highest mean among those that reach the safety minimum; equal ones as in the settings."""
    rungs = [tuple(Draw((item_id, n), 1.0) for item_id, _ in settings.items) for n in range(1, passes + 1)]
    means = estimates({name: tables[name] for name in remaining})
    allowed = []
    for name in remaining:
        seen = None if settings.safety_minimum is None else safe_share(found, name, rungs)
        if seen is None or settings.safety_minimum is None or seen[0] >= settings.safety_minimum - _TOLERANCE:
            allowed.append(name)
    return max((name for name in allowed if name in means), key=means.__getitem__, default=None)
