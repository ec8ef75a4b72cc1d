"""History of a gate's execution -> seconds in each state, and how many of them are not evaluation; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flywheel.ports import GateRow

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef

EVALUATION = "Evaluate Wave"
PUBLICATION = "Publish Verdict"
_SHOWN_S = 0.01


@dataclass(frozen=True, slots=True)
class Timeline:
    """One gate. `states`: seconds in each state of the machine, all its visits together, in the order of entry.

    `before_s`: from the accepted push to the first state.
    """

    verdict: str
    arms: int
    items: int
    total_s: float
    before_s: float
    states: Mapping[str, float]
    visits: Mapping[str, int]

    @property
    def evaluation_s(self) -> float:
        return self.states.get(EVALUATION, 0.0)

    @property
    def overhead_s(self) -> float:
        return self.total_s - self.evaluation_s

    def to_dict(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict,
            "arms": self.arms,
            "items": self.items,
            "total_s": self.total_s,
            "evaluation_s": self.evaluation_s,
            "overhead_s": self.overhead_s,
            "before_s": self.before_s,
            "states": dict(self.states),
            "visits": dict(self.visits),
        }


def timeline(
    history: Sequence["HistoryEventTypeDef"], top: frozenset[str], accepted: datetime, row: GateRow, items: int
) -> Timeline:
    """Add up an execution's history. `top` names the machine's own states: those inside a Map overlap each other.

    Raises:
        RuntimeError: the history has no end of the publication: the gate broke, there is nothing to measure.
    """
    states: dict[str, float] = {}
    visits: dict[str, int] = {}
    entered: datetime | None = None
    first: datetime | None = None
    published: datetime | None = None
    for event in history:
        if (start := event.get("stateEnteredEventDetails")) is not None and start["name"] in top:
            entered = event["timestamp"]
            first = first or entered
        elif (end := event.get("stateExitedEventDetails")) is not None and end["name"] in top and entered is not None:
            name = end["name"]
            states[name] = states.get(name, 0.0) + (event["timestamp"] - entered).total_seconds()
            visits[name] = visits.get(name, 0) + 1
            published = event["timestamp"] if name == PUBLICATION else published
    if first is None or published is None:
        raise RuntimeError(f"gate {row.gate_id} published no verdict; its execution is {row.execution_arn}")
    # The event leaves the registry before its answer arrives here: an execution may begin first.
    began = min(accepted, first)
    return Timeline(
        verdict=row.verdict or "",
        arms=len(row.arms),
        items=items,
        total_s=(published - began).total_seconds(),
        before_s=(first - began).total_seconds(),
        states=states,
        visits=visits,
    )


def describe(gate: Timeline) -> list[str]:
    """One line a state that took time."""
    named = [("push to first state", gate.before_s, 1)]
    named += [(name, spent, gate.visits[name]) for name, spent in gate.states.items() if spent >= _SHOWN_S]
    between = max(0.0, gate.total_s - sum(spent for _, spent, _ in named))  # -0.00 would be printed else
    named.append(("between states", between, 1))
    return [
        f"    {name:<22} {spent:6.2f} s" + (f"  ({visits} visits)" if visits > 1 else "")
        for name, spent, visits in named
    ]
