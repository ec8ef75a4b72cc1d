"""The sampler's part of `make bench-verdict`: days of traces, reviewed by the sampler and by the usual rules.

Alone: `python -m tests.bench.verdict_sampler`. Exit code 0: every row holds and every mutant is caught.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from random import Random
from statistics import fmean
from typing import Any

from flywheel.domain.sampled_traces import Trace
from flywheel.domain.sampling import Day, Totals, merge, pool, select, shard, totals
from tests.bench.goals import Bound
from tests.bench.review_rules import (
    NAIVE,
    Design,
    Reviewed,
    by_sampler,
    by_upstream_hash,
    stale_poisson,
    unweighted_mean,
    without_floor,
)
from tests.bench.sampler_figures import LIMITS, figures
from tests.bench.traffic import TRAFFIC_WORLDS, traffic
from tests.bench.verdict_mutants import lines
from tests.bench.verdict_rows import Row, table

WORKERS = 2
SAMPLER = "sampler"
SHARDS = 8
POOLED_DAYS = 4
DESIGNS = {
    SAMPLER: Design(),
    "unweighted mean": Design(estimate=unweighted_mean),
    "no uniform floor": Design(select=without_floor),
    "stale-rate Poisson selection": Design(select=stale_poisson),
    "the upstream sampler's unsalted hash": Design(select=by_upstream_hash),
}


@dataclass(frozen=True, slots=True)
class Block:
    """Some days out of the same traffic. `mutants` are tried on its first `mutant_days` days."""

    world: str
    number: int
    days: int
    budget: int = 200
    mutants: tuple[str, ...] = ()
    mutant_days: int = 0
    compares: bool = False


BLOCKS = (
    *(Block("auc-85", number, 25, compares=number < 2) for number in range(9)),
    Block("auc-85", 9, 25, mutants=("stale-rate Poisson selection",), mutant_days=10),
    *(Block("auc-75", number, 25) for number in range(2)),
    Block("noise", 0, 25, mutants=("no uniform floor",), mutant_days=25),
    *(Block("noise", number, 25, compares=number == 1) for number in range(1, 4)),
    *(
        Block("head-sampled", number, 40, budget=50, mutants=("the upstream sampler's unsalted hash",), mutant_days=40)
        for number in range(5)
    ),
)


@dataclass(frozen=True, slots=True)
class Days:
    """Days of a block, by rule; `changed`: selections that differ on rerun, in another order, or in eight shards."""

    block: Block
    by_rule: Mapping[str, Sequence[Reviewed]]
    changed: int


def simulate(block: Block) -> Days:
    """Run in a process of its own."""
    rng = Random(f"{block.world}-{block.number}")
    world = TRAFFIC_WORLDS[block.world]
    traces = traffic(world, rng)
    by_rule: dict[str, list[Reviewed]] = {rule: [] for rule in (SAMPLER, *NAIVE, *block.mutants)}
    changed = 0
    for number in range(block.days):
        day, key = traces.a_day(rng), f"{block.world}-{block.number}-{number}".encode()
        for name in (SAMPLER, *(block.mutants if number < block.mutant_days else ())):
            by_rule[name].append(by_sampler(DESIGNS[name], traces, day, block.budget, key))
        for rule, review in NAIVE.items():
            by_rule[rule].append(review(traces, day, block.budget, rng))
        if block.compares and number == 0:
            changed += _changed(traces.traces[day.start : day.stop], block.budget, key, rng)
    if block.world == "auc-85":
        # The sample is the sampler's: only what is concluded from it differs.
        mean = DESIGNS["unweighted mean"].estimate
        by_rule["unweighted mean"] = [
            Reviewed(one.truth, mean(one.sample, one.population), one.reviews, one.failures, one.rare, one.population)
            for one in by_rule[SAMPLER]
        ]
    return Days(block, by_rule, changed)


def _changed(traces: Sequence[Trace], budget: int, key: bytes, rng: Random) -> int:
    chosen = select(traces, budget, key)
    parts = [traces[start::SHARDS] for start in range(SHARDS)]
    population = sum((totals(part) for part in parts), Totals(0, 0, {}))
    others = (
        select(traces, budget, key),
        select(rng.sample(traces, len(traces)), budget, key),
        merge([shard(part, population, budget, key) for part in parts]),
    )
    return sum(other != chosen for other in others)


def sampler_rows(workers: int = WORKERS) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows and mutants, as `make bench-verdict` writes them; under a minute with two processes."""
    with ProcessPoolExecutor(workers) as processes:
        started: list[Future[Days]] = [processes.submit(simulate, block) for block in BLOCKS]
        found = [one.result() for one in started]
    by_world = {world: [days for days in found if days.block.world == world] for world in _worlds()}
    rows = [row for world, days in by_world.items() for row in _rows(world, days)]
    mutants = [judged(name, days) for world, days in by_world.items() for name in _mutants(days)]
    return [row.to_dict() for row in rows], mutants


