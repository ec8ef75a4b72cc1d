"""A machine that waits for a token on the emulated Step Functions, and the adapter that wakes it."""

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from flywheel.adapters.stepfunctions import StepFunctionsCallbacks
from flywheel.errors import NotFoundError
from local.stack import StackInfo

ROLE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@dataclass
class Waiting:
    """A machine whose only task hands its token to a queue and waits for `limit_s` seconds."""

    queue_url: str
    machine: str

    def start(self, limit_s: float) -> str:
        started = boto3.client("stepfunctions").start_execution(
            stateMachineArn=self.machine, input=json.dumps({"limit_s": limit_s})
        )
        return str(started["executionArn"])

    def token(self) -> str:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            reply = boto3.client("sqs").receive_message(QueueUrl=self.queue_url, WaitTimeSeconds=1)
            for message in reply.get("Messages", []):
                return str(message["Body"])
        raise AssertionError("no token came")

    def ended(self, execution: str) -> dict[str, Any]:
        deadline = time.monotonic() + 10
        while (found := boto3.client("stepfunctions").describe_execution(executionArn=execution))[
            "status"
        ] == "RUNNING":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return dict(found)


def made(queue_url: str, role: str, **task: Any) -> Waiting:
    states = {
        "Wait": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Arguments": {"QueueUrl": queue_url, "MessageBody": "{% $states.context.Task.Token %}"},
            "TimeoutSeconds": "{% $states.input.limit_s %}",
            "Catch": [{"ErrorEquals": ["States.Timeout"], "Output": {"over": True}, "Next": "Over"}],
            "Next": "Over",
        }
        | task,
        "Over": {"Type": "Succeed"},
    }
    definition = {"QueryLanguage": "JSONata", "StartAt": "Wait", "States": states}
    machine = boto3.client("stepfunctions").create_state_machine(
        name=f"m-{uuid.uuid4().hex[:8]}", definition=json.dumps(definition), roleArn=role
    )
    return Waiting(queue_url, machine["stateMachineArn"])


@pytest.fixture
def role(aws: StackInfo) -> str:
    name = f"role-{uuid.uuid4().hex[:8]}"
    made = boto3.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(ROLE))
    return str(made["Role"]["Arn"])


@pytest.fixture
def queue_url(aws: StackInfo) -> Iterator[str]:
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName=f"q-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


def test_a_waiting_machine_goes_on_when_it_is_woken_and_its_token_works_once(queue_url: str, role: str) -> None:
    waiting = made(queue_url, role)
    execution = waiting.start(60)
    token = waiting.token()
    callbacks = StepFunctionsCallbacks.from_environment()

    callbacks.succeed(token)

    assert json.loads(waiting.ended(execution)["output"]) == {}
    with pytest.raises(NotFoundError) as closed:
        callbacks.succeed(token)
    assert token not in str(closed.value)


def test_a_machine_that_nobody_wakes_times_out_as_its_expression_says(queue_url: str, role: str) -> None:
    waiting = made(queue_url, role)
    started = time.monotonic()
    execution = waiting.start(1)
    token = waiting.token()

    assert json.loads(waiting.ended(execution)["output"]) == {"over": True}
    assert time.monotonic() - started < 5
    with pytest.raises(NotFoundError):
        StepFunctionsCallbacks.from_environment().succeed(token)


def test_the_token_of_a_stopped_execution_is_void(queue_url: str, role: str) -> None:
    waiting = made(queue_url, role)
    execution = waiting.start(60)
    token = waiting.token()

    boto3.client("stepfunctions").stop_execution(executionArn=execution)
    time.sleep(0.6)

    assert waiting.ended(execution)["status"] == "ABORTED"
    with pytest.raises(NotFoundError):
        StepFunctionsCallbacks.from_environment().succeed(token)


def test_what_cannot_pass_its_token_on_fails_instead_of_waiting(queue_url: str, role: str) -> None:
    task = {
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Arguments": {"FunctionName": "no-such-function", "Payload": {}},
    }
    waiting = made(queue_url, role, **task)

    assert waiting.ended(waiting.start(60))["status"] == "FAILED"
