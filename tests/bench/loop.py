"""Figures of the loop; prints a table, writes `build/bench/loop.json`.

    python -m tests.bench.loop                  every section
    python -m tests.bench.loop webhook          only this one; the others' figures in the file stay

A section is a module `loop_<name>` beside this one whose `measure()` gives its figures by name.
Exit code 0: every section was measured and every goal is met.
"""

import argparse
import importlib
import json
import sys

from local.tools import ROOT
from tests.bench.goals import Goal, Result, results

OUTPUT = ROOT / "build" / "bench" / "loop.json"
SECTIONS = ("sampler", "harvest", "webhook")
GOALS = (
    Goal("sampler: requests per 1,000 traces", ("sampler", "requests_per_1000"), "at most", 1.1),
    Goal("sampler: the same with inputs and outputs", ("sampler", "requests_per_1000_with_io"), "at most", 6),
    Goal("sampler: selection, traces a second", ("sampler", "traces_per_s"), "at least", 20_000),
    Goal("sampler: peak memory", ("sampler", "peak_mb"), "at most", 512, " MB"),
    Goal("webhook: cold start over a bare handler's", ("webhook", "cold_over_bare"), "at most", 1.5, "x"),
)


def main(argv: list[str] | None = None) -> int:
    """Give 0 when everything asked for was measured and every goal of it is met, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.loop", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("section", nargs="*", choices=[*SECTIONS, []], help="default: all")
    wanted = parser.parse_args(argv).section or list(SECTIONS)
    figures = json.loads(OUTPUT.read_text()) if OUTPUT.exists() else {}
    broken = []
    for section in wanted:
        try:
            figures[section] = importlib.import_module(f"tests.bench.loop_{section}").measure()
        except Exception as error:  # noqa: BLE001 - whatever it was, it is said, and the others are measured
            print(f"{section}: not measured: {type(error).__name__}: {error}", file=sys.stderr)
            broken.append(section)
            continue
        for name, value in figures[section].items():
            print(f"{section + '.' + name:32} {value:>14,}", flush=True)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(figures, indent=2) + "\n")
    missed = [_shown(one) for one in results(GOALS, figures) if one.goal.path[0] in wanted]
    return 1 if broken or not all(missed) else 0


def _shown(result: Result) -> bool:
    goal = result.goal
    print(f"{goal.what}: {result.measured} ({goal.bound} {goal.limit:g}{goal.unit}): {result.word}")
    return result.met is True


if __name__ == "__main__":
    raise SystemExit(main())
