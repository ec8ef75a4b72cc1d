"""Every world, mutant, wave size and chain of releases, simulated -> rows and mutants of the gate."""

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from tests.bench import arrival, creep, naive
from tests.bench.simulation import LOOK, Figures, Setting, figures, simulate, spread
from tests.bench.verdict_gate import line
from tests.bench.verdict_mutants import MUTANTS, judged
from tests.bench.verdict_rows import LIMITS, Row, observed
from tests.bench.worlds import WORLDS

CHAINS = 60
LEAST_CREEP = -0.06
WAVES = (10, 25, 50, 100)
_WAVE_WORLDS = ("equal", "minus-10")
_PASS = "PASS share"


@dataclass(frozen=True, slots=True)
class Study:
    """`worlds` and `waves` are information beside the rows: not all of them are held against a limit."""

    rows: list[dict[str, Any]]
    mutants: list[dict[str, Any]]
    worlds: dict[str, dict[str, Any]]
    waves: list[dict[str, Any]]


def study(pool: Executor, gates: int) -> Study:
    """Simulate `gates` gates of each world, print its figures as they come."""
    settings = list(
        dict.fromkeys(
            [
                *(Setting(world) for world in WORLDS),
                *(limit.setting for limit in LIMITS),
                *(Setting(world, wave) for world in _WAVE_WORLDS for wave in WAVES),
                *(setting for mutant in MUTANTS for setting in mutant.settings),
            ]
        )
    )
    gated = {setting: spread(pool, simulate, setting, gates) for setting in settings}
    ruled = {world: spread(pool, naive.judge, world, gates) for world in WORLDS}
    arrivals = {kept: spread(pool, arrival.passes, ("minus-10", kept), gates) for kept in (True, False)}
    chained = {anchored: spread(pool, creep.chains, anchored, CHAINS) for anchored in (True, False)}
    ruled_chains = {rule: spread(pool, creep.naive_chains, rule, CHAINS) for rule in naive.RULES}

    found: dict[Setting, Figures] = {}
    for setting, outcomes in gated.items():
        found[setting] = figures(list(outcomes))
        print(line(_named(setting), found[setting]), flush=True)
    beside = {world: naive.shares(list(promoted)) for world, promoted in ruled.items()}
    in_order, as_they_come = (fmean(map(float, arrivals[kept])) for kept in (True, False))
    anchored, loose = (fmean(chained[kept]) for kept in (True, False))
    creeping = {f"{rule}: change": fmean(changes) for rule, changes in ruled_chains.items()}
    rows = [
        *(
            Row(
                WORLDS[limit.setting.world].words,
                limit.quantity,
                observed(limit, found[limit.setting]),
                limit.bound,
                limit.limit,
                beside[limit.setting.world],
            )
            for limit in LIMITS
        ),
        Row(
            "-10 points, failures arrive late, a look at every arrival",
            _PASS,
            in_order,
            "at most",
            0.05,
            {**beside["minus-10"], "as they arrive": as_they_come},
        ),
        Row(
            "ten releases of -3 points, with the anchor",
            "cumulative change",
            anchored,
            "above",
            LEAST_CREEP,
            {**creeping, "without the anchor: change": loose},
        ),
    ]
    mutants = [judged(mutant, found) for mutant in MUTANTS]
    mutants.append(_as_they_come(as_they_come))
    return Study(
        rows=[row.to_dict() for row in rows],
        mutants=mutants,
        worlds={world: asdict(found[Setting(world)]) | {"naive": beside[world]} for world in WORLDS},
        waves=[_wave(world, wave, found) for world in _WAVE_WORLDS for wave in WAVES],
    )


def _named(setting: Setting) -> str:
    changed = "".join(f" {name}={value:g}" for name, value in setting.changes)
    return setting.world + changed + ("" if setting.wave == LOOK else f" wave={setting.wave}")


def _as_they_come(share: float) -> dict[str, Any]:
    row = Row("-10 points, failures arrive late", _PASS, share, "at most", 0.05, {})
    return {
        "name": "results counted as they arrive",
        "caught": not row.holds,
        "missed_by": [] if row.holds else [row.to_dict()],
    }


def _wave(world: str, wave: int, found: Mapping[Setting, Figures]) -> dict[str, Any]:
    one = found[Setting(world, wave)]
    return {"world": world, "pairs_a_look": wave, "invocations": one.invocations, "looks": one.looks}


def wave_lines(waves: list[dict[str, Any]]) -> str:
    return "\n".join(
        f"  {wave['world']:<10} {wave['pairs_a_look']:>4} pairs a look: {wave['invocations']:5.0f} invocations, "
        f"{wave['looks']:5.1f} looks"
        for wave in waves
    )
