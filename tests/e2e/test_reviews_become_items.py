"""What reviewers of production traces flag is in the golden dataset, by the stack's own function and its own rights."""

import json
import uuid
from datetime import UTC, datetime

import boto3
import httpx
import pytest

from flywheel.adapters.dynamodb_live import DynamoDbLiveLedger
from flywheel.domain.harvest import case_id
from flywheel.domain.live_review import LiveReview
from local.reviewer import Judgement, ScriptedReviewer
from tests.e2e.announcements import Announcements
from tests.e2e.system import DATASET, System
from tests.review_queues import live_queue, send_trace


@pytest.mark.stand_in
def test_a_flagged_review_is_harvested_once_and_announced(system: System, announcements: Announcements) -> None:
    queue_name = f"live {uuid.uuid4().hex[:8]}"
    langfuse = system.info.langfuse
    with httpx.Client(base_url=langfuse.url, auth=(langfuse.public_key, langfuse.secret_key)) as http:
        trace = send_trace(http, question="Where do I see the invoices of ann@example.org?")
        queue = live_queue(http, queue_name, [trace])
        now = datetime.now(UTC)
        ledger = DynamoDbLiveLedger.from_table(system.outputs["StateTableName"])
        row = LiveReview(trace, "sampled", f"{now:%Y-%m-%d}", now, queue_name, inclusion_probability=0.5)
        ledger.claim(row, now=now, until=now)
        ledger.settle(trace, queue, now=now)
        at_once = json.dumps({"settle_minutes": 0})
        setting = f"{system.outputs['SettingsPrefix']}/harvest"
        boto3.client("ssm").put_parameter(Name=setting, Value=at_once, Type="String", Overwrite=True)
        waiting = system.run("harvest", "run", "--json")
        assert waiting.exit_code == 0, waiting.output
        assert json.loads(waiting.stdout)["waiting"] >= 1
        judgement = Judgement(correct=False, add_to_dataset=True, correction="- On the billing page.")
        ScriptedReviewer(http).work(queue_name, lambda _: judgement)
        ran = [system.run("harvest", "run", "--json") for _ in range(2)]
    try:
        first, second = (json.loads(result.stdout) for result in ran)
        assert {"trace_id": trace, "state": "harvested", "item_id": case_id(trace)} in first["outcomes"]
        assert (first["announced"], second["announced"]) == ([case_id(trace)], [])
        items = {item.item_id: item for item in system.datasets.snapshot(DATASET).items}
        assert items[case_id(trace)].question == "Where do I see the invoices of <EMAIL_1>?"
        assert announcements.heard("GoldenDatasetGrown", dataset=DATASET)["item_ids"] == [case_id(trace)]
        assert announcements.heard("ReviewHarvested", trace_id=trace)["state"] == "harvested"
        shown = json.loads(system.run("harvest", "show", trace, "--json").stdout)
        assert (shown["state"], shown["reviewers"]) == ("harvested", ["scripted-reviewer"])
        assert system.run("harvest", "status").exit_code == 0
    finally:
        system.datasets.archive(DATASET, [case_id(trace)])
