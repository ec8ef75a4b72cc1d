"""A service of AWS that hangs: the webhook's real clients give up, and its answer comes within a callout's patience."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from flywheel.domain.signature import sign
from functions.langfuse_webhook import app
from tests.unit.functions.test_handlers import Context
from tests.unit.test_deliveries import PROMPT_VERSION

SECRET = "lf-whsec_" + "a1" * 32
CALLOUT_WAITS_S = 5
ANSWERS: dict[str, Any] = {
    "GetParameter": {"Parameter": {"Name": "n", "Type": "SecureString", "Value": SECRET}},
    "PutEvents": {"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]},
    "PutItem": {},
    "UpdateItem": {},
    "DeleteItem": {},
    "SendMessage": {"MessageId": "m", "MD5OfMessageBody": ""},
}


class Aws:
    def __init__(self) -> None:
        self.hanging: set[str] = set()
        self.asked: list[str] = []


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    state, over = Aws(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["content-length"]))
            operation = self.headers.get("x-amz-target", "").rpartition(".")[2]
            state.asked.append(operation)
            if operation in state.hanging:
                over.wait(30)
                return
            answer = dict(ANSWERS[operation])
            if operation == "SendMessage":
                answer["MD5OfMessageBody"] = hashlib.md5(json.loads(sent)["MessageBody"].encode()).hexdigest()  # noqa: S324
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-type", "application/x-amz-json-1.0")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    environment = {
        "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "EVENT_BUS": "bus",
        "IDEMPOTENCY_TABLE": "table",
        "DEAD_LETTER_QUEUE_URL": f"{url}/queue",
        "SETTINGS_PREFIX": "/flywheel/dev",
        "SIGNATURE_TOLERANCE_SECONDS": "300",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(app.metrics.provider, "namespace", "flywheel-test")
    app.parts.cache_clear()
    yield state
    app.parts.cache_clear()
    over.set()
    server.shutdown()
    server.server_close()


def deliver(number: int = 1) -> tuple[int, str, float]:
    body = json.dumps(PROMPT_VERSION | {"id": f"d-{number}"})
    event = {
        "rawPath": "/prompt-version",
        "headers": {
            "content-type": "application/json",
            "x-langfuse-signature": sign(SECRET, body.encode(), int(time.time())),
        },
        "requestContext": {"http": {"method": "POST"}},
        "body": body,
    }
    context: Any = Context()
    started = time.monotonic()
    reply = app.lambda_handler(event, context)
    return reply["statusCode"], json.loads(reply["body"])["status"], time.monotonic() - started


def test_when_everything_answers_one_delivery_is_four_calls(aws: Aws) -> None:
    assert deliver()[:2] == (200, "Accepted")
    assert aws.asked == ["GetParameter", "PutItem", "PutEvents", "UpdateItem"]


@pytest.mark.parametrize(
    ("hanging", "answer"),
    [
        ("GetParameter", (503, "Failed")),
        ("PutItem", (202, "DeadLettered")),
        ("PutEvents", (202, "DeadLettered")),
        ("UpdateItem", (200, "Accepted")),
    ],
)
def test_one_service_that_hangs_leaves_an_answer_in_time(aws: Aws, hanging: str, answer: tuple[int, str]) -> None:
    aws.hanging = {hanging}
    status, outcome, took_s = deliver()
    assert (status, outcome) == answer
    assert took_s < CALLOUT_WAITS_S
    assert aws.asked.count("SendMessage") == (outcome == "DeadLettered")


def test_when_bus_and_queue_hang_nothing_is_accepted_and_the_next_try_goes_through(aws: Aws) -> None:
    aws.hanging = {"PutEvents", "SendMessage"}
    assert deliver()[:2] == (503, "Failed")
    assert aws.asked[-1] == "DeleteItem"
    aws.hanging = set()
    assert deliver()[:2] == (200, "Accepted")
