"""`make bench-verdict`: simulates the gate and the sampler, holds error rates and costs against limits.

Prints a table, writes `build/bench/verdict.json` and, as a picture, `build/bench/verdict.svg`.
Exit code 0: every row holds, every mutant is caught, and the gate is fast enough.
Example: python -m tests.bench.verdict --gates 100
"""

import argparse
import json
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from local.tools import ROOT
from tests.bench import verdict_speed
from tests.bench.verdict_chart import chart
from tests.bench.verdict_mutants import lines as mutant_lines
from tests.bench.verdict_rows import table
from tests.bench.verdict_sampler import sampler_rows
from tests.bench.verdict_study import study, wave_lines
from tests.bench.worlds import WORLDS

OUTPUT = ROOT / "build" / "bench" / "verdict.json"
PICTURE = OUTPUT.with_suffix(".svg")
GATES, WORKERS = 400, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Give 0 when every row holds, every mutant is caught and the gate is fast enough, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.verdict", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--gates", type=int, default=GATES, help=f"simulated gates of each world ({GATES})")
    parser.add_argument("--workers", type=int, default=WORKERS, help=f"processes ({WORKERS})")
    asked = parser.parse_args(arguments)
    started = time.perf_counter()
    with ProcessPoolExecutor(asked.workers) as pool:
        peak = pool.submit(verdict_speed.peak_mb)
        gate = study(pool, asked.gates)
        large_peak_mb = peak.result()
    gate_s = time.perf_counter() - started
    speed = verdict_speed.measure(large_peak_mb)
    print("days of traces, for the sampler", flush=True)
    sampled, sampled_mutants = sampler_rows(asked.workers)
    rows, mutants = [*gate.rows, *sampled], [*gate.mutants, *sampled_mutants]
    took_s = time.perf_counter() - started
    print(f"\n{table(rows)}\n\nmutants\n{mutant_lines(mutants)}\n\nwave sizes\n{wave_lines(gate.waves)}\n")
    print(f"speed\n{verdict_speed.lines(speed)}\n\n{gate_s:.0f} s for the gate, {took_s:.0f} s in all")
    written = {
        "rows": rows,
        "mutants": mutants,
        "worlds": gate.worlds,
        "waves": gate.waves,
        "speed": speed,
        "gates": asked.gates,
        "took_s": round(took_s, 1),
    }
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(written, indent=2) + "\n", "utf-8")
    PICTURE.write_text(chart(gate.worlds, {name: world.words for name, world in WORLDS.items()}), "utf-8")
    held = sum(row["holds"] for row in rows)
    caught = sum(mutant["caught"] for mutant in mutants)
    print(f"{held} of {len(rows)} rows hold, {caught} of {len(mutants)} mutants are caught")
    return 0 if held == len(rows) and caught == len(mutants) and verdict_speed.met(speed) else 1


if __name__ == "__main__":
    raise SystemExit(main())
