"""Deliveries recorded from a real Langfuse 4.16.0, byte for byte, through the real handler of the webhook."""

import base64
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flywheel.deliveries import SECRET_HEADER, SIGNATURE_HEADER
from functions.langfuse_webhook import app
from tests.fakes.clock import FixedClock
from tests.fakes.outside import InMemorySettings
from tests.unit.functions.test_handlers import Context
from tests.unit.test_receiving import World

RECORDED = 35
TOKEN = "the secret of what comes unsigned"
SENDERS = {
    "prompt-version": "prompt-version",
    "project-notification": "project-notification",
    "monitor-alert": "monitor-alert",
    "remote experiment": "remote-experiment",
    "web callout": "web-callout",
}
EVENTS = {
    "prompt-version": "PromptVersionChanged",
    "project-notification": "ProjectNotified",
    "monitor-alert": "MonitorAlerted",
    "remote-experiment": "ExperimentTriggered",
    "web-callout": "TracesCalledOut",
}
# Bytes of each recording that are changed, one at a time; every byte would be 15,000 requests that show no more.
CHANGED = 40


@dataclass(frozen=True)
class Recorded:
    name: str
    sender: str
    secret: str | None
    headers: list[list[str]]
    body: bytes
    answered: int | str

    @property
    def sent_at(self) -> datetime:
        signature = {name.lower(): value for name, value in self.headers}.get(SIGNATURE_HEADER, "t=1795372959,")
        return datetime.fromtimestamp(int(signature.partition(",")[0].removeprefix("t=")), UTC)

    def event(self, body: bytes, *, as_base64: bool = False) -> dict[str, Any]:
        """As a Function URL gives it to the handler; whoever sends unsigned is set up to send the secret."""
        headers: dict[str, str] = {}
        for name, value in self.headers:
            headers[name.lower()] = f"{headers[name.lower()]},{value}" if name.lower() in headers else value
        if self.secret is None:
            headers[SECRET_HEADER] = TOKEN
        text = base64.b64encode(body).decode() if as_base64 else body.decode()
        http = {"method": "POST", "path": f"/{self.sender}"}
        return {
            "rawPath": f"/{self.sender}",
            "headers": headers,
            "requestContext": {"http": http},
            "body": text,
            "isBase64Encoded": as_base64,
        }


@pytest.fixture(scope="module")
def recorded(contract: Path) -> list[Recorded]:
    lines = (contract / "recorded" / "webhooks-4.16.0.jsonl").read_text().splitlines()
    found = []
    for line in map(json.loads, lines):
        (sender,) = [name for start, name in SENDERS.items() if line["name"].startswith(start)]
        body = base64.b64decode(line["body_base64"])
        found.append(Recorded(line["name"], sender, line["secret"], line["headers"], body, line["answered"]))
    assert len(found) == RECORDED
    return found


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(settings=InMemorySettings(), clock=FixedClock())
    once = type("Registered", (), {"register": lambda _self, _context: None})()
    monkeypatch.setattr(app, "parts", lambda: (world.receiver, once))
    return world


def deliver(world: World, delivery: Recorded, body: bytes | None = None, *, as_base64: bool = False) -> tuple[int, str]:
    name = f"webhook-secrets/{delivery.sender}"
    secret = delivery.secret or TOKEN
    if world.settings.texts.get(name) != secret:
        world.settings.texts[name] = secret
        world.receiver._secrets._known.clear()
    world.clock.moment = delivery.sent_at
    context: Any = Context()
    reply = app.lambda_handler(delivery.event(delivery.body if body is None else body, as_base64=as_base64), context)
    return reply["statusCode"], json.loads(reply["body"])["status"]


@pytest.mark.parametrize("as_base64", [False, True])
def test_every_recorded_delivery_is_one_event_over_its_retries_and_time_outs(
    recorded: list[Recorded], world: World, as_base64: bool
) -> None:
    answers = [deliver(world, delivery, as_base64=as_base64) for delivery in recorded]
    seen: set[tuple[str, bytes, datetime]] = set()
    expected, kinds = [], []
    for delivery in recorded:
        again = (delivery.sender, delivery.body, delivery.sent_at) in seen
        seen.add((delivery.sender, delivery.body, delivery.sent_at))
        expected.append((200, "Replayed" if again else "Accepted"))
        kinds += [] if again else [EVENTS[delivery.sender]]

    assert answers == expected
    assert world.bus.types == kinds
    assert answers.count((200, "Replayed")) == 5  # retries after 500, 404 (three), and after a time-out
    ids = [detail["delivery_id"] for _, detail in world.bus.events]
    assert len(set(ids)) == len(ids)


def test_no_event_has_the_text_of_a_prompt_its_config_or_an_address(recorded: list[Recorded], world: World) -> None:
    for delivery in recorded:
        deliver(world, delivery)
    written = json.dumps(world.bus.events)
    for private in ("Hello", "temperature", "be brief", "@local.test", "first"):
        assert private not in written
    assert '"user": "admin"' in written


def test_one_changed_byte_in_any_signed_delivery_is_refused(recorded: list[Recorded], world: World) -> None:
    chance = random.Random(4160)
    tried = 0
    for delivery in recorded:
        if delivery.secret is None:
            continue
        for position in {0, len(delivery.body) - 1, *chance.sample(range(len(delivery.body)), CHANGED)}:
            changed = bytearray(delivery.body)
            changed[position] ^= 1 << chance.randrange(8)
            answer = deliver(world, delivery, bytes(changed), as_base64=True)
            assert answer == (401, "Refused"), f"{delivery.name}: byte {position}"
            tried += 1
    assert tried > 1000
    assert world.bus.types == []


def test_one_changed_byte_in_the_secret_of_an_unsigned_delivery_is_refused(
    recorded: list[Recorded], world: World
) -> None:
    for delivery in (delivery for delivery in recorded if delivery.secret is None):
        deliver(world, delivery)
        for position in range(len(TOKEN)):
            event = delivery.event(delivery.body)
            wrong = bytearray(TOKEN.encode())
            wrong[position] ^= 1
            event["headers"][SECRET_HEADER] = wrong.decode()
            context: Any = Context()
            assert app.lambda_handler(event, context)["statusCode"] == 401
    assert len(world.bus.events) == 4


def test_a_recording_sent_again_after_the_tolerance_is_refused(recorded: list[Recorded], world: World) -> None:
    delivery = recorded[0]
    deliver(world, delivery)
    world.clock.advance(301)
    context: Any = Context()
    assert app.lambda_handler(delivery.event(delivery.body), context)["statusCode"] == 401
