"""What a gate took is added up by state; evaluation is no overhead; a gate that broke is no measurement."""

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from flywheel.ports import GateArm, GateRow
from tests.bench.timeline import describe, timeline
from tests.fakes.clock import NOON

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef

TOP = frozenset({"Plan Gate", "Evaluate Wave", "Publish Verdict"})
ROW = GateRow(
    gate_id="g-1",
    execution_arn="arn:execution:1",
    trigger="ecr",
    started=NOON,
    requested_at=NOON.isoformat(),
    arms={"candidate": GateArm("fw_dev_1")},
    verdict="PASS",
)


def visit(name: str, begin_s: float, end_s: float, kind: str = "Task") -> "list[HistoryEventTypeDef]":
    """Events of one visit, as GetExecutionHistory gives them; seconds from noon."""
    entered = {"name": name, "input": "{}"}
    left = {"name": name, "output": "{}"}
    return [
        {
            "timestamp": NOON + timedelta(seconds=begin_s),
            "type": f"{kind}StateEntered",  # type: ignore[typeddict-item]
            "id": 1,
            "stateEnteredEventDetails": entered,  # type: ignore[typeddict-item]
        },
        {
            "timestamp": NOON + timedelta(seconds=end_s),
            "type": f"{kind}StateExited",  # type: ignore[typeddict-item]
            "id": 2,
            "stateExitedEventDetails": left,  # type: ignore[typeddict-item]
        },
    ]


HISTORY = [
    *visit("Plan Gate", 1.0, 2.0),
    *visit("Evaluate Wave", 2.0, 8.0, "Map"),
    *visit("Evaluate Wave", 8.5, 10.5, "Map"),
    *visit("Publish Verdict", 10.5, 11.0),
]


def test_evaluation_is_taken_off_what_the_gate_took() -> None:
    gate = timeline(HISTORY, TOP, NOON, ROW, 83)
    assert (gate.total_s, gate.evaluation_s, gate.overhead_s) == (11.0, 8.0, 3.0)
    assert (gate.verdict, gate.arms, gate.items) == ("PASS", 1, 83)


def test_visits_of_a_state_are_added_up() -> None:
    gate = timeline(HISTORY, TOP, NOON, ROW, 83)
    assert gate.states == {"Plan Gate": 1.0, "Evaluate Wave": 8.0, "Publish Verdict": 0.5}
    assert gate.visits["Evaluate Wave"] == 2
    assert gate.before_s == 1.0


def test_states_inside_a_map_are_part_of_the_map() -> None:
    [entered, left] = visit("Evaluate Wave", 2.0, 8.0, "Map")
    history = [
        *visit("Plan Gate", 1.0, 2.0),
        entered,
        *visit("Evaluate Shard", 2.5, 7.0),
        left,
        *visit("Publish Verdict", 8.0, 9.0),
    ]
    gate = timeline(history, TOP, NOON, ROW, 83)
    assert gate.evaluation_s == 6.0
    assert "Evaluate Shard" not in gate.states


def test_an_execution_that_began_before_the_registry_answered_is_measured_from_its_beginning() -> None:
    gate = timeline(HISTORY, TOP, NOON + timedelta(seconds=1.5), ROW, 83)
    assert (gate.before_s, gate.total_s) == (0.0, 10.0)


def test_a_gate_that_published_nothing_is_no_measurement() -> None:
    with pytest.raises(RuntimeError, match="arn:execution:1"):
        timeline(HISTORY[:-2], TOP, NOON, ROW, 83)


def test_the_breakdown_accounts_for_all_of_it() -> None:
    lines = describe(timeline(HISTORY, TOP, NOON, ROW, 83))
    assert [line.split("  ")[2].strip() for line in lines] == [
        "push to first state",
        "Plan Gate",
        "Evaluate Wave",
        "Publish Verdict",
        "between states",
    ]
    assert "8.00 s  (2 visits)" in lines[2]
    assert lines[-1].endswith("0.50 s")
