"""The stand-in's deliveries when their receiver fails: attempts, pauses, and the end of an automation."""

import itertools
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from local.langfuse.testing import running_stand_in
from tests.listener import Listener, listening


@pytest.fixture(scope="module")
def api() -> Iterator[httpx.Client]:
    with running_stand_in() as lf, httpx.Client(base_url=lf.url, auth=lf.auth) as client:
        yield client


@pytest.fixture(scope="module")
def unlisted() -> Iterator[httpx.Client]:
    with running_stand_in(reaches_loopback=False) as lf, httpx.Client(base_url=lf.url, auth=lf.auth) as client:
        yield client


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as listener:
        yield listener


@pytest.fixture
def client(api: httpx.Client, listener: Listener) -> Iterator[httpx.Client]:
    for sender in ("prompt-version", "monitor-alert", "project-notification", "remote-experiment"):
        add(api, sender, f"{listener.url}/{sender}")
    yield api
    api.delete("/_webhooks")


def add(client: httpx.Client, sender: str, url: str) -> None:
    client.post("/_webhooks", json={"sender": sender, "url": url, "secret": "s"}).raise_for_status()


def state(client: httpx.Client, sender: str) -> dict[str, Any]:
    (found,) = [one for one in client.get("/_webhooks").json() if one["sender"] == sender]
    return dict(found)


def settled(client: httpx.Client, sender: str, sent: int) -> dict[str, Any]:
    deadline = time.monotonic() + 20.0
    while (found := state(client, sender))["sent"] < sent:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def test_a_delivery_is_tried_four_times_with_one_id_and_one_signature(client: httpx.Client, listener: Listener) -> None:
    listener.answer = lambda _path, _before: 404
    client.post("/_webhooks/notification", json={}).raise_for_status()
    heard = listener.wait(4)
    pauses = [later.at - earlier.at for earlier, later in itertools.pairwise(heard)]
    # No shorter than Langfuse's own; how much longer is the machine's business.
    assert all(0.9 * own <= pause < own + 2.0 for pause, own in zip(pauses, (0.1, 0.2, 0.4), strict=True)), pauses
    assert len({one.body for one in heard}) == 1
    assert len({dict(one.headers)["x-langfuse-signature"] for one in heard}) == 1
    assert settled(client, "project-notification", 1)["failures"] == 1


def test_a_delivery_taken_at_a_later_attempt_is_not_sent_again(client: httpx.Client, listener: Listener) -> None:
    listener.answer = lambda _path, before: 500 if before < 2 else 204
    client.post("/_webhooks/alert", json={"severity": "OK"}).raise_for_status()
    assert settled(client, "monitor-alert", 1)["answers"] == [500, 500, 204]
    assert json.loads(listener.heard[0].body)["payload"]["severity"] == "OK"


@pytest.mark.parametrize(("sender", "disabled"), [("monitor-alert", True), ("project-notification", False)])
def test_after_five_failed_executions_an_automation_is_switched_off_unless_it_is_a_notification(
    client: httpx.Client, sender: str, disabled: bool
) -> None:
    client.delete("/_webhooks")
    add(client, sender, "http://127.0.0.1:9/closed")
    path = "/_webhooks/alert" if sender == "monitor-alert" else "/_webhooks/notification"
    for sent in range(1, 6):
        client.post(path, json={}).raise_for_status()
        settled(client, sender, sent)
    assert state(client, sender)["enabled"] is not disabled
    assert client.post(path, json={}).json() == {"deliveries": 0 if disabled else 1}


def test_an_experiment_is_sent_once_and_its_answer_is_shown(client: httpx.Client, listener: Listener) -> None:
    listener.answer = lambda _path, _before: 500
    client.post("/api/public/v2/datasets", json={"name": "d"}).raise_for_status()
    told = client.post("/_webhooks/experiment", json={"dataset": "d", "payload": "x"}).json()
    assert told == {"answers": [{"url": f"{listener.url}/remote-experiment", "answered": 500}]}
    assert len(listener.heard) == 1
    assert client.post("/_webhooks/experiment", json={"dataset": "unknown"}).status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/_webhooks", {"sender": "other", "url": "http://x"}),
        ("/_webhooks", {"sender": "web-callout", "url": "file:///etc/passwd"}),
        ("/_webhooks", {"sender": "web-callout", "url": "http://x", "unknown": 1}),
        ("/_webhooks", {"sender": "web-callout", "url": "http://x", "headers": {"a": 1}}),
        ("/_webhooks/alert", {"severity": "LOUD"}),
        ("/_webhooks/callout", {}),
    ],
)
def test_a_control_request_that_is_wrong_is_refused(client: httpx.Client, path: str, body: Any) -> None:
    assert client.post(path, json=body).status_code == 400


def test_labels_moved_and_deleted_tell_of_the_first_only(client: httpx.Client, listener: Listener) -> None:
    for number in range(2):
        client.post("/api/public/v2/prompts", json={"name": "moved", "prompt": str(number)}).raise_for_status()
    listener.wait(3)
    client.patch("/api/public/v2/prompts/moved/versions/1", json={"newLabels": ["candidate"]}).raise_for_status()
    listener.wait(4)
    client.delete("/api/public/v2/prompts/moved", params={"version": 2}).raise_for_status()
    told = [json.loads(one.body) for one in listener.heard]
    assert told[-1]["action"] == "updated"
    assert told[-1]["prompt"]["labels"] == ["candidate"]
    assert len(told) == 4


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:8080/hook", "Only ports 80 and 443 are allowed"),
        ("http://127.0.0.1/hook", "Blocked IP address detected"),
        ("http://localhost/hook", "Blocked hostname detected"),
    ],
)
def test_without_an_allow_list_a_stand_in_calls_nothing_on_this_machine(
    unlisted: httpx.Client, url: str, why: str
) -> None:
    answer = unlisted.post("/_webhooks", json={"sender": "prompt-version", "url": url})
    assert (answer.status_code, answer.json()["message"]) == (400, why)
    assert unlisted.get("/_webhooks").json() == []
