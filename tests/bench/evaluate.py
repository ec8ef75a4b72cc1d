"""Measure the evaluate stage against the obvious alternatives, print the ratios, write `build/bench/evaluate.json`.

Sides, all with the same agent (an asynchronous sleep of 1 s), judge (0.3 s) and Langfuse stand-in, items of 2 facts:

- ours: the real handler of evaluate_shard, warm; and cold, from the start of its process
- (a) the original sample's way: run_experiment over one row per fact, synchronous, default concurrency
- (b) the limit: ceil(items / concurrency) x 1 s + 0.3 s, facts in parallel; computed, at the concurrency we used
- (c) the same SDK call, asynchronous, 50 workers

Window, for all of them: first dispatch (the agent is reached) to last score accepted (the stand-in answered). Cold:
from the start of the process to the last score accepted.
"""

import argparse
import json
import math
import os
import platform
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from flywheel.adapters.langfuse import LangfuseApi, LangfuseCredentials
from flywheel.adapters.langfuse_datasets import LangfuseDatasetStore
from tests.bench import scenario
from tests.bench.goals import OF_EVALUATION, OF_GATE, results, table
from tests.bench.machinery import PUBLIC_KEY, ROOT, SECRET_KEY, Servers, Worker, servers
from tests.bench.servers import AGENT_S, JUDGE_S

OUTPUT = ROOT / "build" / "bench" / "evaluate.json"
SIZES = (40, 100)


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. `window_s`: first dispatch to last score accepted."""

    window_s: float
    agent_calls: int
    judge_calls: int
    most_agents_at_once: int


@dataclass(frozen=True, slots=True)
class Shape:
    """How our side is laid out: shards in processes of their own, each with its concurrency."""

    shards: int
    concurrency: int

    def limit_s(self, items: int) -> float:
        return math.ceil(items / min(items, self.shards * self.concurrency)) * AGENT_S + JUDGE_S


def measured(side: Servers, started_s: float | None = None) -> Measured:
    """Read the servers' counters; `started_s` replaces the first dispatch (cold)."""
    agent, judge, scores = side.counts("agent"), side.counts("judge"), side.counts("langfuse")
    if scores["last_s"] is None or agent["first_s"] is None:
        raise RuntimeError("nothing was measured: the agent was not asked, or no score was accepted")
    start_s = agent["first_s"] if started_s is None else started_s
    return Measured(scores["last_s"] - start_s, agent["calls"], judge["calls"], agent["most_in_flight"])


def run_gate(side: Servers, workers: Sequence[Worker], gate_id: str, items: int) -> None:
    """One gate: every worker carries out one shard, all at once."""
    keys = scenario.write_gate(side, gate_id, items, len(workers))
    side.reset()
    for worker, key in zip(workers, keys, strict=True):
        worker.send({"gate_id": gate_id, "key": key})
    summaries = [worker.receive() for worker in workers]
    if (done := sum(summary["trials"] for summary in summaries)) != items or any(s["errored"] for s in summaries):
        raise RuntimeError(f"{done} of {items} trials done, {[s['errored'] for s in summaries]} errored")


