"""Releases one after another, and the outputs that gates have stored of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from flywheel.baselines import Baselines
from flywheel.domain.baselines import Baseline, tool_hash
from flywheel.domain.candidate import Candidate
from flywheel.domain.golden import GoldenItem, dataset_hash, item_hash
from flywheel.domain.outcome import TrialKey
from flywheel.domain.policy import GatePolicy
from flywheel.evaluation.instrument import judge_spec
from flywheel.ports import Head, Release
from tests.fakes.clock import NOON
from tests.fakes.state import InMemoryReleases
from tests.fakes.world import URI, golden_items, record

GATE = "g-20261101t000000-00000000"
JUDGE = judge_spec("judge.model-1", GatePolicy().choice_scores).version
TOOLS = tool_hash("https://mcp.test/mcp")


def configuration(letter: str) -> Candidate:
    """What is pushed as the digest of this hex digit, with the settings of `World`."""
    parameters = (("max_turns", 6), ("temperature", 0))
    return Candidate(URI, "sha256:" + letter * 64, "test.model-1", parameters=parameters)


def released(releases: InMemoryReleases, *letters: str) -> list[Release]:
    """Releases 1, 2, ... of these configurations; the last one is in production."""
    line = [
        Release(
            number,
            configuration(letter),
            f"g-20260101t00000{number}-00000000",
            "runtime-1",
            str(number),
            NOON + timedelta(seconds=number),
        )
        for number, letter in enumerate(letters, start=1)
    ]
    releases.history |= {release.release_no: release for release in line}
    releases.now_in_production = Head(line[-1])
    return line


def keep(
    baselines: Baselines,
    letter: str,
    *,
    trials: int = 3,
    gate: str = GATE,
    items: Sequence[GoldenItem] | None = None,
    score: Callable[[TrialKey], float | str] = lambda _: 1.0,
    **changes: Any,
) -> Baseline:
    """Store outputs of a configuration as a gate leaves them, under what `World` has today unless it is changed."""
    of = golden_items() if items is None else tuple(items)
    keys = [TrialKey(item.item_id, n, "incumbent") for item in of for n in range(1, trials + 1)]
    baseline = Baseline(
        configuration(letter).candidate_id,
        gate,
        dataset_hash(of),
        JUDGE,
        TOOLS,
        {item.item_id: item_hash(item) for item in of},
        tuple(record(key, score(key)) for key in keys),
    )
    baseline = replace(baseline, **changes)
    baselines.write(baseline)
    return baseline
