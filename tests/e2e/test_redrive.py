"""An event that could not be handled waits in the dead-letter queue; handed over again, it has its effect, once."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from flywheel.adapters.dynamodb_live import DynamoDbLiveLedger
from flywheel.domain.live_review import LiveReview
from flywheel.ports import GateRow
from local.reviewer import Judgement, ScriptedReviewer
from tests.e2e.agents import Told
from tests.e2e.breaking import Broken
from tests.e2e.system import System, wait_for
from tests.review_queues import live_queue, send_trace


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


def test_a_dead_letter_that_is_redriven_has_its_effect_once(
    system: System, good: Told, announcements: str, broken: Callable[[str], Broken]
) -> None:
    digest = system.push(replace(good, delay_s=1.0, mark="redriven"))
    gate = system.gate_of(digest)
    wait_for("the first wave's shards", lambda: system.evidence.keys(f"gates/{gate.gate_id}/shards/"))

    # The status event cannot be handled: the function's settings are broken.
    retire = broken("RetireCandidateFunction")
    system.states.stop_execution(executionArn=gate.execution_arn)
    letter_id = wait_for("the dead letter", lambda: retire.letter(system), 60.0)
    letter = json.loads(system.run("dead-letters", "show", letter_id, "--json").stdout)["body"]
    left_behind = system.short_lived_runtimes()
    shown = system.run("dead-letters", "redrive", letter_id, "--dry-run")

    # Mended, and handed over again; then once more, by mistake.
    retire.mend()
    redriven = system.run("dead-letters", "redrive", letter_id)
    wait_for("the clean-up", lambda: system.short_lived_runtimes() == [] or None)
    retire.invoke(letter["requestPayload"])
    row = wait_for("the end of the gate", lambda: ended(system, gate.gate_id))
    time.sleep(3.0)

    told = [event for event in received(announcements) if event["detail"].get("gate_id") == gate.gate_id]
    assert letter["requestContext"]["condition"] == "RetriesExhausted"
    assert letter["requestPayload"]["detail"]["executionArn"] == gate.execution_arn
    assert left_behind
    assert (shown.exit_code, redriven.exit_code) == (0, 0), redriven.output
    assert "would go to RetireCandidateFunction" in shown.stdout
    assert "taken by RetireCandidateFunction" in redriven.stdout
    assert retire.letter(system) is None
    assert system.short_lived_runtimes() == []
    assert (row.status, row.verdict, row.promoted) == ("ended", "INCONCLUSIVE", False)
    assert [event["detail-type"] for event in told] == ["GateInconclusive"]


def ended(system: System, gate_id: str) -> GateRow | None:
    row = system.gates.get(gate_id)
    return row if row is not None and row.status == "ended" else None


@pytest.mark.stand_in
def test_a_harvest_that_could_not_be_done_is_redriven_and_tells_of_each_review_once(
    system: System, announcements: str, broken: Callable[[str], Broken]
) -> None:
    langfuse, now = system.info.langfuse, datetime.now(UTC)
    ledger = DynamoDbLiveLedger.from_table(system.outputs["StateTableName"])
    with httpx.Client(base_url=langfuse.url, auth=(langfuse.public_key, langfuse.secret_key)) as http:
        trace, name = send_trace(http), f"live {uuid.uuid4().hex}"
        queue = live_queue(http, name, [trace])
        ledger.claim(
            LiveReview(trace, "callout", f"{now:%Y-%m-%d}", now, name), now=now, until=now + timedelta(hours=1)
        )
        ledger.settle(trace, queue, now=now)
        ScriptedReviewer(http).work(name, lambda _: Judgement(correct=True))

    harvest = broken("HarvestReviewsFunction")
    harvest.invoke({"source": "aws.scheduler"})
    letter_id = wait_for("the dead letter", lambda: harvest.letter(system), 90.0)
    harvest.mend()
    redriven = system.run("dead-letters", "redrive", letter_id)
    found = wait_for("the harvest", lambda: getattr(ledger.get(trace), "harvest", None))
    harvest.invoke({"source": "aws.scheduler"})
    time.sleep(5.0)

    told = [event for event in received(announcements) if event["detail"].get("trace_id") == trace]
    assert redriven.exit_code == 0, redriven.output
    assert (found.state, found.failed) == ("unflagged", False)
    assert [event["detail-type"] for event in told] == ["ReviewHarvested"]
    assert harvest.letter(system) is None


@pytest.mark.stand_in
def test_traces_that_were_called_out_while_the_sampler_was_broken_are_queued_once(
    system: System, broken: Callable[[str], Broken]
) -> None:
    langfuse = system.info.langfuse
    with httpx.Client(base_url=langfuse.url, auth=(langfuse.public_key, langfuse.secret_key)) as http:
        trace = send_trace(http)
    event = json.loads((Path(__file__).parents[2] / "events" / "traces_called_out.json").read_text())
    event["detail"] |= {"delivery_id": uuid.uuid4().hex, "items": [{"trace_id": trace}]}
    bus = {"EventBusName": system.outputs["EventBusName"], "Source": "flywheel", "DetailType": "TracesCalledOut"}

    sampler = broken("SampleTracesFunction")
    boto3.client("events").put_events(Entries=[bus | {"Detail": json.dumps(event["detail"])}])  # type: ignore[list-item]
    letter_id = wait_for("the dead letter", lambda: sampler.letter(system), 90.0)
    sampler.mend()
    redriven = system.run("dead-letters", "redrive", letter_id)
    wait_for("the trace in the queue", lambda: queued(system, trace))
    sampler.invoke(event)
    time.sleep(5.0)

    assert redriven.exit_code == 0, redriven.output
    assert queued(system, trace) == ["PENDING"]
    assert sampler.letter(system) is None


def queued(system: System, trace: str) -> list[str]:
    """Status of every item of the trace in the queue of live reviews."""
    queues = system.langfuse.get("annotation-queues", [("limit", 100)])["data"]
    live = [queue["id"] for queue in queues if queue["name"] == "flywheel live reviews"]
    items = [system.langfuse.get(f"annotation-queues/{queue}/items", [("limit", 100)])["data"] for queue in live]
    return [item["status"] for page in items for item in page if item["objectId"] == trace]
