"""`python -m tests.bench`: every measurement, one after the other; the evaluate stage's takes most of the time.

Exit code 0: every measurement was done and every goal is met.
"""

import argparse
import sys
from collections.abc import Callable

from tests.bench import evaluate, gate, loop, packages, search, verdict


def main() -> int:
    """Give 0 when every goal is met, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out what takes minutes: side (a) at 100 items")
    quick = ["--quick"] if parser.parse_args().quick else []
    print("1. size and cold start of every function as it is deployed", flush=True)
    packaged = _done(packages.main)
    print("\n2. the gate's own overhead: push to published verdict, minus the evaluation", flush=True)
    measured = _done(lambda: gate.main([]))
    overhead = ["--gate-overhead-s", str(gate.OUTPUT)] if measured is not None else []
    print("\n3. the evaluate stage against the obvious alternatives", flush=True)
    evaluated = _done(lambda: evaluate.main([*quick, *overhead]))
    print("\n4. the verdict: error rates and costs in simulated worlds, and what the size of a wave costs", flush=True)
    simulated = _done(lambda: verdict.main([]))
    print("\n5. the loop: sampler, harvest, webhook", flush=True)
    looped = _done(lambda: loop.main([]))
    print("\n6. the search of an experiment, in simulated worlds", flush=True)
    searched = _done(lambda: search.main([]))
    done = {
        "packages": packaged,
        "gate": measured,
        "evaluate": evaluated,
        "verdict": simulated,
        "loop": looped,
        "search": searched,
    }
    words = {0: "every goal is met", 1: "a goal is MISSED", None: "NOT MEASURED"}
    print("\n" + "; ".join(f"{name}: {words[code]}" for name, code in done.items()))
    return 0 if all(code == 0 for code in done.values()) else 1


def _done(measure: Callable[[], int]) -> int | None:
    """Exit code of a measurement; None when it broke, which must not keep the others from being done."""
    try:
        return measure()
    except Exception as error:  # noqa: BLE001 - whatever it was, it is said, and the bench ends with 1
        print(f"not measured: {type(error).__name__}: {error}", file=sys.stderr)
        return None


if __name__ == "__main__":
    raise SystemExit(main())
