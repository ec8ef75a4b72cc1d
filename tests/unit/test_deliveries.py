"""Deliveries of Langfuse: what becomes of each kind, and of what is none."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.deliveries import SENDERS, Delivery, Ignored, Sender, read_delivery
from flywheel.errors import InvalidRequestError

NOW = datetime(2026, 11, 25, 12, 0, 30, tzinfo=UTC)
AT = "2026-11-22T18:42:06.506Z"

PROMPT_VERSION = {
    "id": "763f453d-aada-45be-8489-89403378235e",
    "timestamp": AT,
    "type": "prompt-version",
    "apiVersion": "v1",
    "action": "updated",
    "user": {"name": "admin", "email": "admin@local.test"},
    "prompt": {
        "id": "p1",
        "name": "folder/greet",
        "version": 2,
        "projectId": "project",
        "createdBy": "API",
        "labels": ["candidate"],
        "prompt": "secret sauce",
        "type": "text",
        "config": {"secret": 1},
        "commitMessage": None,
        "tags": [],
        "createdAt": AT,
        "updatedAt": AT,
    },
}
ALERT = {
    "id": "a3e1eb16",
    "timestamp": AT,
    "type": "monitor-alert",
    "apiVersion": "v1",
    "payload": {
        "monitorId": "m1",
        "projectId": "project",
        "permalink": "https://langfuse.test/alerts/m1",
        "message": {"title": "[ALERT] too slow", "body": "p95 is **above** 5 s"},
        "severity": "ALERT",
        "timestamp": AT,
        "fromTimestamp": AT,
        "toTimestamp": AT,
        "view": "observations",
        "filters": [{"column": "environment", "operator": "any of", "value": ["prd"], "type": "stringOptions"}],
        "window": "5m",
    },
}
NOTICE = {
    "id": "d5f29fa6",
    "timestamp": AT,
    "type": "project-notification",
    "apiVersion": "v1",
    "event": {
        "severity": "ALERT",
        "projectId": "project",
        "projectName": "p",
        "resourceId": "r",
        "resourceName": "Blob storage export",
        "message": "Export failed",
        "eventType": "blob-export-failed",
    },
}
EXPERIMENT: dict[str, Any] = {"projectId": "project", "datasetId": "d1", "datasetName": "remote/ds one", "payload": ""}
CALLOUT = {
    "version": 1,
    "items": [
        {"projectId": "project", "traceId": "ab" * 16, "observationId": None, "sessionId": None},
        {"projectId": "project", "traceId": None, "observationId": None, "sessionId": "sess-9"},
        {"projectId": "project", "traceId": None, "observationId": None, "sessionId": None},
    ],
}
SAMPLES: dict[Sender, dict[str, Any]] = {
    "prompt-version": PROMPT_VERSION,
    "monitor-alert": ALERT,
    "project-notification": NOTICE,
    "remote-experiment": EXPERIMENT,
    "web-callout": CALLOUT,
}


def read(sender: Sender, payload: Any, *, signed_at: int | None = 100, at: datetime = NOW) -> Delivery | Ignored:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return read_delivery(sender, body, signed_at=signed_at, received_at=at)


def event(sender: Sender, payload: Any, **rest: Any) -> Delivery:
    delivery = read(sender, payload, **rest)
    assert isinstance(delivery, Delivery)
    return delivery


def test_every_sender_has_a_sample() -> None:
    assert set(SAMPLES) == SENDERS


def test_a_prompt_version_leaves_its_text_its_config_and_the_address_behind() -> None:
    delivery = event("prompt-version", PROMPT_VERSION)
    assert (delivery.detail_type, delivery.id) == ("PromptVersionChanged", PROMPT_VERSION["id"])
    assert delivery.detail() == {
        "version": 1,
        "delivery_id": PROMPT_VERSION["id"],
        "action": "updated",
        "project_id": "project",
        "name": "folder/greet",
        "prompt_version": 2,
        "labels": ["candidate"],
        "updated_at": AT.replace("506Z", "506000Z"),
        "user": "admin",
    }


@pytest.mark.parametrize("name", [None, "some.body@example.org"])
def test_a_user_without_a_name_or_with_an_address_as_name_is_left_out(name: str | None) -> None:
    delivery = event("prompt-version", PROMPT_VERSION | {"user": {"name": name, "email": "x@y.z"}})
    assert "user" not in delivery.detail()


def test_an_alert_says_which_window_and_filters_it_looked_at() -> None:
    detail = event("monitor-alert", ALERT).detail()
    assert (detail["severity"], detail["window"], detail["view"]) == ("ALERT", "5m", "observations")
    assert detail["from"] == detail["to"] == AT.replace("506Z", "506000Z")
    assert detail["filters"] == ALERT["payload"]["filters"]  # type: ignore[index]
    assert detail["filters_cut"] is False


def test_filters_and_texts_too_large_for_the_bus_are_cut_with_a_mark() -> None:
    payload = ALERT["payload"] | {  # type: ignore[operator]
        "filters": [{"value": "x" * 200_000}],
        "message": {"title": "t" * 5000, "body": "ü" * 200_000},
    }
    detail = event("monitor-alert", ALERT | {"payload": payload}).detail()
    assert (detail["filters"], detail["filters_cut"]) == ([], True)
    assert detail["title"].endswith("[cut by flywheel]")
    assert detail["body"].endswith("[cut by flywheel]")
    assert len(json.dumps(detail)) < 256 * 1024


def test_a_notification_says_what_happened_to_what() -> None:
    detail = event("project-notification", NOTICE).detail()
    assert (detail["event_type"], detail["resource_name"]) == ("blob-export-failed", "Blob storage export")
    assert "url" not in detail


@pytest.mark.parametrize(
    ("payload", "parsed", "text"),
    [
        (None, {}, None),
        ("", {}, None),
        ("  ", {}, None),
        ({}, {}, None),
        ({"a": 1}, {"a": 1}, None),
        ('{"model": "m1"}', {"model": "m1"}, None),
        ("just text", {}, "just text"),
        ("[1, 2]", {}, "[1, 2]"),
        ("{", {}, "{"),
        ("[" * 100_000, {}, "[" * 12_267 + "... [cut by flywheel]"),
    ],
)
def test_the_payload_of_an_experiment_is_whatever_was_typed(payload: Any, parsed: Any, text: str | None) -> None:
    detail = event("remote-experiment", EXPERIMENT | {"payload": payload}).detail()
    assert (detail["payload"], detail.get("payload_text")) == (parsed, text)
    assert detail["payload_cut"] is (text is not None and len(text) > 100)


def test_a_payload_too_large_or_too_deep_for_the_bus_is_left_out_with_a_mark() -> None:
    for payload in ({"x": "y" * 200_000}, {"x": json.loads("[" * 100 + "]" * 100)}, '{"x": NaN}'):
        detail = event("remote-experiment", EXPERIMENT | {"payload": payload}).detail()
        assert (detail["payload"], detail["payload_cut"]) == ({}, True)


def test_a_callout_names_traces_and_sessions_and_nothing_empty() -> None:
    detail = event("web-callout", CALLOUT).detail()
    assert detail["items"] == [{"trace_id": "ab" * 16}, {"session_id": "sess-9"}]


def test_a_callout_of_nothing_is_ignored() -> None:
    assert read("web-callout", CALLOUT | {"items": []}) == Ignored("no_items")


@pytest.mark.parametrize("sender", SAMPLES)
def test_another_type_than_the_senders_own_is_ignored(sender: Sender) -> None:
    assert read(sender, SAMPLES[sender] | {"type": "flywheel-check"}) == Ignored("other_type")
    assert read(sender, {"type": "something-new", "id": "x"}) == Ignored("other_type")


@pytest.mark.parametrize("sender", ["prompt-version", "monitor-alert", "project-notification"])
def test_the_id_of_a_delivery_is_its_own_whenever_it_comes(sender: Sender) -> None:
    assert event(sender, SAMPLES[sender], signed_at=1).id == event(sender, SAMPLES[sender], signed_at=2).id


@pytest.mark.parametrize("sender", ["remote-experiment", "web-callout"])
def test_without_an_id_the_signed_second_or_else_the_minute_tells_two_clicks_apart(sender: Sender) -> None:
    body = SAMPLES[sender]
    assert event(sender, body, signed_at=1).id == event(sender, body, signed_at=1).id
    assert event(sender, body, signed_at=1).id != event(sender, body, signed_at=2).id
    unsigned = event(sender, body, signed_at=None).id
    assert unsigned == event(sender, body, signed_at=None, at=NOW + timedelta(seconds=20)).id
    assert unsigned != event(sender, body, signed_at=None, at=NOW + timedelta(seconds=40)).id
    assert unsigned != event(sender, body | {"extra": 1}, signed_at=None).id


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"null", b"\xff\xfe{}", b"[" * 200_000, b'{"a":' * 200_000, b"9" * 10_000, b"NaN"],
)
@pytest.mark.parametrize("sender", SAMPLES)
def test_what_is_no_json_object_is_refused_and_not_repeated(sender: Sender, body: bytes) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        read(sender, body)
    assert len(str(refused.value)) < 200


def test_an_error_names_fields_and_never_their_content() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        read("prompt-version", PROMPT_VERSION | {"action": "sk-lf-secret", "prompt": {"name": "\x00sk-lf-secret"}})
    assert "action" in str(refused.value)
    assert "sk-lf-secret" not in str(refused.value)


HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(data=st.data(), sender=st.sampled_from(sorted(SAMPLES)))
def test_whatever_stands_in_a_field_it_becomes_a_small_event_or_a_clear_refusal(
    data: st.DataObject, sender: Sender
) -> None:
    sample = json.loads(json.dumps(SAMPLES[sender]))
    nested = sample.get("prompt") or sample.get("payload") or sample.get("event") or sample
    field = data.draw(st.sampled_from(sorted(nested)))
    nested[field] = data.draw(HOSTILE)
    try:
        found = read(sender, sample)
    except InvalidRequestError:
        return
    if isinstance(found, Delivery):
        assert len(json.dumps(found.detail(), allow_nan=False)) < 256 * 1024
