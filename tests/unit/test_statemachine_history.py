"""The history of a Standard execution ends at 25,000 events, and each call that is repeated adds three to it.

Counted from the machine itself: the largest experiment that may be planned, each of its calls repeated as often as the
machine repeats it after an error, and eight times for want of room.
"""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from flywheel.experiment_deployment import FIRST_WAIT_S, LATE, LATE_WAIT_S, LATER_WAIT_S, SOON
from flywheel.experiment_planning import MOST_RUNTIMES, MOST_SHARDS
from flywheel.experiment_retirement import WAIT_S
from flywheel.patience import WITHIN_S

ROOT = Path(__file__).parents[2]
EVENTS = 25_000
THROTTLED = 8
# TaskScheduled, TaskStarted, TaskFailed; a call that ends well has three as well, and its state is entered and left.
REPEATED, CALL, STATE = 3, 5, 2
ITERATION = 2  # begun, and ended
READY_TIMEOUT = timedelta(seconds=600)
DELETION = timedelta(minutes=5)
EXPERIMENT: dict[str, Any] = json.loads((ROOT / "statemachines" / "experiment.asl.json").read_text())["States"]


def repeats(state: dict[str, Any]) -> int:
    """How often a call may be repeated after an error, want of room apart."""
    rules = [rule for rule in state["Retry"] if "Lambda.TooManyRequestsException" not in rule["ErrorEquals"]]
    return sum(int(rule["MaxAttempts"]) for rule in rules)


def looks(total: timedelta, waits: list[tuple[timedelta, int]]) -> int:
    """How often something is looked at until `total` is over; each look takes a moment itself."""
    at, count = 0.0, 0
    while at <= total.total_seconds():
        wait = next((wait for until, wait in waits if at < until.total_seconds()), waits[-1][1])
        at += wait + WITHIN_S
        count += 1
    return count


def test_the_largest_experiment_fits_into_one_history_with_every_call_repeated() -> None:
    deploy = EXPERIMENT["Deploy Runtimes"]["ItemProcessor"]["States"]["Deploy Candidate"]
    retire = EXPERIMENT["Clean Up"]["ItemProcessor"]["States"]["Retire Candidate"]
    shard = EXPERIMENT["Evaluate Rung"]["ItemProcessor"]["States"]["Evaluate Shard"]
    look = CALL + 2 * STATE  # the call, the choice, the wait
    waits = [(SOON, FIRST_WAIT_S), (LATE, LATER_WAIT_S), (READY_TIMEOUT, LATE_WAIT_S)]
    begun = ITERATION + STATE
    deployed = begun + look * looks(READY_TIMEOUT, waits) + REPEATED * (repeats(deploy) + THROTTLED)
    retired = begun + look * looks(DELETION, [(DELETION, WAIT_S)]) + REPEATED * (repeats(retire) + THROTTLED)
    evaluated = begun + CALL + REPEATED * (repeats(shard) + THROTTLED)
    rungs = 40 * (look + 2 * STATE)
    total = MOST_RUNTIMES * (deployed + retired) + MOST_SHARDS * evaluated + rungs
    assert total < EVENTS, (deployed, retired, evaluated, total)
    assert evaluated > CALL + STATE + 30  # counted with repeats, not without
