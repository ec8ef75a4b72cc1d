"""What the stand-in sends beside what a real Langfuse 4.16.0 sent: headers, their order and case, bodies key by key."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from flywheel.deliveries import SENDERS
from flywheel.domain.signature import verify
from local.langfuse.testing import running_stand_in
from tests.listener import Heard, Listener, listening

SECRET = "lf-whsec_" + "5e" * 32
CUSTOM = {"X-Custom": "plain value", "content-type": "text/evil", "X-Langfuse-Signature": "t=1,v1=evil"}


def shape(value: Any) -> Any:
    """Keys in their order and kinds of values; a list by its first."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(inner) for inner in value[:1]] if isinstance(value, list) else type(value).__name__


@pytest.fixture(scope="module")
def recorded(contract: Path) -> list[dict[str, Any]]:
    lines = (contract / "recorded" / "webhooks-4.16.0.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    return [one | {"payload": json.loads(base64.b64decode(one["body_base64"]))} for one in found]


@pytest.fixture(scope="module")
def heard() -> Iterator[dict[str, list[Heard]]]:
    with running_stand_in() as lf, listening() as listener, httpx.Client(base_url=lf.url, auth=lf.auth) as client:
        for sender in SENDERS:
            secret = {} if sender == "web-callout" else {"secret": SECRET}
            automation = {"sender": sender, "url": f"{listener.url}/{sender}", "headers": CUSTOM} | secret
            client.post("/_webhooks", json=automation).raise_for_status()
        client.post("/api/public/v2/datasets", json={"name": "remote/ds one"}).raise_for_status()
        prompt = {"name": "greet", "prompt": "Hello {{name}}", "labels": ["production"], "tags": ["demo"],
                  "commitMessage": "first", "config": {"model": "m", "temperature": 0.5}}  # fmt: skip
        client.post("/api/public/v2/prompts", json=prompt).raise_for_status()
        listener.wait(1)
        client.post("/api/public/v2/prompts", json={"name": "greet", "prompt": "Hi", "labels": ["production"]})
        client.post("/_webhooks/alert", json={"filters": [environment_filter()]}).raise_for_status()
        client.post("/_webhooks/notification", json={}).raise_for_status()
        client.post("/_webhooks/experiment", json={"dataset": "remote/ds one", "payload": "{}"}).raise_for_status()
        client.post("/_webhooks/callout", json={"traceIds": ["ab" * 16]}).raise_for_status()
        yield by_sender(listener)


def environment_filter() -> dict[str, Any]:
    return {"column": "environment", "operator": "any of", "value": ["production"], "type": "stringOptions"}


def by_sender(listener: Listener) -> dict[str, list[Heard]]:
    listener.wait(7)
    return {sender: [one for one in listener.heard if one.path == f"/{sender}"] for sender in SENDERS}


def names(headers: Any) -> list[str]:
    return [
        name for name, _ in headers if name.lower() not in ("x-custom", "authorization", "x-plain", "x-callout-token")
    ]


@pytest.mark.parametrize(
    ("sender", "start"),
    [
        ("prompt-version", "prompt-version created: text version 1"),
        ("project-notification", "project-notification blob"),
        ("monitor-alert", "monitor-alert"),
        ("remote-experiment", "remote experiment trigger, signed"),
        ("web-callout", "web callout for a trace"),
    ],
)
def test_headers_and_bodies_have_the_recorded_shape(
    sender: str, start: str, recorded: list[dict[str, Any]], heard: dict[str, list[Heard]]
) -> None:
    expected = next(one for one in recorded if one["name"].startswith(start))
    sent = heard[sender][0]
    assert names(sent.headers) == names(expected["headers"])
    wanted = shape(expected["payload"])
    for optional in ("permalink", "dataPermalink"):
        wanted.get("payload", {}).pop(optional, None) if isinstance(wanted.get("payload"), dict) else None
    if "event" in wanted:
        wanted["event"].pop("url")
    found = shape(json.loads(sent.body))
    assert found == wanted
    assert json.dumps(found) == json.dumps(wanted), "the order of keys"


def test_custom_headers_are_sent_and_take_no_place_of_langfuses_own(heard: dict[str, list[Heard]]) -> None:
    for deliveries in heard.values():
        headers = {name.lower(): value for name, value in deliveries[0].headers}
        assert headers["x-custom"] == "plain value"
        assert headers["content-type"] == "application/json"
        assert "evil" not in json.dumps(headers)


def test_what_is_signed_verifies_and_callouts_are_not_signed(heard: dict[str, list[Heard]]) -> None:
    for sender, deliveries in heard.items():
        for one in deliveries:
            header = {name.lower(): value for name, value in one.headers}.get("x-langfuse-signature")
            if sender == "web-callout":
                assert header is None
                continue
            assert header is not None
            at = int(header.partition(",")[0].removeprefix("t="))
            assert verify(header, one.body, (SECRET,), now=at, tolerance_s=0) == at


def test_a_version_that_loses_its_labels_is_told_of_too(heard: dict[str, list[Heard]]) -> None:
    told = [json.loads(one.body) for one in heard["prompt-version"]]
    seen = sorted((one["action"], one["prompt"]["version"], tuple(one["prompt"]["labels"])) for one in told)
    assert seen == [
        ("created", 1, ("production", "latest")),
        ("created", 2, ("production", "latest")),
        ("updated", 1, ()),
    ]
    assert len({one["id"] for one in told}) == 3
