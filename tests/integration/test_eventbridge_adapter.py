"""Events on an emulated bus, and notifications on an emulated topic."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import boto3
import pytest

from flywheel.adapters.eventbridge import EventBridgeBus
from flywheel.adapters.sns import SnsNotifier
from flywheel.errors import FlywheelError
from local.stack import StackInfo


def received(queue: str, count: int) -> list[dict[str, Any]]:
    client, bodies = boto3.client("sqs"), list[dict[str, Any]]()
    for _ in range(20):
        reply = client.receive_message(QueueUrl=queue, WaitTimeSeconds=1, MaxNumberOfMessages=10)
        bodies += [json.loads(message["Body"]) for message in reply.get("Messages", [])]
        if len(bodies) >= count:
            break
    return bodies


def test_an_event_arrives_under_our_name_with_its_detail_and_the_time_that_it_was_given(aws: StackInfo) -> None:
    name = f"bus-{uuid4().hex[:8]}"
    events, sqs = boto3.client("events"), boto3.client("sqs")
    events.create_event_bus(Name=name)
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="all", EventBusName=name, EventPattern=json.dumps({"source": ["flywheel"]}))
    events.put_targets(Rule="all", EventBusName=name, Targets=[{"Id": "q", "Arn": arn}])
    try:
        EventBridgeBus.from_bus(name).publish(
            "GatePassed",
            {"version": 1, "gate_id": "g-1", "promoted": True},
            at=datetime(2026, 11, 23, 12, 0, 1, tzinfo=UTC),
        )
        (event,) = received(queue, 1)
        assert (event["source"], event["detail-type"]) == ("flywheel", "GatePassed")
        assert event["detail"] == {"version": 1, "gate_id": "g-1", "promoted": True}
        assert event["time"] == "2026-11-23T12:00:01Z"
    finally:
        events.remove_targets(Rule="all", EventBusName=name, Ids=["q"])
        events.delete_rule(Name="all", EventBusName=name)
        events.delete_event_bus(Name=name)
        sqs.delete_queue(QueueUrl=queue)


def test_a_notification_arrives_with_a_subject_that_sns_takes(aws: StackInfo) -> None:
    sns, sqs, name = boto3.client("sns"), boto3.client("sqs"), f"topic-{uuid4().hex[:8]}"
    topic = sns.create_topic(Name=name)["TopicArn"]
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    try:
        SnsNotifier.from_topic(topic).notify("PASS:\n v1 \u2603 " + "x" * 200, "Übergröße")
        (letter,) = received(queue, 1)
        assert letter["Message"] == "Übergröße"
        assert letter["Subject"].startswith("PASS: v1 ? xxx")
        assert len(letter["Subject"]) <= 100
    finally:
        sns.delete_topic(TopicArn=topic)
        sqs.delete_queue(QueueUrl=queue)


def test_a_topic_that_does_not_exist_is_named(aws: StackInfo) -> None:
    arn = f"arn:aws:sns:{aws.aws.region}:{aws.aws.account}:nowhere"
    with pytest.raises(FlywheelError, match="sns:Publish"):
        SnsNotifier.from_topic(arn).notify("s", "m")
