"""Event -> the record that a gate starts with, even when the event itself is what is wrong."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flywheel.domain.releases import gate_id
from flywheel.errors import InvalidRequestError
from flywheel.ports import GateRow
from flywheel.triggers import DIGEST, GateTrigger, NotForUs, parse_trigger

# What stands as the trigger of a gate whose event could not be read.
UNREADABLE = "unreadable"


def opened(trigger: GateTrigger, execution_arn: str, now: datetime) -> GateRow:
    """The record before anything is looked up: a digest that the event names is known from the start.

    An event may bear the time of its sender's clock. One that is ahead must not supersede what is pushed later, so it
    counts as asked for now.
    """
    return GateRow(
        gate_id=trigger.gate_id,
        execution_arn=execution_arn,
        trigger=trigger.source,
        started=now,
        requested_at=min(trigger.requested_at, now.astimezone(UTC)).isoformat(),
        digest=trigger.reference if DIGEST.fullmatch(trigger.reference) else None,
        tag=trigger.tag,
    )


def opened_unplanned(event: Mapping[str, Any], repository: str, execution_arn: str, now: datetime) -> GateRow | None:
    """The record of a gate whose planning failed for good; None when the event was not for us anyway.

    An event that cannot be read still has an id and a time of its own, or else the execution has.
    """
    try:
        trigger = parse_trigger(event, repository)
    except InvalidRequestError:
        time = _time(event.get("time")) or now
        stamp = gate_id(time, str(event.get("id") or execution_arn))
        return GateRow(stamp, execution_arn, UNREADABLE, started=now, requested_at=time.astimezone(UTC).isoformat())
    return None if isinstance(trigger, NotForUs) else opened(trigger, execution_arn, now)


def _time(text: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None