def _worlds() -> list[str]:
    return list(dict.fromkeys(block.world for block in BLOCKS))


def _mutants(found: Sequence[Days]) -> list[str]:
    return [name for name in DESIGNS if name != SAMPLER and any(name in days.by_rule for days in found)]


def _days(found: Sequence[Days], rule: str) -> list[Reviewed]:
    return [day for days in found for day in days.by_rule.get(rule, ())]


def _rows(world: str, found: Sequence[Days]) -> list[Row]:
    budget, words = found[0].block.budget, TRAFFIC_WORLDS[world].words
    known = {rule: figures(_days(found, rule), budget) for rule in (SAMPLER, *NAIVE)}
    rows = [
        Row(
            words,
            limit.quantity,
            limit.observed(known[SAMPLER]),
            limit.bound,
            limit.limit,
            {rule: limit.observed(known[rule]) for rule in NAIVE if limit.figure not in _SAMPLER_ONLY},
        )
        for limit in LIMITS
        if limit.world == world
    ]
    if any(days.block.compares for days in found):
        changed = sum(days.changed for days in found)
        rows.append(Row(words, f"selections changed by rerun, order, {SHARDS} shards", changed, "exactly", 0, {}))
    if world == "head-sampled":
        rows += _pooled(words, found)
    return rows


# A rule without inclusion probabilities stands for nothing.
_SAMPLER_ONLY = {"misfit"}


def _pooled(words: str, found: Sequence[Days]) -> list[Row]:
    """Days of 50 reviews say too little one by one: four of them make one figure."""
    days = _days(found, SAMPLER)
    groups = [days[start : start + POOLED_DAYS] for start in range(0, len(days), POOLED_DAYS)]
    said = [pool([Day(day.sample, day.population) for day in group]).estimate for group in groups]
    truths = [fmean(day.truth for day in group) for group in groups]
    covered = [one is not None and one.low <= truth <= one.high for one, truth in zip(said, truths, strict=True)]
    widths = [100 * (one.high - one.low) if one is not None else 100.0 for one in said]
    singles = figures(days, found[0].block.budget)
    rows: tuple[tuple[str, float, Bound, float, float], ...] = (
        ("coverage, days of 50 reviews pooled", fmean(covered), "at least", 0.93, singles.coverage),
        ("width, days of 50 reviews pooled, points", fmean(widths), "at most", 5.6, singles.width),
    )
    return [Row(words, what, observed, bound, limit, {"one day": one}) for what, observed, bound, limit, one in rows]


def judged(name: str, found: Sequence[Days]) -> dict[str, Any]:
    """Caught: a row is missed that the sampler itself holds on the very same days."""
    tried = [days for days in found if name in days.by_rule]
    budget, world = tried[0].block.budget, tried[0].block.world
    mutant, own = (figures(_days(_same_days(tried, name), rule), budget) for rule in (name, SAMPLER))
    missed = [
        {
            "world": TRAFFIC_WORLDS[world].words,
            "quantity": limit.quantity,
            "observed": limit.observed(mutant),
            "bound": limit.bound,
            "limit": limit.limit,
            "sampler": limit.observed(own),
        }
        for limit in LIMITS
        if limit.world == world and limit.holds(own) and not limit.holds(mutant)
    ]
    return {"name": name, "caught": bool(missed), "missed_by": missed}


def _same_days(tried: Sequence[Days], name: str) -> list[Days]:
    return [
        Days(days.block, {rule: each[: len(days.by_rule[name])] for rule, each in days.by_rule.items()}, days.changed)
        for days in tried
    ]


def main() -> int:
    """Give 0 when every row holds and every mutant is caught, else 1."""
    started = time.perf_counter()
    rows, mutants = sampler_rows()
    print(f"{table(rows)}\n\nmutants\n{lines(mutants)}\n\n{time.perf_counter() - started:.0f} s")
    return 0 if all(row["holds"] for row in rows) and all(mutant["caught"] for mutant in mutants) else 1


if __name__ == "__main__":
    raise SystemExit(main())
