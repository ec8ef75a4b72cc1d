"""A wish for an experiment, for another attempt at one, or for its end -> an event on the bus, a stopped execution."""

import json
import uuid
from typing import Any

from cli.experiment_input import GivenFile
from cli.problems import CommandError
from cli.session import Session
from flywheel.experiment_evidence import ExperimentEvidence
from flywheel.experiment_triggers import parse_experiment_trigger
from flywheel.ports import ExperimentRow


def request_experiment(session: Session, given: GivenFile) -> str:
    """Keep the file where the planner finds it and ask for the experiment; gives the id it will have."""
    needs_experiments(session)
    if given.body is not None:
        ExperimentEvidence(session.objects).save_file(given.file.name, given.body)
    return _send(session, {"file": given.file.name})


def resume(session: Session, row: ExperimentRow) -> int:
    """Ask for another attempt; gives its number.

    Raises:
        CommandError: it runs, completed, or was refused.
    """
    if row.outcome not in ("stopped", "broken"):
        state = "still runs" if row.outcome is None else f"is {row.outcome}"
        raise CommandError(f"experiment {row.experiment_id} {state}: only one that was stopped or broke goes on")
    _send(session, {"file": row.name, "resume": row.experiment_id})
    return row.attempt + 1


def stop(session: Session, row: ExperimentRow, reason: str) -> None:
    """Stop its execution; the event that follows ends the record and deletes the runtimes.

    Raises:
        CommandError: it has ended.
    """
    if row.status != "running":
        raise CommandError(f"experiment {row.experiment_id} has ended already: {row.outcome}")
    session.executions.stop(row.execution_arn, reason)


def print_started(experiment_id: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"experiment_id": experiment_id}))
        return
    print(f"asked for experiment {experiment_id}")
    print(f"next: flywheel experiment watch {experiment_id}")


def needs_experiments(session: Session) -> None:
    """Raise `CommandError` for a stack that was deployed before there were experiments: nobody would hear the event."""
    if session.facts.experiment_machine is None:
        raise CommandError(f"stack {session.facts.stack} has no state machine for experiments: deploy it again")


def _send(session: Session, more: dict[str, Any]) -> str:
    # EventBridge keeps whole seconds, and the experiment's id is made of this time.
    now = session.clock.now().replace(microsecond=0)
    detail = {"version": 1, "request_id": str(uuid.uuid4()), "reason": "cli", **more}
    # As the planner will read it.
    event = {
        "id": detail["request_id"],
        "time": now.isoformat(),
        "detail-type": "ExperimentRequested",
        "detail": detail,
    }
    trigger = parse_experiment_trigger(event)
    session.requests.send("ExperimentRequested", detail, now)
    return trigger.experiment_id
