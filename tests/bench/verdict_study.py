"""Every world, mutant, wave size and chain of releases, simulated -> rows and mutants of the gate."""

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

CHAINS, LOOSE_CHAINS = 40, 20
LATE_MUTANT_GATES = 100
LEAST_CREEP = -0.06
WAVES = (10, 25, 50, 100)
_WAVE_WORLD, _PASS = "equal", "PASS share"


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
                *(Setting(_WAVE_WORLD, wave) for wave in WAVES),
                *(setting for mutant in MUTANTS for setting in mutant.settings),
            ]
        )
    )
    gated = {setting: spread(pool, simulate, setting, gates) for setting in settings}
    ruled = {world: spread(pool, naive.judge, world, gates) for world in WORLDS}
    in_order = spread(pool, arrival.passes, ("minus-10", True), gates)
    as_they_come = spread(pool, arrival.passes, ("minus-10", False), min(gates, LATE_MUTANT_GATES))
    anchored = spread(pool, creep.chains, True, CHAINS)  # noqa: FBT003 - what the pool hands on has a place only
    loose = spread(pool, creep.chains, False, LOOSE_CHAINS)  # noqa: FBT003
    ruled_chains = {rule: spread(pool, creep.naive_chains, rule, CHAINS) for rule in naive.RULES}

    found: dict[Setting, Figures] = {}
    for setting, outcomes in gated.items():
        found[setting] = figures(list(outcomes))
        print(line(_named(setting), found[setting]), flush=True)
    beside = {world: naive.shares(list(promoted)) for world, promoted in ruled.items()}
    late = fmean(map(float, as_they_come))
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
            fmean(map(float, in_order)),
            "at most",
            0.05,
            {**beside["minus-10"], "as they arrive": late},
        ),
        Row(
            "ten releases of -3 points, with the anchor",
            "cumulative change",
            fmean(anchored),
            "above",
            LEAST_CREEP,
            {**creeping, "without the anchor: change": fmean(loose)},
        ),
    ]
    mutants = [judged(mutant, found) for mutant in MUTANTS]
    mutants.append(_as_they_come(late))
    return Study(
        rows=[row.to_dict() for row in rows],
        mutants=mutants,
        worlds={world: asdict(found[Setting(world)]) | {"naive": beside[world]} for world in WORLDS},
        waves=[_wave(wave, found[Setting(_WAVE_WORLD, wave)]) for wave in WAVES],
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


def _wave(wave: int, one: Figures) -> dict[str, Any]:
    return {"world": _WAVE_WORLD, "pairs_a_look": wave, "invocations": one.invocations, "looks": one.looks}


def wave_lines(waves: list[dict[str, Any]]) -> str:
    return "\n".join(
        f"  {wave['world']}, {wave['pairs_a_look']:>3} pairs a look: {wave['invocations']:4.0f} invocations, "
        f"{wave['looks']:4.1f} looks"
        for wave in waves
    )
