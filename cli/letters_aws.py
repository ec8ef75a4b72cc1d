"""The dead-letter queue and the places where its letters belong, on AWS."""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import batched
from typing import Any

import boto3
from botocore.exceptions import ClientError

from flywheel.adapters.awserrors import error_code, translated
from flywheel.domain.dead_letters import Addresses, Event, Letter
from flywheel.errors import TransientError

# Long enough to hand over all that were read; a command that is killed leaves them unreadable for that long.
_HIDDEN_S = 300
_BATCH = 10
_LARGEST_ASYNC = 262_144
_DONE = frozenset({"ExecutionAlreadyExists"})


class SqsLetterBox:
    """`LetterBox` on the stack's dead-letter queue, found by its name."""

    def __init__(self, queue: str) -> None:
        self._client: Any = boto3.client("sqs")
        with translated(f"sqs:GetQueueUrl {queue}"):
            self._url = self._client.get_queue_url(QueueName=queue)["QueueUrl"]
        self._handles: dict[str, str] = {}

    def read(self) -> list[Letter]:
        found: dict[str, Letter] = {}
        while True:
            with translated("sqs:ReceiveMessage"):
                reply = self._client.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=_BATCH,
                    VisibilityTimeout=_HIDDEN_S,
                    WaitTimeSeconds=1,  # asks every server of the queue: a short poll may come back empty
                    MessageAttributeNames=["All"],
                    AttributeNames=["SentTimestamp"],
                )
            messages = reply.get("Messages", [])
            if not messages:
                return sorted(found.values(), key=lambda letter: (letter.sent_at, letter.letter_id))
            for message in messages:
                self._handles[message["MessageId"]] = message["ReceiptHandle"]
                found[message["MessageId"]] = _letter(message)

    def give_back(self, letters: Iterable[Letter]) -> None:
        for batch in batched(letters, _BATCH, strict=False):
            entries = [
                {"Id": str(n), "ReceiptHandle": self._handles[letter.letter_id], "VisibilityTimeout": 0}
                for n, letter in enumerate(batch)
            ]
            with translated("sqs:ChangeMessageVisibility"):
                self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)

    def remove(self, letter: Letter) -> None:
        with translated("sqs:DeleteMessage"):
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=self._handles[letter.letter_id])


def _letter(message: dict[str, Any]) -> Letter:
    attributes = message.get("MessageAttributes", {})
    return Letter(
        letter_id=message["MessageId"],
        body=message["Body"],
        attributes={name: value.get("StringValue", "") for name, value in attributes.items()},
        sent_at=datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC),
    )


class AwsHandover:
    """`Handover` to functions, state machines and the stack's bus."""

    def __init__(self, bus: str) -> None:
        self._bus = bus

    def invoke(self, function: str, payload: str) -> None:
        if len(payload.encode()) > _LARGEST_ASYNC:
            raise TransientError(f"{function}: the event is larger than an asynchronous call may be")
        client: Any = boto3.client("lambda")
        with translated(f"lambda:Invoke {function}"):
            client.invoke(FunctionName=function, InvocationType="Event", Payload=payload.encode())

    def start(self, machine_arn: str, payload: str, name: str) -> None:
        client: Any = boto3.client("stepfunctions")
        with translated(f"states:StartExecution {name}"):
            try:
                client.start_execution(stateMachineArn=machine_arn, name=name, input=payload)
            except ClientError as error:
                if error_code(error) not in _DONE:
                    raise

    def put(self, event: Event) -> None:
        client: Any = boto3.client("events")
        entry = {"Source": event.source, "DetailType": event.detail_type, "Detail": event.detail}
        with translated(f"events:PutEvents {event.detail_type}"):
            reply = client.put_events(Entries=[entry | {"EventBusName": self._bus}])
        for answer in reply["Entries"]:
            if code := answer.get("ErrorCode"):
                raise TransientError(f"the bus {self._bus} refused {event.detail_type}: {code}")


def addresses(stack: str, bus: str) -> Addresses:
    """Functions and state machines of the stack, as CloudFormation lists them."""
    client: Any = boto3.client("cloudformation")
    functions: dict[str, str] = {}
    machines: dict[str, str] = {}
    with translated(f"cloudformation:ListStackResources {stack}"):
        for page in client.get_paginator("list_stack_resources").paginate(StackName=stack):
            for resource in page["StackResourceSummaries"]:
                physical, logical = resource.get("PhysicalResourceId", ""), resource["LogicalResourceId"]
                if resource["ResourceType"] == "AWS::Lambda::Function":
                    functions[physical.rpartition(":")[2]] = logical
                elif resource["ResourceType"] == "AWS::StepFunctions::StateMachine":
                    machines[physical] = logical
    return Addresses(functions, machines, bus)
