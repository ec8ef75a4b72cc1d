"""The built webhook behind the emulator's Function URL, with the stand-in of Langfuse sending to it."""

import io
import json
import time
import uuid
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
import pytest

from flywheel.domain.signature import sign
from local.deploy import host_architecture
from local.langfuse.testing import running_stand_in
from local.stack import StackInfo
from tests.integration.test_local_emulator import make_role
from tests.packages import build, packages
from tests.unit.test_deliveries import PROMPT_VERSION

SECRET = "lf-whsec_" + "a1" * 32
TOKEN = "integration-token"


@dataclass
class Deployed:
    name: str
    url: str
    letters_url: str
    events_url: str
    role: str

    def events(self, count: int, wait_s: float = 20) -> list[dict[str, Any]]:
        return received(self.events_url, count, wait_s)

    def deny_the_bus(self) -> None:
        boto3.client("iam").put_role_policy(RoleName=self.role, PolicyName="deny", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "events:PutEvents", "Resource": "*"}]}
        ))  # fmt: skip

    def allow_the_bus(self) -> None:
        boto3.client("iam").delete_role_policy(RoleName=self.role, PolicyName="deny")

    def post(self, number: str) -> httpx.Response:
        body = json.dumps(PROMPT_VERSION | {"id": number}).encode()
        headers = {"content-type": "application/json", "x-langfuse-signature": sign(SECRET, body, int(time.time()))}
        return httpx.post(f"{self.url}/prompt-version", content=body, headers=headers, timeout=60)


def received(queue: str, count: int, wait_s: float) -> list[dict[str, Any]]:
    client, found = boto3.client("sqs"), list[dict[str, Any]]()
    deadline = time.monotonic() + wait_s
    while len(found) < count and time.monotonic() < deadline:
        for message in client.receive_message(QueueUrl=queue, WaitTimeSeconds=1, MaxNumberOfMessages=10).get(
            "Messages", []
        ):
            found.append(json.loads(message["Body"]))
            client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return found


def archive() -> bytes:
    """The function and its layer in one: what Lambda has on its path."""
    (package,) = [one for one in packages(build(host_architecture())) if one.name == "LangfuseWebhookFunction"]  # type: ignore[arg-type]
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for root in map(Path, reversed(package.path())):
            for path in root.rglob("*"):
                if path.is_file():
                    file.write(path, path.relative_to(root))
    return zipped.getvalue()


@pytest.fixture(scope="module")
def package() -> bytes:
    return archive()


