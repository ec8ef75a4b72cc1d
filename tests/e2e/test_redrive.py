"""An event that could not be handled waits in the dead-letter queue; handed over again, it has its effect, once."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest

from tests.e2e.agents import Told
from tests.e2e.system import System, wait_for


@pytest.fixture
def announcements(system: System) -> Iterator[str]:
    """URL of a queue that gets what the gate tells the bus."""
    name, events, sqs = f"e2e-{uuid.uuid4().hex[:8]}", boto3.client("events"), boto3.client("sqs")
    bus = system.outputs["EventBusName"]
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps({"source": ["flywheel"]}))
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "q", "Arn": arn}])
    yield url
    events.remove_targets(Rule=name, EventBusName=bus, Ids=["q"])
    events.delete_rule(Name=name, EventBusName=bus)
    sqs.delete_queue(QueueUrl=url)


def received(url: str) -> list[dict[str, Any]]:
    """All that is in a queue now; it is taken out."""
    sqs, bodies = boto3.client("sqs"), []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        for message in messages:
            bodies.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return bodies


def function_named(part: str) -> str:
    functions = boto3.client("lambda").list_functions()["Functions"]
    (name,) = [str(f["FunctionName"]) for f in functions if part in f["FunctionName"]]
    return name


def test_a_dead_letter_that_is_redriven_has_its_effect_once(system: System, good: Told, announcements: str) -> None:
    functions = boto3.client("lambda")
    retire = function_named("RetireCandidate")
    variables = functions.get_function_configuration(FunctionName=retire)["Environment"]["Variables"]
    digest = system.push(replace(good, delay_s=1.0, mark="redriven"))
    gate = system.gate_of(digest)
    wait_for("the first wave's shards", lambda: system.evidence.keys(f"gates/{gate.gate_id}/shards/"))

    # The status event cannot be handled: the function's settings are broken.
    functions.update_function_configuration(
        FunctionName=retire, Environment={"Variables": variables | {"STATE_TABLE": "no-such-table"}}
    )
    system.states.stop_execution(executionArn=gate.execution_arn)
    letters = wait_for("the dead letter", lambda: received(system.outputs["DeadLetterQueueUrl"]), 60.0)
    left_behind = system.short_lived_runtimes()

    # Mended, and handed over again as docs/operations.md says; then once more, by mistake.
    functions.update_function_configuration(FunctionName=retire, Environment={"Variables": variables})
    (letter,) = letters
    for _ in range(2):
        reply = functions.invoke(FunctionName=retire, Payload=json.dumps(letter["requestPayload"]))
        assert "FunctionError" not in reply, reply["Payload"].read()

    row = system.gates.get(gate.gate_id)
    told = [event for event in received(announcements) if event["detail"]["gate_id"] == gate.gate_id]
    assert letter["requestContext"]["condition"] == "RetriesExhausted"
    assert letter["requestPayload"]["detail"]["executionArn"] == gate.execution_arn
    assert left_behind
    assert system.short_lived_runtimes() == []
    assert row is not None
    assert (row.status, row.verdict, row.promoted) == ("ended", "INCONCLUSIVE", False)
    assert [event["detail-type"] for event in told] == ["GateInconclusive"]
