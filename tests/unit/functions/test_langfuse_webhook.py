"""The entry of the webhook: events of a Function URL as they come, answers, and what is logged and counted."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from flywheel.deliveries import SENDERS
from flywheel.domain.signature import sign
from functions.langfuse_webhook import app
from tests.unit.functions.test_handlers import Context
from tests.unit.test_deliveries import CALLOUT, PROMPT_VERSION
from tests.unit.test_receiving import AT, SECRET, TOKEN, World

ROOT = Path(__file__).parents[3]
BODY = json.dumps(PROMPT_VERSION).encode()


class Registered:
    def register(self, _context: Any) -> None: ...


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(app, "parts", lambda: (world.receiver, Registered()))
    return world


def url_event(path: str, body: str | None, headers: dict[str, str], *, is_base64: bool = False) -> dict[str, Any]:
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"} | headers,
        "requestContext": {"http": {"method": "POST", "path": path, "sourceIp": "203.0.113.7"}},
        "body": body,
        "isBase64Encoded": is_base64,
    }


def call(event: dict[str, Any]) -> tuple[int, str]:
    context: Any = Context()
    reply = app.lambda_handler(event, context)
    return reply["statusCode"], json.loads(reply["body"])["status"]


def test_text_and_base64_are_the_same_bytes(world: World) -> None:
    text = '{"id":"grüße ✓"}'
    body = text.encode()
    for sent, is_base64 in ((text, False), (base64.b64encode(body).decode(), True)):
        request = app.request_of(url_event("/prompt-version", sent, {}, is_base64=is_base64))
        assert request is not None
        assert request.body == body


def test_a_delivery_in_base64_with_capitals_in_its_headers_is_accepted(world: World) -> None:
    headers = {"X-Langfuse-Signature": sign(SECRET, BODY, AT)}
    event = url_event("/prompt-version", base64.b64encode(BODY).decode(), headers, is_base64=True)
    assert call(event) == (200, "Accepted")
    assert call(event) == (200, "Replayed")


def test_a_test_delivery_is_told_that_it_was_checked(world: World) -> None:
    headers = {"X-Langfuse-Signature": sign(SECRET, BODY, AT), "X-Flywheel-Check": "1"}
    context: Any = Context()
    reply = app.lambda_handler(url_event("/prompt-version", BODY.decode(), headers), context)
    assert (reply["statusCode"], json.loads(reply["body"])) == (200, {"checked": True})
    assert world.bus.events == []


@pytest.mark.parametrize(("body", "is_base64"), [("!!", True), ("AAA", True), ("\ud800", False), ("ü", True)])
def test_a_body_that_is_not_what_it_says_is_refused(world: World, body: str, is_base64: bool) -> None:
    assert call(url_event("/prompt-version", body, {}, is_base64=is_base64)) == (400, "Malformed")


def test_a_request_without_body_and_headers_is_answered(world: World) -> None:
    event = url_event("/prompt-version", None, {})
    del event["headers"]
    assert call(event) == (415, "WrongContentType")


def test_a_wrong_method_is_told_the_right_one(world: World) -> None:
    event = url_event("/prompt-version", None, {})
    event["requestContext"]["http"]["method"] = "GET"
    context: Any = Context()
    reply = app.lambda_handler(event, context)
    assert (reply["statusCode"], reply["headers"]["allow"]) == (405, "POST")


def test_a_refusal_says_nothing_and_neither_log_nor_metric_repeat_what_was_sent(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.settings.texts["webhook-secrets/web-callout"] = TOKEN
    headers = {"x-flywheel-secret": "sk-stranger", "authorization": "Bearer sk-stranger"}
    event = url_event("/web-callout", json.dumps(CALLOUT | {"type": "sk-stranger"}), headers)
    assert call(event) == (401, "Refused")
    event["headers"]["x-flywheel-secret"] = TOKEN
    assert call(event) == (202, "Ignored")
    written = capsys.readouterr().out
    assert '"DeliveriesRefused":[1.0]' in written.replace(" ", "")
    assert "sk-stranger" not in written
    assert TOKEN not in written


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "events").glob("webhook_*.json")))
def test_every_sample_is_accepted_with_the_secret_that_signed_it(world: World, name: str) -> None:
    event = json.loads((ROOT / "events" / name).read_text())
    assert call(event) == (200, "Accepted")


def test_there_is_a_sample_of_every_sender() -> None:
    assert len(list((ROOT / "events").glob("webhook_*.json"))) == len(SENDERS)
