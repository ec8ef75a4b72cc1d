"""Langfuse's deliveries: request at the Function URL in, one event on the bus for each delivery, an answer out."""

import base64
import binascii
import json
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from pydantic import BaseModel, Field

from flywheel.adapters.eventbridge import EventBridgeBus
from flywheel.adapters.idempotency import PowertoolsOnce
from flywheel.adapters.ssm import SsmSettings
from flywheel.clock import SystemClock
from flywheel.config import from_env
from flywheel.public_errors import public_errors
from flywheel.receiving import Answer, Receiver, Request
from flywheel.sender_secrets import SenderSecrets

if TYPE_CHECKING:
    from collections.abc import Mapping

logger, metrics = Logger(), Metrics()

# A callout's sender waits five seconds. One service that hangs costs two of them, and the next one is asked after that.
HASTE = Config(
    connect_timeout=0.5,
    read_timeout=0.9,
    retries={"mode": "standard", "total_max_attempts": 2},
    parameter_validation=False,
)


class Settings(BaseModel):
    event_bus: str
    idempotency_table: str
    dead_letter_queue_url: str
    settings_prefix: str
    signature_tolerance_seconds: float = Field(ge=60, le=3600)


class _Letters:
    """The queue's client is made when the bus has failed, and not before: it would slow every start."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def keep(self, detail_type: str, detail: "Mapping[str, object]") -> None:
        from flywheel.adapters.sqs import SqsDeadLetters  # noqa: PLC0415

        queue = SqsDeadLetters.from_queue(self._settings.dead_letter_queue_url, self._settings.event_bus, HASTE)
        queue.keep(detail_type, detail)


@cache
def parts() -> tuple[Receiver, PowertoolsOnce]:
    """Wire the parts at the first call, not at import: tests need no AWS environment."""
    settings = from_env(Settings)
    once = PowertoolsOnce.from_table(settings.idempotency_table, HASTE)
    clock = SystemClock()
    receiver = Receiver(
        secrets=SenderSecrets(SsmSettings.from_prefix(settings.settings_prefix, HASTE), clock),
        once=once,
        bus=EventBridgeBus.from_bus(settings.event_bus, HASTE),
        letters=_Letters(settings),
        clock=clock,
        tolerance_s=settings.signature_tolerance_seconds,
    )
    return receiver, once


def request_of(event: dict[str, Any]) -> Request | None:
    """Read the event of a Function URL (payload format 2.0); None: its body is not what it says it is."""
    text = event.get("body") or ""
    try:
        # What Lambda gives as text is UTF-8 that it has decoded: this is the body byte for byte.
        body = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    except (binascii.Error, ValueError):
        return None
    return Request(
        method=event["requestContext"]["http"]["method"],
        path=event.get("rawPath") or "/",
        headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
        body=body,
    )


@public_errors
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    receiver, once = parts()
    once.register(context)
    request = request_of(event)
    answer = receiver.receive(request) if request is not None else Answer("Malformed", reason="the body is no base64")
    metrics.add_metric(f"Deliveries{answer.outcome}", MetricUnit.Count, 1)
    log = logger.info if answer.outcome in ("Accepted", "Replayed", "Checked", "Ignored") else logger.warning
    log("delivery answered", outcome=answer.outcome, sender=answer.sender, delivery_id=answer.delivery_id,
        reason=answer.reason, status=answer.status)  # fmt: skip
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    if answer.outcome == "WrongMethod":
        headers["allow"] = "POST"
    said: dict[str, object] = {"checked": True} if answer.outcome == "Checked" else {"status": answer.outcome}
    return {"statusCode": answer.status, "headers": headers, "body": json.dumps(said)}