def measure_ours(side: Servers, shape: Shape, items: int, folder: Path, repeats: int) -> dict[str, Any]:
    """Cold once with new processes, then warm `repeats` times in the same ones; the median counts."""
    environment = scenario.environment(side, shape.concurrency)
    with ExitStack() as stack:
        workers = [
            stack.enter_context(Worker("tests.bench.ours", environment, folder / "ours.log"))
            for _ in range(shape.shards)
        ]
        run_gate(side, workers, f"g-cold-{items}", items)
        cold = measured(side, min(worker.started_s for worker in workers))
        warm = []
        for number in range(repeats):
            run_gate(side, workers, f"g-warm-{items}-{number}", items)
            warm.append(measured(side))
    middle = sorted(warm, key=lambda run: run.window_s)[len(warm) // 2]
    return {"warm": asdict(middle), "warm_windows_s": [run.window_s for run in warm], "cold": asdict(cold)}


def measure_sdk(side: Servers, kind: str, items: int, folder: Path, repeats: int) -> dict[str, Any]:
    """Warm as well: a small run comes first in the same process."""
    environment = side.environment() | {"JUDGE_BASE_URL": f"{side.judge}/v1"}
    with Worker("tests.bench.sdk", environment, folder / "sdk.log") as worker:
        worker.ask({"side": kind, "items": 2})
        runs = []
        for _ in range(repeats):
            side.reset()
            worker.ask({"side": kind, "items": items})
            runs.append(measured(side))
    return {
        "warm": asdict(sorted(runs, key=lambda run: run.window_s)[len(runs) // 2]),
        "warm_windows_s": [run.window_s for run in runs],
    }


def measure_size(side: Servers, shape: Shape, items: int, folder: Path, *, with_sync: bool) -> dict[str, Any]:
    ours = measure_ours(side, shape, items, folder, repeats=3)
    print(f"  ours: {_described(ours)}; cold {ours['cold']['window_s']:.2f} s", flush=True)
    sdk_async = measure_sdk(side, "async", items, folder, repeats=3)
    print(f"  (c) SDK, asynchronous, 50 workers: {_described(sdk_async)}", flush=True)
    limit_s = shape.limit_s(items)
    warm_s = ours["warm"]["window_s"]
    result: dict[str, Any] = {
        "ours": ours,
        "sdk_async": sdk_async,
        "limit_s": limit_s,
        "over_sdk_async": sdk_async["warm"]["window_s"] / warm_s,
        "over_limit": warm_s / limit_s,
        "over_limit_cold": ours["cold"]["window_s"] / limit_s,
        "agent_calls_per_item": ours["warm"]["agent_calls"] / items,
    }
    if with_sync:
        sdk_sync = measure_sdk(side, "sync", items, folder, repeats=1)
        print(f"  (a) SDK, synchronous, default concurrency: {_described(sdk_sync)}", flush=True)
        result |= {"sdk_sync": sdk_sync, "over_sdk_sync": sdk_sync["warm"]["window_s"] / warm_s}
    return result


def gate_overhead_s(given: str | None) -> float | None:
    """Seconds from push to verdict minus evaluation: a number, or a JSON file that has it under that name."""
    if given is None:
        return None
    try:
        return float(given)
    except ValueError:
        return float(json.loads(Path(given).read_text("utf-8"))["gate_overhead_s"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Give 0 when every goal that was measured is met, else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="leave out side (a) at 100 items (it takes 5 minutes)")
    parser.add_argument("--shards", type=int, default=1, help="shards, each in a process of its own (default 1)")
    parser.add_argument("--concurrency", type=int, default=50, help="agents at once in one shard (default 50)")
    parser.add_argument("--gate-overhead-s", metavar="SECONDS|FILE", help="measured on a whole gate, written along")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args(arguments)
    shape = Shape(options.shards, options.concurrency)
    overhead_s = gate_overhead_s(options.gate_overhead_s)
    result: dict[str, Any] = {
        "machine": {"processors": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "shards": shape.shards,
        "concurrency": shape.shards * shape.concurrency,
        "quick": options.quick,
    }
    with tempfile.TemporaryDirectory(prefix="bench-") as name, servers(Path(name)) as side:
        folder = Path(name)
        datasets = LangfuseDatasetStore(LangfuseApi(LangfuseCredentials(side.langfuse, PUBLIC_KEY, SECRET_KEY)))
        datasets.ensure(scenario.DATASET)
        datasets.upsert(scenario.DATASET, scenario.items(max(SIZES)))
        scenario.write_settings(side)
        for items in SIZES:
            print(
                f"{items} items of {scenario.FACTS_OF_AN_ITEM} facts, {result['concurrency']} agents at once",
                flush=True,
            )
            with_sync = items != max(SIZES) or not options.quick
            result[f"items_{items}"] = measure_size(side, shape, items, folder, with_sync=with_sync)
    if overhead_s is not None:
        result["gate_overhead_s"] = overhead_s
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    for items in SIZES:
        print(f"{items} items: {_ratios(result[f'items_{items}'])}")
    found = results((*OF_EVALUATION, *OF_GATE), result)
    print(table(found))
    print(f"written to {options.output}")
    return 1 if any(one.met is False for one in found) else 0


def _described(side: dict[str, Any]) -> str:
    warm = side["warm"]
    return (
        f"{median(side['warm_windows_s']):.2f} s, {warm['agent_calls']} agent calls "
        f"(at most {warm['most_agents_at_once']} at once), {warm['judge_calls']} judge calls"
    )


def _ratios(size: dict[str, Any]) -> str:
    parts = [
        f"{size['over_sdk_sync']:.1f}x faster than (a)" if "over_sdk_sync" in size else "(a) not measured",
        f"{size['over_sdk_async']:.2f}x faster than (c)",
        f"{size['over_limit']:.2f}x the limit (b) of {size['limit_s']:.1f} s",
        f"cold {size['over_limit_cold']:.2f}x",
        f"{size['agent_calls_per_item']:g} agent call(s) an item",
    ]
    return ", ".join(parts)


if __name__ == "__main__":
    raise SystemExit(main())
