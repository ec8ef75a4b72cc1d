"""Verdicts for people -> an SNS topic."""

from typing import TYPE_CHECKING, Self

import boto3
from botocore.config import Config

from flywheel.adapters.awserrors import translated

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

_SUBJECT_LIMIT = 100


class SnsNotifier:
    """One topic."""

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    @classmethod
    def from_topic(cls, topic_arn: str) -> Self:
        return cls(boto3.client("sns", config=Config(retries={"mode": "standard", "total_max_attempts": 4})), topic_arn)

    def notify(self, subject: str, message: str) -> None:
        # A subject is printable ASCII on one line, under 100 characters: SNS refuses anything else.
        plain = subject.encode("ascii", "replace").decode()
        line = " ".join("".join(c if c.isprintable() else " " for c in plain).split())
        with translated("sns:Publish"):
            self._client.publish(TopicArn=self._topic_arn, Subject=line[: _SUBJECT_LIMIT - 1], Message=message)
