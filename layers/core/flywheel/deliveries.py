"""Deliveries of Langfuse: sender + raw body -> one event of our bus. Prompt texts and addresses stay behind."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from pydantic import AwareDatetime, ConfigDict, Field, ValidationError

from flywheel.delivery_payloads import (
    CUT,
    SentMonitorAlert,
    SentProjectNotification,
    SentPromptVersion,
    SentRemoteExperiment,
    SentWebCallout,
    Severity,
    Wire,
)
from flywheel.domain.strict import first_problems
from flywheel.errors import InvalidRequestError

type Sender = Literal["prompt-version", "monitor-alert", "project-notification", "remote-experiment", "web-callout"]

SENDERS: frozenset[str] = frozenset(get_args(Sender.__value__))
# A delivery of these may come without a signature; then it brings the secret itself.
MAY_BE_UNSIGNED: frozenset[str] = frozenset({"remote-experiment", "web-callout"})
SIGNATURE_HEADER = "x-langfuse-signature"
SECRET_HEADER = "x-flywheel-secret"  # noqa: S105 - a header's name
# With the value 1: a test delivery. It is verified like any other and has no effect.
CHECK_HEADER = "x-flywheel-check"

_MOST_FREE_BYTES = 96 * 1024
_DEEPEST = 40


# --- what our bus is told ---------------------------------------------------------------------------------------------


class BusEvent(Wire):
    """`delivery_id` is the same however often Langfuse sends a delivery: whoever acts on it acts once for each."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)

    version: Literal[1] = 1
    delivery_id: str


class PromptVersionChanged(BusEvent):
    """`labels`: what that version carries after the change."""

    action: Literal["created", "updated", "deleted"]
    project_id: str
    name: str
    prompt_version: int
    labels: tuple[str, ...]
    updated_at: AwareDatetime
    user: str | None = None


class MonitorAlerted(BusEvent):
    """`filters` are Langfuse's own; `filters_cut`: they were too large for the bus and are left out."""

    monitor_id: str
    project_id: str
    severity: Severity
    title: str
    body: str
    at: AwareDatetime
    from_: AwareDatetime = Field(alias="from")
    to: AwareDatetime
    view: str
    filters: list[Any]
    filters_cut: bool = False
    window: str
    permalink: str | None = None


class ProjectNotified(BusEvent):
    project_id: str
    event_type: str
    severity: str
    message: str
    resource_name: str
    url: str | None = None


class ExperimentTriggered(BusEvent):
    """`payload_text`: what was typed in Langfuse, when it is no JSON object; `payload` is empty then.

    `payload_cut`: it was too large for the bus and is left out, or cut.
    """

    project_id: str
    dataset_id: str
    dataset: str
    payload: dict[str, Any]
    payload_text: str | None = None
    payload_cut: bool = False


class CalledOut(Wire):
    """At least one of the three is there; a session stands for all of its traces."""

    trace_id: str | None = None
    observation_id: str | None = None
    session_id: str | None = None


