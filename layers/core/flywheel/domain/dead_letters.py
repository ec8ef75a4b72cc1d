"""A letter of the dead-letter queue -> what it is, why it is there, and where it belongs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from flywheel.domain.plan import STARTS_A_GATE

# `invocation`: of a function; `execution`: of a state machine; `event`: on our bus; `unknown`: it stays where it is.
type Route = Literal["invocation", "execution", "event", "unknown"]

_LONGEST_ERROR = 300
_OURS = "flywheel"


@dataclass(frozen=True, slots=True)
class Letter:
    """One message. `attributes`: what EventBridge and its Scheduler say beside the event they could not deliver."""

    letter_id: str
    body: str
    attributes: Mapping[str, str]
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Addresses:
    """What a letter of this stack may be handed to; anything else is left alone.

    `functions`: logical ids by name. `machines`: logical ids by ARN. `bus`: its name.
    """

    functions: Mapping[str, str]
    machines: Mapping[str, str]
    bus: str


@dataclass(frozen=True, slots=True)
class Event:
    """An entry for the bus. `detail` is JSON text."""

    source: str
    detail_type: str
    detail: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where a letter goes. `target`: a function's name, a state machine's ARN, or the bus; empty when unknown.

    `about`: what it is, in words without content. `error`: what went wrong then. `payload`: JSON text for a function
    or a state machine. `why`: why it belongs nowhere.
    """

    route: Route
    about: str
    error: str = ""
    target: str = ""
    target_name: str = ""
    payload: str = ""
    event: Event | None = field(default=None)
    why: str = ""


def route_letter(letter: Letter, addresses: Addresses) -> Delivery:
    """Read a letter. Never raises: what cannot be read is `unknown`."""
    try:
        body = json.loads(letter.body)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        return Delivery("unknown", "no event", why="it is not a JSON object")
    if isinstance(context := body.get("requestContext"), dict) and "requestPayload" in body:
        return _failed_invocation(body, context, addresses)
    if {"Source", "DetailType", "Detail"} <= body.keys():
        return _unsent_event(body, addresses)
    return _undelivered(letter, body, addresses)


def _failed_invocation(body: Mapping[str, Any], context: Mapping[str, Any], addresses: Addresses) -> Delivery:
    """A function took it and failed, as often as it was allowed to."""
    payload, error = body["requestPayload"], _error(body.get("responsePayload"), context.get("condition"))
    parts = str(context.get("functionArn", "")).split(":function:")
    name = parts[-1].partition(":")[0]
    about = _about(payload)
    if name not in addresses.functions:
        return Delivery("unknown", about, error, why=f"no function {name[:80]!r} is part of this stack")
    text = json.dumps(payload)
    return Delivery("invocation", about, error, name, addresses.functions[name], text)


def _unsent_event(body: Mapping[str, Any], addresses: Addresses) -> Delivery:
    """An event that the bus did not take, kept as an entry for it."""
    about, detail = f"event {body['DetailType']}", body["Detail"]
    if body["Source"] != _OURS or not isinstance(detail, str):
        return Delivery("unknown", about, why=f"its source is not {_OURS}")
    if body.get("EventBusName", addresses.bus) != addresses.bus:
        return Delivery("unknown", about, why="it is for another bus")
    event = Event(_OURS, str(body["DetailType"]), detail)
    return Delivery("event", about, "the bus did not take it", addresses.bus, "the bus", event=event)


def _undelivered(letter: Letter, body: Mapping[str, Any], addresses: Addresses) -> Delivery:
    """What a rule or a schedule could not hand to its target: the input of the target, as it was."""
    target = letter.attributes.get("TARGET_ARN", "")
    code, message = letter.attributes.get("ERROR_CODE", ""), letter.attributes.get("ERROR_MESSAGE", "")
    error = f"{code}: {message}".strip(": ")[:_LONGEST_ERROR]
    about = _about(body)
    function = target.split(":function:")[-1].partition(":")[0]
    if function in addresses.functions:
        return Delivery("invocation", about, error, function, addresses.functions[function], letter.body)
    if target in addresses.machines:
        return Delivery("execution", about, error, target, addresses.machines[target], letter.body)
    if target:
        return _scheduled_event(letter, target, error, addresses)
    return _by_kind(letter, body, about, error, addresses)


def _scheduled_event(letter: Letter, target: str, error: str, addresses: Addresses) -> Delivery:
    """The nightly gate's schedule puts a request on the bus; its letter is the detail of that event."""
    about = "nightly GateRequested"
    if not target.endswith(f":event-bus/{addresses.bus}") or "SCHEDULE_ARN" not in letter.attributes:
        return Delivery("unknown", "an event", error, why=f"{target[:120]} is not part of this stack")
    event = Event("flywheel.nightly", "GateRequested", letter.body)
    return Delivery("event", about, error, addresses.bus, "the bus", event=event)


def _by_kind(letter: Letter, body: Mapping[str, Any], about: str, error: str, addresses: Addresses) -> Delivery:
    """A letter that does not say for whom it was: only what has one place to go is handed over."""
    detail_type = str(body.get("detail-type", ""))
    wanted = "ExperimentStateMachine" if _asks_for_an_experiment(body) else "GateStateMachine"
    machine = next((arn for arn, logical in addresses.machines.items() if logical == wanted), None)
    retire = next((name for name, logical in addresses.functions.items() if logical == "RetireCandidateFunction"), None)
    if machine is not None and (detail_type in STARTS_A_GATE or wanted != "GateStateMachine"):
        return Delivery("execution", about, error, machine, addresses.machines[machine], letter.body)
    if retire is not None and detail_type == "Step Functions Execution Status Change":
        return Delivery("invocation", about, error, retire, addresses.functions[retire], letter.body)
    if str(body.get("source", "")) == _OURS and detail_type and isinstance(body.get("detail"), dict):
        event = Event(_OURS, detail_type, json.dumps(body["detail"]))
        return Delivery("event", about, error, addresses.bus, "the bus", event=event)
    return Delivery("unknown", about, error, why="it does not say for whom it was")


def _asks_for_an_experiment(body: Mapping[str, Any]) -> bool:
    """The button in Langfuse asks for a gate, or, when its payload names a file, for an experiment."""
    detail = body.get("detail")
    payload = detail.get("payload") if isinstance(detail, Mapping) else None
    named = isinstance(payload, Mapping) and "experiment" in payload
    kind = body.get("detail-type")
    return kind == "ExperimentRequested" or (kind == "ExperimentTriggered" and named)


def _about(payload: Any) -> str:
    if isinstance(payload, dict):
        if detail_type := payload.get("detail-type"):
            return f"event {str(detail_type)[:80]}"
        if "gate_id" in payload:
            return "a step of a gate"
    return "input of a schedule or a call"


def _error(response: Any, condition: Any) -> str:
    said = ""
    if isinstance(response, dict):
        kind, message = response.get("errorType", ""), response.get("errorMessage", "")
        said = f"{kind}: {message}".strip(": ")
    return (said or str(condition or ""))[:_LONGEST_ERROR]
