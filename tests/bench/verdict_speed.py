"""Time and memory of the gate itself: a record, a look, 10,000 pairs over 50 slices, and its state as JSON.

`python -m tests.bench.verdict_speed` prints the figures. Time is the processor's, so that what else
runs on the machine does not count.
"""

import time
import tracemalloc
from random import Random
from typing import Any

from flywheel.domain.gate import GatePolicy, SequentialGate
from tests.bench.goals import Goal, results, table
from tests.bench.simulation import LOOK, POLICY, answers
from tests.bench.worlds import WORLDS, Truth

ROUNDS, GATES = 5, 15
PAIRS, MANY_SLICES, TRIALS = 10_000, 50, 20
# Nothing can be certified or refuted under these margins: the gate stays open to its cap.
_ENDLESS = GatePolicy(max_trials=TRIALS, margin=0.001, slice_margin=0.001, alpha=0.0001, slice_alpha=0.0001)
_WAVE = 50
LIMITS = (
    Goal("a record, looks left out", ("record_us",), "at most", 50, " us"),
    Goal("10,000 pairs, 50 slices: peak memory", ("large_peak_mb",), "at most", 256, " MB"),
)


def small() -> dict[str, float]:
    """Microseconds in gates of 120 items: of a record alone, of a look alone, of a pair with all that it causes.

    Each is the least of some rounds, as is usual: what else ran can only add.
    """
    rounds = [_round(number) for number in range(ROUNDS)]
    return {name: min(one[name] for one in rounds) for name in rounds[0]}


def _round(number: int) -> dict[str, float]:
    recording = looking = asking = 0.0
    records = looks = 0
    for gate_number in range(GATES):
        rng = Random(f"speed {number} {gate_number}")
        truth = WORLDS["equal"].draw(rng)
        gate = SequentialGate(POLICY, truth.slices, gate_number)
        open_still = True
        while open_still:
            started = time.process_time()
            pairs = gate.next_pairs(LOOK)
            asking += time.process_time() - started
            answered = [(pair.item_id, pair.trial, *answers(truth, pair, rng)) for pair in pairs]
            started = time.process_time()
            for item_id, trial, candidate, incumbent in answered:
                gate.record(item_id, trial, candidate, incumbent)
            recorded = time.process_time()
            open_still = gate.verdict().kind is None
            looking += time.process_time() - recorded
            recording += recorded - started
            records += len(pairs)
            looks += 1
    return {
        "record_us": recording / records * 1e6,
        "look_us": looking / looks * 1e6,
        "pair_us": (recording + looking + asking) / records * 1e6,
    }


def _large(rng: Random) -> tuple[SequentialGate, int]:
    items = PAIRS // TRIALS
    slices = {f"item-{number:04}": f"slice-{number % MANY_SLICES:02}" for number in range(items)}
    chances = {item: rng.betavariate(0.884, 0.156) for item in slices}
    truth = Truth(slices, chances, chances)
    gate = SequentialGate(_ENDLESS, slices, 0)
    pairs = 0
    while gate.verdict().kind is None and (wanted := gate.next_pairs(_WAVE)):
        for pair in wanted:
            gate.record(pair.item_id, pair.trial, *answers(truth, pair, rng))
        pairs += len(wanted)
    return gate, pairs


def large() -> dict[str, float]:
    """Ten thousand pairs over 50 slices, a look every 50, and the state that they leave.

    Raises:
        RuntimeError: the gate that was read is not the one that was written.
    """
    started = time.process_time()
    gate, pairs = _large(Random("large"))
    took_s = time.process_time() - started
    started = time.process_time()
    text = gate.to_json()
    written = time.process_time()
    read = SequentialGate.from_json(text)
    ended = time.process_time()
    if read != gate:
        raise RuntimeError("a gate that was written and read again is another one")
    return {
        "large_pairs": float(pairs),
        "large_s": took_s,
        "large_json_kb": len(text) / 1e3,
        "large_to_json_ms": (written - started) * 1e3,
        "large_from_json_ms": (ended - written) * 1e3,
    }


def peak_mb() -> float:
    """Memory of the same gate at its most. Watching it slows it down: a run of its own."""
    tracemalloc.start()
    _large(Random("large"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def measure(large_peak_mb: float) -> dict[str, float]:
    """Every figure but the memory, which `peak_mb` gives: that one may be measured while others work."""
    return {name: round(value, 2) for name, value in (small() | large() | {"large_peak_mb": large_peak_mb}).items()}


def lines(speed: dict[str, float]) -> str:
    return (
        f"{table(results(LIMITS, speed))}\n"
        f"a look: {speed['look_us']:.0f} us; a pair with its share of a look: {speed['pair_us']:.0f} us\n"
        f"{speed['large_pairs']:,.0f} pairs over {MANY_SLICES} slices: "
        f"{speed['large_s']:.2f} s, JSON {speed['large_json_kb']:.0f} kB, "
        f"written in {speed['large_to_json_ms']:.0f} ms, read in {speed['large_from_json_ms']:.0f} ms"
    )


def main() -> int:
    """Give 0 when every limit is met, else 1."""
    speed = measure(peak_mb())
    print(lines(speed))
    return 0 if met(speed) else 1


def met(speed: dict[str, Any]) -> bool:
    return all(result.met for result in results(LIMITS, speed))


if __name__ == "__main__":
    raise SystemExit(main())
