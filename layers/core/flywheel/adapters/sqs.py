"""Events that the bus did not take -> the dead-letter queue, in the form that PutEvents takes."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

import boto3
from botocore.config import Config

from flywheel.adapters.awserrors import translated
from flywheel.adapters.eventbridge import SOURCE

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class SqsDeadLetters:
    """A letter is one entry for `aws events put-events`: whoever redrives it hands it to the bus as it is."""

    def __init__(self, client: "SQSClient", queue_url: str, bus: str) -> None:
        self._client = client
        self._queue_url = queue_url
        self._bus = bus

    @classmethod
    def from_queue(cls, queue_url: str, bus: str, config: Config) -> Self:
        return cls(boto3.client("sqs", config=config), queue_url, bus)

    def keep(self, detail_type: str, detail: Mapping[str, object]) -> None:
        """Put the event into the queue.

        Raises:
            TransientError: the queue throttled or failed.
            FlywheelError: it refused the letter.
        """
        entry = {
            "EventBusName": self._bus,
            "Source": SOURCE,
            "DetailType": detail_type,
            "Detail": json.dumps(detail, allow_nan=False),
        }
        with translated(f"sqs:SendMessage {detail_type}"):
            self._client.send_message(QueueUrl=self._queue_url, MessageBody=json.dumps(entry))
