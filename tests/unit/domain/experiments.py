"""Small experiments for tests of their analysis: items, and trials with the scores that a test names."""

from collections.abc import Sequence

from flywheel.domain.candidate import Candidate
from flywheel.domain.experiment import Configuration
from flywheel.domain.golden import GoldenItem
from flywheel.domain.outcome import FactScore, Stage, TrialError, TrialKey, TrialRecord

ITEMS = tuple(
    GoldenItem(f"i{n}", f"Question {n}?", "adversarial" if n % 4 == 3 else "happy_path", response_facts=("a fact",))
    for n in range(12)
)


def trial(
    item: int,
    score: float | None,
    *,
    number: int = 1,
    latency_ms: int | None = 1000,
    cost_usd: float | None = 0.01,
    stage: Stage = "invoke",
) -> TrialRecord:
    """`score` None: an error of that stage."""
    key = TrialKey(f"i{item}", number, "candidate")
    if score is None:
        return TrialRecord(
            key, "errored", error=TrialError(stage, "timeout", "late"), latency_ms=5, trace_id=f"t{item}"
        )
    return TrialRecord(
        key,
        "answered",
        scores={"correctness": score},
        facts=(FactScore("a fact", "C", score),),
        latency_ms=latency_ms,
        cost_usd=cost_usd,
        trace_id=f"t{item}-{number}",
    )


def trials(scores: Sequence[float | None], latency_ms: int = 1000, cost_usd: float | None = 0.01) -> list[TrialRecord]:
    """One trial of each item, in order."""
    return [trial(n, score, latency_ms=latency_ms, cost_usd=cost_usd) for n, score in enumerate(scores)]


def configuration(name: str, **values: str) -> Configuration:
    return Configuration(name, values or {"model": name}, Candidate("r", "sha256:" + "ab" * 32, "m"), "r01")