@pytest.fixture
def deployed(aws: StackInfo, package: bytes) -> Iterator[Deployed]:
    name = f"webhook-{uuid.uuid4().hex[:8]}"
    sqs, events, ssm = boto3.client("sqs"), boto3.client("events"), boto3.client("ssm")
    table, functions = boto3.client("dynamodb"), boto3.client("lambda")
    table.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip
    letters_url = sqs.create_queue(QueueName=f"{name}-letters")["QueueUrl"]
    events_url = sqs.create_queue(QueueName=f"{name}-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=events_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.create_event_bus(Name=name)
    events.put_rule(Name="all", EventBusName=name, EventPattern=json.dumps({"source": ["flywheel"]}))
    events.put_targets(Rule="all", EventBusName=name, Targets=[{"Id": "q", "Arn": arn}])
    for sender in ("prompt-version", "monitor-alert", "remote-experiment"):
        ssm.put_parameter(Name=f"/{name}/webhook-secrets/{sender}", Type="SecureString", Value=f"{SECRET},old")
    ssm.put_parameter(Name=f"/{name}/webhook-secrets/web-callout", Type="SecureString", Value=TOKEN)
    may = ["dynamodb:*Item", "events:PutEvents", "sqs:SendMessage", "ssm:GetParameter"]
    role = make_role({"Effect": "Allow", "Action": may, "Resource": "*"})
    variables = {
        "EVENT_BUS": name,
        "IDEMPOTENCY_TABLE": name,
        "DEAD_LETTER_QUEUE_URL": letters_url,
        "SETTINGS_PREFIX": f"/{name}",
        "SIGNATURE_TOLERANCE_SECONDS": "300",
        "POWERTOOLS_SERVICE_NAME": "langfuse_webhook",
        "POWERTOOLS_METRICS_NAMESPACE": "flywheel-test",
    }
    functions.create_function(
        FunctionName=name, Runtime="python3.13", Handler="app.lambda_handler", Role=role, Timeout=30,
        Code={"ZipFile": package}, Environment={"Variables": variables},
    )  # fmt: skip
    given = functions.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    url_id = str(urlsplit(given).hostname).partition(".")[0]
    endpoint = aws.environment()["AWS_ENDPOINT_URL"]
    yield Deployed(name, f"{endpoint}/_aws/lambda-url/{url_id}", letters_url, events_url, role.rpartition("/")[2])
    functions.delete_function(FunctionName=name)
    events.remove_targets(Rule="all", EventBusName=name, Ids=["q"])


def test_the_stand_ins_deliveries_arrive_on_the_bus_once_each(deployed: Deployed) -> None:
    with running_stand_in() as lf, httpx.Client(base_url=lf.url, auth=lf.auth, timeout=30) as client:
        for sender in ("prompt-version", "monitor-alert", "remote-experiment"):
            automation = {"sender": sender, "url": f"{deployed.url}/{sender}", "secret": SECRET}
            client.post("/_webhooks", json=automation).raise_for_status()
        callout = {
            "sender": "web-callout",
            "url": f"{deployed.url}/web-callout",
            "headers": {"x-flywheel-secret": TOKEN},
        }
        client.post("/_webhooks", json=callout).raise_for_status()
        client.post("/api/public/v2/datasets", json={"name": "ds"}).raise_for_status()
        prompt = {"name": "grüße", "prompt": "private ✓", "labels": ["candidate"]}
        client.post("/api/public/v2/prompts", json=prompt).raise_for_status()
        client.post("/_webhooks/alert", json={}).raise_for_status()
        told = client.post("/_webhooks/experiment", json={"dataset": "ds", "payload": '{"a": 1}'}).json()
        assert [one["answered"] for one in told["answers"]] == [200]
        told = client.post("/_webhooks/callout", json={"traceIds": ["ab" * 16]}).json()
        assert [one["answered"] for one in told["answers"]] == [200]
        events = deployed.events(4)
    by_type = {event["detail-type"]: event["detail"] for event in events}
    assert sorted(by_type) == ["ExperimentTriggered", "MonitorAlerted", "PromptVersionChanged", "TracesCalledOut"]
    assert (by_type["PromptVersionChanged"]["name"], by_type["PromptVersionChanged"]["labels"]) == (
        "grüße",
        ["candidate", "latest"],
    )
    assert "private" not in json.dumps(events)
    assert by_type["ExperimentTriggered"]["payload"] == {"a": 1}


def test_parallel_and_later_deliveries_of_one_id_are_one_event(deployed: Deployed) -> None:
    assert deployed.post("warm").status_code == 200
    with ThreadPoolExecutor(4) as pool:
        answers = sorted(reply.status_code for reply in pool.map(lambda _: deployed.post("same"), range(4)))
    assert set(answers) <= {200, 503}
    assert answers[0] == 200
    assert deployed.post("same").json() == {"status": "Replayed"}
    assert len(deployed.events(3, wait_s=5)) == 2
    assert received(deployed.letters_url, 1, wait_s=1) == []


def test_what_the_bus_refuses_is_accepted_kept_and_redriven_once(deployed: Deployed) -> None:
    deployed.deny_the_bus()
    reply = deployed.post("kept")
    assert (reply.status_code, reply.json()) == (202, {"status": "DeadLettered"})
    assert deployed.post("kept").json() == {"status": "Replayed"}
    assert deployed.events(1, wait_s=2) == []
    deployed.allow_the_bus()
    letters: list[Any] = received(deployed.letters_url, 2, wait_s=5)
    assert boto3.client("events").put_events(Entries=letters)["FailedEntryCount"] == 0
    assert len(letters) == 1
    (event,) = deployed.events(1)
    assert (event["detail-type"], event["detail"]["delivery_id"]) == ("PromptVersionChanged", "kept")
    assert deployed.post("kept").json() == {"status": "Replayed"}


def test_a_stranger_is_refused_and_learns_nothing(deployed: Deployed) -> None:
    body = json.dumps(PROMPT_VERSION).encode()
    headers = {"content-type": "application/json", "x-langfuse-signature": sign("guess", body, int(time.time()))}
    reply = httpx.post(f"{deployed.url}/prompt-version", content=body, headers=headers, timeout=60)
    assert (reply.status_code, reply.json()) == (401, {"status": "Refused"})
    assert httpx.get(f"{deployed.url}/prompt-version", timeout=60).status_code == 405
    assert httpx.post(f"{deployed.url}/nothing", json={}, timeout=60).status_code == 404
    assert deployed.events(1, wait_s=1) == []
