"""Everything that the bus and the topic tell, kept in a queue while tests run."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import boto3

_RULE = "e2e-hears-everything"


@dataclass(slots=True)
class Announcements:
    """`events` and `letters` as they came; `heard` and `told` wait for those of one gate."""

    queue_url: str
    events: list[dict[str, Any]] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, bus: str, topic_arn: str) -> Self:
        """Listen to the bus and the topic from now on."""
        sqs, events = boto3.client("sqs"), boto3.client("events")
        url = sqs.create_queue(QueueName="e2e-announcements")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        told = {
            "Effect": "Allow",
            "Principal": {"Service": ["sns.amazonaws.com", "events.amazonaws.com"]},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [told]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        events.put_rule(Name=_RULE, EventBusName=bus, EventPattern=json.dumps({"source": ["flywheel"]}))
        events.put_targets(Rule=_RULE, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
        boto3.client("sns").subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
        return cls(url)

    def heard(self, kind: str, **detail: Any) -> dict[str, Any]:
        """The detail of the one event of that kind whose detail has these values."""
        return self._only(lambda: [e["detail"] for e in self._of(kind) if detail.items() <= e["detail"].items()], kind)

    def told(self, word: str) -> str:
        """The one letter that has this word in it."""
        return self._only(lambda: [letter for letter in self.letters if word in letter], f"a letter with {word}")

    def _of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["detail-type"] == kind]

    def _only[T](self, look: Callable[[], list[T]], what: str) -> T:
        deadline = time.monotonic() + 15
        while not look() and time.monotonic() < deadline:
            self._receive(1)
        while self._receive(0):  # a second one would be here by now
            continue
        found = look()
        assert len(found) == 1, f"{what}: {len(found)} times"
        return found[0]

    def _receive(self, wait_s: int) -> int:
        sqs = boto3.client("sqs")
        reply = sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_s)
        messages = reply.get("Messages", [])
        for message in messages:
            body = json.loads(message["Body"])
            if "detail-type" in body:
                self.events.append(body)
            else:
                self.letters.append(f"{body['Subject']}\n{body['Message']}")
            sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return len(messages)
