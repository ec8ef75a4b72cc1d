"""`python -m tests.bench.verdict_gate`: simulates worlds and prints what the gate makes of each.

Example: python -m tests.bench.verdict_gate --gates 400 --world equal --world minus-10 --policy '{"margin": 0.1}'
"""

import argparse
import json
import time
from concurrent.futures import Executor, ProcessPoolExecutor

from tests.bench.simulation import LOOK, Figures, Setting, figures, simulate, spread
from tests.bench.worlds import WORLDS

WORKERS = 2


def measure(pool: Executor, setting: Setting, gates: int) -> Figures:
    return figures(list(spread(pool, simulate, setting, gates)))


def line(name: str, found: Figures) -> str:
    reasons = ", ".join(f"{code} {count}" for code, count in found.reasons.items())
    return (
        f"{name:<24} PASS {found.passed:6.1%}  FAIL {found.failed:6.1%}  INCONCLUSIVE {found.inconclusive:6.1%}  "
        f"invocations {found.invocations:5.0f} (95 %: {found.invocations_p95:4.0f})  looks {found.looks:4.1f}  "
        f"{reasons}"
    )


def main() -> int:
    """Give 0: nothing is held against a limit here."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.verdict_gate", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--gates", type=int, default=400, help="gates of each world (400)")
    parser.add_argument("--world", action="append", choices=list(WORLDS), help="a world, several times; default: all")
    parser.add_argument("--wave", type=int, default=LOOK, help=f"pairs of a look ({LOOK})")
    parser.add_argument("--policy", type=json.loads, default={}, help="JSON: fields of the policy to replace")
    parser.add_argument("--workers", type=int, default=WORKERS, help=f"processes ({WORKERS})")
    asked = parser.parse_args()
    with ProcessPoolExecutor(asked.workers) as pool:
        for name in asked.world or WORLDS:
            started = time.perf_counter()
            found = measure(pool, Setting(name, asked.wave, tuple(asked.policy.items())), asked.gates)
            print(f"{line(name, found)} ({time.perf_counter() - started:.1f} s)", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
