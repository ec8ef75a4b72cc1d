"""Reading the dead-letter queue and handing letters over, on the emulator."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from cli.letters_aws import AwsHandover, SqsLetterBox
from flywheel.domain.dead_letters import Event
from flywheel.errors import FlywheelError, NotFoundError
from local.stack import StackInfo


@pytest.fixture
def queue(aws: StackInfo) -> Iterator[tuple[str, str]]:
    """Name and URL."""
    client, name = boto3.client("sqs"), f"letters-{uuid.uuid4().hex[:8]}"
    url = client.create_queue(QueueName=name)["QueueUrl"]
    yield name, url
    client.delete_queue(QueueUrl=url)


def test_letters_are_read_whole_given_back_and_removed(queue: tuple[str, str]) -> None:
    name, url = queue
    client = boto3.client("sqs")
    for number in range(23):
        attributes: Any = {"TARGET_ARN": {"DataType": "String", "StringValue": f"arn:{number}"}}
        client.send_message(QueueUrl=url, MessageBody=json.dumps({"n": number}), MessageAttributes=attributes)
    box = SqsLetterBox(name)
    letters = box.read()

    assert sorted(json.loads(letter.body)["n"] for letter in letters) == list(range(23))
    assert {letter.attributes["TARGET_ARN"] for letter in letters} == {f"arn:{n}" for n in range(23)}
    assert letters == sorted(letters, key=lambda letter: (letter.sent_at, letter.letter_id))
    assert SqsLetterBox(name).read() == []
    box.remove(letters[0])
    box.give_back(letters[1:])
    assert {letter.letter_id for letter in SqsLetterBox(name).read()} == {it.letter_id for it in letters[1:]}


def test_a_queue_that_is_not_there_is_told(aws: StackInfo) -> None:
    with pytest.raises(FlywheelError, match="nosuch"):
        SqsLetterBox("nosuch")


def test_an_event_reaches_the_bus_under_its_own_source(queue: tuple[str, str]) -> None:
    name, url = queue
    events, sqs = boto3.client("events"), boto3.client("sqs")
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.create_event_bus(Name=name)
    events.put_rule(Name=name, EventBusName=name, EventPattern=json.dumps({"source": ["flywheel"]}))
    events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "q", "Arn": arn}])
    AwsHandover(name).put(Event("flywheel", "GoldenDatasetGrown", '{"version": 1}'))
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    events.remove_targets(Rule=name, EventBusName=name, Ids=["q"])
    events.delete_rule(Name=name, EventBusName=name)
    events.delete_event_bus(Name=name)

    body = json.loads(message["Body"])
    assert (body["detail-type"], body["detail"]) == ("GoldenDatasetGrown", {"version": 1})


def test_what_is_not_there_takes_nothing(aws: StackInfo) -> None:
    handover = AwsHandover("nosuch")
    with pytest.raises(NotFoundError):
        handover.invoke("nosuch", "{}")
    with pytest.raises(FlywheelError):
        handover.start("arn:aws:states:us-east-1:000000000000:stateMachine:nosuch", "{}", "redrive-1")


def test_an_execution_of_one_name_is_started_once(aws: StackInfo) -> None:
    client: Any = boto3.client("stepfunctions")
    definition = {"StartAt": "Done", "States": {"Done": {"Type": "Pass", "End": True}}}
    name, iam = f"machine-{uuid.uuid4().hex[:8]}", boto3.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy)["Role"]["Arn"]
    arn = client.create_state_machine(name=name, definition=json.dumps(definition), roleArn=role)["stateMachineArn"]
    for _ in range(2):
        AwsHandover("any").start(arn, '{"a": 1}', "redrive-1")
    executions = client.list_executions(stateMachineArn=arn)["executions"]
    client.delete_state_machine(stateMachineArn=arn)
    iam.delete_role(RoleName=name)

    assert [execution["name"] for execution in executions] == ["redrive-1"]
