"""`python -m tests.bench.search`: simulates experiments, and holds what the search finds and costs against its goals.

Prints a table, writes `build/bench/search.json`. The worlds that are reported were not looked at while the search was
tuned: their seeds are 0 and up, tuning used 10,000 and up. Exit code 0: every goal is met.
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from math import fsum
from random import Random
from typing import Any

from flywheel.domain.dataset_file import parse_dataset
from flywheel.domain.exhaustive import exhaustive_step
from flywheel.domain.halving import Halving
from flywheel.domain.measured import measured
from flywheel.domain.search import Measurement, SearchSettings, grid_invocations
from local.tools import ROOT
from tests.bench.goals import Goal, results, table
from tests.bench.search_worlds import KINDS, Experiment, Item, Kind, experiment

OUTPUT = ROOT / "build" / "bench" / "search.json"
DATASET = ROOT / "dataset" / "golden.json"
WORLDS, WORKERS = 240, 2
POINT = 0.01
_NEVER = 1e-12

GOALS = (
    Goal("worlds", ("worlds",), "at least", 200),
    Goal("within 1 point of the best, share of worlds", ("within_1_point",), "at least", 0.95),
    Goal("invocations, share of the full grid", ("share_of_grid",), "at most", 0.4),
    Goal("the same, largest of any world", ("largest_share_of_grid",), "at most", 0.4),
)

# What is compared: changes of the settings. With fewer trials of an item than their 20, noise decides among the good
# ones more often, in the full grid as well.
OURS, GRID = "halving with racing", "full grid"
RULES: Mapping[str, Mapping[str, Any]] = {
    OURS: {},
    "plain halving: no racing, even trials": {"alpha": _NEVER, "even": 1.0},
    "random search at the same bound": {"strategy": "random"},
    GRID: {"strategy": "grid"},
    f"{OURS}, 12 trials": {"trials": 12},
    f"{GRID}, 12 trials": {"trials": 12, "strategy": "grid"},
    f"{OURS}, 8 trials": {"trials": 8},
    f"{GRID}, 8 trials": {"trials": 8, "strategy": "grid"},
    f"{OURS}, 4 trials": {"trials": 4},
    f"{GRID}, 4 trials": {"trials": 4, "strategy": "grid"},
}


HEAD = f"{'':38}  within 1 point  share of grid  largest  points lost"


@dataclass(frozen=True, slots=True)
class Found:
    """What one search did in one world. `lost`: points of the score between the best and the chosen configuration."""

    kind: Kind
    configurations: int
    lost: float
    invocations: int
    grid: int
    finished: str
    stopped: tuple[str, ...]

    @property
    def within(self) -> bool:
        return self.lost <= POINT

    @property
    def share(self) -> float:
        return self.invocations / self.grid


def dataset() -> tuple[Item, ...]:
    """The project's own items."""
    rows = parse_dataset(DATASET.read_bytes(), source=DATASET.name)
    return tuple(Item(row.item_id, row.slice, len(row.response_facts)) for row in rows)


def world(seed: int, items: tuple[Item, ...]) -> Experiment:
    return experiment(KINDS[seed % len(KINDS)], items, Random(f"experiment {seed}"))  # a text: the same everywhere


def searched(seed: int, items: tuple[Item, ...], changes: Mapping[str, Any]) -> Found:
    """Search one world to the end."""
    truth = world(seed, items)
    rows = tuple((item.item_id, item.slice) for item in items)
    usual = SearchSettings("halving", truth.configurations, rows, seed=seed)
    settings = replace(usual, **changes)
    by_id, rng = {item.item_id: item for item in items}, Random(f"trials {seed}")
    found, invocations = measured(settings, []), 0
    halving = Halving(settings, found, {})
    while True:
        # What `Search` does with all measurements each time, without doing again what is decided.
        step = exhaustive_step(settings, found, {}, None) if settings.strategy != "halving" else halving.step(None)
        if not step.assignments:
            break
        for one in step.assignments:
            score = truth.trial(one.configuration, by_id[one.item_id], rng)
            trial = Measurement(one.configuration, one.item_id, one.trial, score)
            found.trials[one.configuration][one.item_id, one.trial] = trial
            invocations += 1
    means = {name: truth.mean(name) for name in truth.configurations}
    lost = max(means.values()) - (means[step.best] if step.best else 0.0)
    codes = tuple(one.code for one in step.stopped)
    grid = grid_invocations(settings)
    return Found(truth.kind, len(means), lost, invocations, grid, step.finished or "", codes)


def figures(found: Sequence[Found]) -> dict[str, Any]:
    """Figures of one rule over all worlds."""
    stops = [code for one in found for code in one.stopped]
    return {
        "worlds": len(found),
        "within_1_point": _mean([one.within for one in found]),
        "share_of_grid": sum(one.invocations for one in found) / sum(one.grid for one in found),
        "mean_share_of_grid": _mean([one.share for one in found]),
        "largest_share_of_grid": max(one.share for one in found),
        "points_lost": 100 * _mean([one.lost for one in found]),
        "within_1_point_by_kind": {
            kind: _mean([one.within for one in found if one.kind == kind])
            for kind in KINDS
            if any(one.kind == kind for one in found)
        },
        "finished": {why: sum(one.finished == why for one in found) for why in sorted({o.finished for o in found})},
        "stopped": {code: stops.count(code) for code in sorted(set(stops))},
    }


def _mean(values: Sequence[float]) -> float:
    return fsum(values) / len(values)


def line(name: str, own: Mapping[str, Any]) -> str:
    """One rule's row; columns as in `HEAD`."""
    return (
        f"{name:38}  {own['within_1_point']:14.1%}  {own['share_of_grid']:13.1%}  {own['largest_share_of_grid']:7.1%}  "
        f"{own['points_lost']:11.2f}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Give 0 when every goal is met, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.search", description=__doc__)
    parser.add_argument("--worlds", type=int, default=WORLDS, help=f"simulated experiments ({WORLDS})")
    parser.add_argument("--first", type=int, default=0, help="seed of the first one (0)")
    parser.add_argument("--workers", type=int, default=WORKERS, help=f"processes ({WORKERS})")
    asked = parser.parse_args(arguments)
    started = time.perf_counter()
    items, seeds = dataset(), range(asked.first, asked.first + asked.worlds)
    rules: dict[str, dict[str, Any]] = {}
    print(HEAD)
    with ProcessPoolExecutor(asked.workers) as pool:
        for name, changes in RULES.items():
            found = pool.map(partial(searched, items=items, changes=changes), seeds, chunksize=4)
            rules[name] = figures(list(found))
            print(line(name, rules[name]), flush=True)
    ours = rules[OURS]
    written = {
        **ours,
        "rules": rules,
        "trials": SearchSettings("grid", ("c01",), (("i", "s"),)).trials,
        "first_seed": asked.first,
        "took_s": round(time.perf_counter() - started, 1),
    }
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(written, indent=2) + "\n", "utf-8")
    met = results(GOALS, written)
    print(f"\n{table(met)}\n\n{written['took_s']:.0f} s; written to {OUTPUT}")
    return 0 if all(result.met for result in met) else 1


if __name__ == "__main__":
    raise SystemExit(main())
