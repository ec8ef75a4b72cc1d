"""Ids that are the same however often a trial is carried out: a repetition overwrites, it never adds."""

import hashlib

from flywheel.domain.outcome import Arm, TrialKey


def session_id(gate_id: str, key: TrialKey) -> str:
    """AgentCore session of one trial: at least 33 characters, at most 256, whatever the item's id is."""
    return f"{gate_id}-{key.arm}-{_digest('session', gate_id, key)[:40]}"


def trace_id(gate_id: str, key: TrialKey) -> str:
    """W3C trace id: 32 hex digits, never all zero."""
    return _digest("trace", gate_id, key)[:32]


def root_span_id(gate_id: str, key: TrialKey) -> str:
    """Span that is the experiment's item: 16 hex digits."""
    return _digest("root", gate_id, key)[:16]


def fact_span_id(gate_id: str, key: TrialKey, position: int) -> str:
    """Span of the judgement of the item's fact number `position`."""
    return _digest(f"fact-{position}", gate_id, key)[:16]


def score_id(gate_id: str, key: TrialKey, name: str) -> str:
    """Id of the trial's score of that name; Langfuse takes a second post of it as an update."""
    return "s-" + _digest(f"score-{name}", gate_id, key)[:32]


def experiment_id(gate_id: str, arm: Arm) -> str:
    """Experiment of one arm, the same for all its shards: 16 hex digits, as Langfuse makes its own."""
    return hashlib.sha256(f"flywheel-experiment\0{gate_id}\0{arm}".encode()).hexdigest()[:16]


def experiment_name(gate_id: str, arm: Arm) -> str:
    """Name of the arm's experiment, as people see it in Langfuse."""
    return f"{gate_id} {arm}"


def _digest(what: str, gate_id: str, key: TrialKey) -> str:
    parts = (what, gate_id, key.item_id, str(key.trial), key.arm)
    # Every part is preceded by its length, so that no two lists of parts read the same.
    return hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).hexdigest()