class TracesCalledOut(BusEvent):
    items: tuple[CalledOut, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event to publish."""

    event: BusEvent

    @property
    def id(self) -> str:
        return self.event.delivery_id

    @property
    def detail_type(self) -> str:
        return type(self.event).__name__

    def detail(self) -> dict[str, Any]:
        return self.event.model_dump(mode="json", exclude_none=True)


@dataclass(frozen=True, slots=True)
class Ignored:
    """A delivery that is what it should be, and asks for nothing here."""

    reason: Literal["other_type", "no_items"]


def read_delivery(sender: Sender, body: bytes, *, signed_at: int | None, received_at: datetime) -> Delivery | Ignored:
    """Read the verified body of one delivery.

    Its id is the payload's own where it has one. A remote experiment and a callout have none, and Langfuse sends them
    once and never again: theirs is the hash of body and `signed_at`; unsigned, of body and the minute of `received_at`.

    Raises:
        InvalidRequestError: no JSON object, or not what this sender sends; names what is wrong, never the content.
    """
    payload = _json_object(body)
    kind = payload.get("type")
    expected = sender if sender not in MAY_BE_UNSIGNED else None
    if kind != expected and isinstance(kind, str):
        return Ignored("other_type")
    stamp = f"t{signed_at}" if signed_at is not None else f"m{int(received_at.timestamp()) // 60}"
    hashed = hashlib.sha256(stamp.encode() + b"." + body).hexdigest()[:32]
    try:
        return _READERS[sender](payload, hashed)
    except ValidationError as error:
        raise InvalidRequestError(f"not a valid {sender} delivery: {first_problems(error)}") from None


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        payload = json.loads(body.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InvalidRequestError(f"the body is no JSON ({type(error).__name__})") from None
    except ValueError:  # a number of thousands of digits
        raise InvalidRequestError("the body is no JSON that can be read") from None
    if not isinstance(payload, dict):
        raise InvalidRequestError("the body is no JSON object")
    return payload


def _prompt_version(payload: Mapping[str, Any], _: str) -> Delivery:
    sent = SentPromptVersion.model_validate(payload)
    return Delivery(
        PromptVersionChanged(
            delivery_id=sent.id,
            action=sent.action,
            project_id=sent.prompt.project_id,
            name=sent.prompt.name,
            prompt_version=sent.prompt.version,
            labels=sent.prompt.labels,
            updated_at=sent.prompt.updated_at,
            user=_name_of(sent.user.name) if sent.user else None,
        )
    )


def _monitor_alert(payload: Mapping[str, Any], _: str) -> Delivery:
    sent = SentMonitorAlert.model_validate(payload)
    alert = sent.payload
    fits = _fits_the_bus(alert.filters)
    return Delivery(
        MonitorAlerted(
            delivery_id=sent.id,
            monitor_id=alert.monitor_id,
            project_id=alert.project_id,
            severity=alert.severity,
            title=alert.message.title,
            body=alert.message.body,
            at=alert.at,
            from_=alert.from_,
            to=alert.to,
            view=alert.view,
            filters=alert.filters if fits else [],
            filters_cut=not fits,
            window=alert.window,
            permalink=alert.permalink,
        )
    )


def _project_notification(payload: Mapping[str, Any], _: str) -> Delivery:
    sent = SentProjectNotification.model_validate(payload)
    notice = sent.event
    return Delivery(
        ProjectNotified(
            delivery_id=sent.id,
            project_id=notice.project_id,
            event_type=notice.event_type,
            severity=notice.severity,
            message=notice.message,
            resource_name=notice.resource_name,
            url=notice.url,
        )
    )


def _remote_experiment(payload: Mapping[str, Any], hashed: str) -> Delivery:
    sent = SentRemoteExperiment.model_validate(payload)
    parsed, text = _typed(sent.payload)
    fits = _fits_the_bus(parsed)
    longest = _MOST_FREE_BYTES // 8  # a character may need six bytes in JSON
    long_text = text is not None and len(text) > longest
    return Delivery(
        ExperimentTriggered(
            delivery_id=hashed,
            project_id=sent.project_id,
            dataset_id=sent.dataset_id,
            dataset=sent.dataset,
            payload=parsed if fits else {},
            payload_text=text[: longest - len(CUT)] + CUT if text is not None and long_text else text,
            payload_cut=long_text or not fits,
        )
    )


def _web_callout(payload: Mapping[str, Any], hashed: str) -> Delivery | Ignored:
    sent = SentWebCallout.model_validate(payload)
    items = tuple(
        CalledOut(trace_id=item.trace_id, observation_id=item.observation_id, session_id=item.session_id)
        for item in sent.items
        if item.trace_id or item.observation_id or item.session_id
    )
    return Delivery(TracesCalledOut(delivery_id=hashed, items=items)) if items else Ignored("no_items")


_READERS: dict[str, Callable[[Mapping[str, Any], str], Delivery | Ignored]] = {
    "prompt-version": _prompt_version,
    "monitor-alert": _monitor_alert,
    "project-notification": _project_notification,
    "remote-experiment": _remote_experiment,
    "web-callout": _web_callout,
}


def _name_of(name: str | None) -> str | None:
    """Who did it, unless the name is an address: those stay in Langfuse."""
    return None if name is None or "@" in name else name


def _typed(payload: str | dict[str, Any] | None) -> tuple[dict[str, Any], str | None]:
    """What a person typed as the payload of an experiment: Langfuse sends it as text and checks nothing."""
    if payload is None or isinstance(payload, dict):
        return payload or {}, None
    if not payload.strip():
        return {}, None
    try:
        parsed = json.loads(payload)
    except (ValueError, RecursionError):
        return {}, payload
    return (parsed, None) if isinstance(parsed, dict) else ({}, payload)


def _fits_the_bus(value: Any) -> bool:
    """Small and shallow enough for one event, and nothing in it that JSON does not know (NaN)."""
    try:
        return _depth(value) <= _DEEPEST and len(json.dumps(value, allow_nan=False)) <= _MOST_FREE_BYTES
    except ValueError:
        return False


def _depth(value: Any) -> int:
    """Levels of lists and objects, counted without recursion and no further than matters."""
    depth, level = 0, [value]
    while level and depth <= _DEEPEST:
        level = [
            child
            for part in level
            if isinstance(part, dict | list)
            for child in (part.values() if isinstance(part, dict) else part)
        ]
        depth += 1
    return depth
