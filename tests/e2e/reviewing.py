"""What reviewers do with a production trace of the deployed stack, up to the harvest that takes it over."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import boto3
import httpx

from flywheel.adapters.dynamodb_live import DynamoDbLiveLedger
from flywheel.domain.live_review import LiveReview
from local.reviewer import Judgement, ScriptedReviewer
from tests.e2e.system import System
from tests.review_queues import live_queue, send_trace


def flagged(
    system: System, question: str, correction: str | None, *, output: str = "For ever.", comment: str | None = None
) -> str:
    """A trace of that question in a queue of live reviews, judged wrong by a reviewer who corrects it; its id.

    `correction` None: the reviewer only clicks into the editor, which is filled with the output.
    """
    queue_name = f"live {uuid.uuid4().hex[:8]}"
    langfuse = system.info.langfuse
    setting = f"{system.outputs['SettingsPrefix']}/harvest"
    at_once = json.dumps({"settle_minutes": 0})
    boto3.client("ssm").put_parameter(Name=setting, Value=at_once, Type="String", Overwrite=True)
    with httpx.Client(base_url=langfuse.url, auth=(langfuse.public_key, langfuse.secret_key)) as http:
        trace = send_trace(http, raw=(json.dumps({"question": question}), output))
        queue = live_queue(http, queue_name, [trace])
        now = datetime.now(UTC)
        ledger = DynamoDbLiveLedger.from_table(system.outputs["StateTableName"])
        row = LiveReview(trace, "sampled", f"{now:%Y-%m-%d}", now, queue_name, inclusion_probability=0.5)
        ledger.claim(row, now=now, until=now)
        ledger.settle(trace, queue, now=now)
        assert harvest(system)["waiting"] >= 1
        judgement = Judgement(
            correct=False, add_to_dataset=True, correction=correction, clicked=correction is None, comment=comment
        )
        ScriptedReviewer(http).work(queue_name, lambda _: judgement)
    return trace


def harvest(system: System) -> dict[str, Any]:
    """One run of the harvest, by hand; its summary."""
    ran = system.run("harvest", "run", "--json")
    assert ran.exit_code == 0, ran.output
    summary: dict[str, Any] = json.loads(ran.stdout)
    return summary


def own_remarks(system: System, trace: str) -> list[str]:
    """What the harvest has written on a trace."""
    langfuse = system.info.langfuse
    with httpx.Client(base_url=langfuse.url, auth=(langfuse.public_key, langfuse.secret_key)) as http:
        query = {"objectType": "TRACE", "objectId": trace}
        found = http.get("/api/public/comments", params=query).raise_for_status().json()["data"]
    return [comment["content"] for comment in found if comment["content"].startswith("flywheel harvest ")]
