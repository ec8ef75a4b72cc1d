"""Values that the tests of the domain share: small, valid, and to be overridden."""

from flywheel.domain.candidate import Candidate
from flywheel.domain.golden import GoldenItem, Slice
from flywheel.domain.outcome import Arm, Stage, TrialError, TrialKey, TrialRecord
from flywheel.domain.policy import GatePolicy
from flywheel.domain.review import Chosen, Review

# Nothing but what a test asks for: no minima by slice, no budgets, any number of items.
BARE = GatePolicy(minima={}, slice_minima={}, minimum_items=1, latency_p95_ms=None, cost_per_item_usd=None)


def golden(item_id: str = "a", slice_: Slice = "happy_path", *, origin: str = "authored") -> GoldenItem:
    return GoldenItem(item_id, f"Question {item_id}?", slice_, origin, response_facts=("a fact",))


def answered(
    item_id: str = "a",
    score: float = 1.0,
    *,
    trial: int = 1,
    arm: Arm = "candidate",
    latency_ms: int | None = 100,
    cost_usd: float | None = 0.01,
) -> TrialRecord:
    scores = {"correctness": score}
    return TrialRecord(
        TrialKey(item_id, trial, arm), "answered", scores, answer="text", latency_ms=latency_ms, cost_usd=cost_usd
    )


def errored(item_id: str = "a", stage: Stage = "invoke", *, trial: int = 1, arm: Arm = "candidate") -> TrialRecord:
    latency_ms = 100 if stage == "judge" else None
    error = TrialError(stage, "timeout", "no answer in 60 s")
    return TrialRecord(TrialKey(item_id, trial, arm), "errored", error=error, latency_ms=latency_ms)


def review(
    item_id: str = "a",
    human: float = 1.0,
    judge: float = 1.0,
    *,
    trial: int = 1,
    arm: Arm = "candidate",
    chosen: Chosen = "random",
    gate_id: str = "g-1",
    judge_version: str = "j1",
) -> Review:
    moment = "2026-11-25T12:00:00+00:00"
    return Review(gate_id, item_id, trial, arm, "t", judge_version, judge, human, chosen, "person-1", moment)


def candidate_of(letter: str) -> Candidate:
    """A configuration that differs from others by its digest alone; `letter` is a hex digit."""
    return Candidate("111122223333.dkr.ecr.eu-west-1.amazonaws.com/agent", "sha256:" + letter * 64, "acme.large-v1:0")
