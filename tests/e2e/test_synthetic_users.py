"""Synthetic users on the deployed stack: several workers, one report; a letter of the schedule that is handed over."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import boto3

from flywheel.traffic import identity
from flywheel.traffic.reporting import read_report
from tests.e2e.agents import Told
from tests.e2e.system import System, wait_for


def test_workers_of_the_stack_send_users_and_a_letter_of_the_schedule_has_one_run(system: System, good: Told) -> None:
    assert system.gated(replace(good, mark="for synthetic users")).promoted

    load = ("--rate", "120", "--duration", "4", "--think", "0", "--seed", "5", "--max-usd", "100")
    done = system.run("traffic", "run", *load, "--fan-out", "2", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["stopped_by"], report["missing_parts"], report["errors"]) == ({"finished": 2}, [], {})
    assert report["arrivals"] == report["conversations"] > 0
    assert report["turns"] == report["latency"]["count"] > report["arrivals"]

    here = json.loads(system.run("traffic", "run", *load, "--json").stdout)
    assert here["turns"] == report["turns"]  # the same users at the same times, whoever sends them

    (schedule,) = [s for s in boto3.client("scheduler").list_schedules()["Schedules"] if s["Name"].endswith("-traffic")]
    target = boto3.client("scheduler").get_schedule(Name=schedule["Name"], GroupName=schedule["GroupName"])["Target"]
    letter = (
        target["Input"]
        .replace("<aws.scheduler.execution-id>", str(uuid.uuid4()))
        .replace("<aws.scheduler.scheduled-time>", "2026-11-25T10:00:00Z")
    )
    with _settings({"rate_per_minute": 60, "duration_s": 2, "seed": 6, "max_usd": 100}):
        first, second = (_ended(system, letter) for _ in range(2))
    assert (first["turns"] != 0, second["action"]) == (True, "skip")
    assert first["run_id"] == second["run_id"]
    assert read_report(system.evidence, str(first["run_id"])).turns == first["turns"]
    assert system.evidence.keys(identity.part_key(str(first["run_id"]), 0))


@contextmanager
def _settings(value: dict[str, object]) -> Iterator[None]:
    """Settings of traffic, which a new stack has none of."""
    parameters = boto3.client("ssm")
    parameters.put_parameter(Name="/flywheel/dev/traffic", Value=json.dumps(value), Type="String")
    try:
        yield
    finally:
        parameters.delete_parameter(Name="/flywheel/dev/traffic")


def _ended(system: System, said: str) -> dict[str, object]:
    """The output of one execution with that input."""
    machine = system.outputs["TrafficStateMachineArn"]
    execution = system.states.start_execution(stateMachineArn=machine, input=said)["executionArn"]
    wait_for("traffic has ended", lambda: system.execution(execution) != "RUNNING" or None)
    found = system.states.describe_execution(executionArn=execution)
    assert found["status"] == "SUCCEEDED", found
    output: dict[str, object] = json.loads(found["output"])
    return output
