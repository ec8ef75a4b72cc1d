"""Event -> the record of an experiment that could not even be planned, so that no request goes without a trace."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flywheel.domain.experiment import experiment_id
from flywheel.errors import InvalidRequestError
from flywheel.experiment_triggers import parse_experiment_trigger
from flywheel.ports import ExperimentRow

UNREADABLE = "unreadable"
_LONGEST_ID = 1000


def opened_unplanned_experiment(event: Mapping[str, Any], execution_arn: str, now: datetime) -> ExperimentRow:
    """The record that the event would have had; what cannot be read of it is taken from the execution."""
    try:
        trigger = parse_experiment_trigger(event)
    except InvalidRequestError:
        return _unreadable(event, execution_arn, now)
    return ExperimentRow(trigger.experiment_id, execution_arn, trigger.file, trigger.source, now)


def _unreadable(event: Mapping[str, Any], execution_arn: str, now: datetime) -> ExperimentRow:
    detail = event.get("detail")
    detail = detail if isinstance(detail, Mapping) else {}
    request = next(
        (
            one
            for one in (detail.get("request_id"), event.get("id"))
            if isinstance(one, str) and 0 < len(one) <= _LONGEST_ID
        ),
        execution_arn,
    )
    stamp = experiment_id(_time(event.get("time")) or now, request)
    return ExperimentRow(stamp, execution_arn, UNREADABLE, UNREADABLE, now)


def _time(text: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None
