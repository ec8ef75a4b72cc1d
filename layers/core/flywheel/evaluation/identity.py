"""Ids that are the same however often a trial is carried out: a repetition overwrites, it never adds."""

import hashlib
from dataclasses import dataclass

from flywheel.domain.experiment import parts_of_run
from flywheel.domain.outcome import Arm, TrialKey
from flywheel.domain.own_traffic import EXPERIMENT_TRACE, GATE_TRACE, Cause


def session_id(gate_id: str, key: TrialKey) -> str:
    """AgentCore session of one trial: at least 33 characters, at most 256, whatever the item's id is."""
    return f"{gate_id.replace('.', '-')}-{key.arm}-{_digest('session', gate_id, key)[:40]}"


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


@dataclass(frozen=True, slots=True)
class Labels:
    """What people see and filter by in Langfuse. `about` names in each score where it came from."""

    experiment_name: str
    description: str
    trace_name: str
    user_id: str
    tags: tuple[str, str, str]
    about: dict[str, str]


def labels(gate_id: str, arm: Arm, words: str = "") -> Labels:
    """Labels of one arm of a gate, or of one configuration of an experiment (which has the one arm only).

    What differs comes first in the experiment's name, since lists cut it; the ids behind it keep it the only one.
    `words` say what tells a configuration from the others.
    """
    run = parts_of_run(gate_id)
    if run is None:
        return Labels(
            experiment_name=f"{arm} {gate_id}",
            description=f"Gate {gate_id}, {arm}",
            trace_name=GATE_TRACE,
            user_id=Cause.GATE,
            tags=(Cause.GATE, gate_id, arm),
            about={"gate": gate_id, "arm": arm},
        )
    experiment, configuration = run
    return Labels(
        experiment_name=f"{words}, {configuration} {experiment}" if words else f"{configuration} {experiment}",
        description=f"Experiment {experiment}, configuration {configuration}" + (f": {words}" if words else ""),
        trace_name=EXPERIMENT_TRACE,
        user_id=Cause.EXPERIMENT,
        tags=(Cause.EXPERIMENT, experiment, configuration),
        about={"experiment": experiment, "configuration": configuration},
    )


def _digest(what: str, gate_id: str, key: TrialKey) -> str:
    parts = (what, gate_id, key.item_id, str(key.trial), key.arm)
    # Every part is preceded by its length, so that no two lists of parts read the same.
    return hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).hexdigest()
