"""Event -> the record of an experiment that could not even be planned, so that no request goes without a trace."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flywheel.domain.experiment import FILE_NAME, experiment_id
from flywheel.ports import ExperimentRow

UNREADABLE = "unreadable"
_TRIGGERS = {"ExperimentRequested": "cli", "ExperimentTriggered": "remote-experiment"}
_LONGEST_ID = 1000


def opened_unplanned_experiment(event: Mapping[str, Any], execution_arn: str, now: datetime) -> ExperimentRow:
    """The record that the event would have had; what cannot be read of it is taken from the execution."""
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
    name = detail.get("file", detail.get("experiment"))
    reason = detail.get("reason")
    return ExperimentRow(
        experiment_id=experiment_id(_time(event.get("time")) or now, request),
        execution_arn=execution_arn,
        name=name if isinstance(name, str) and FILE_NAME.fullmatch(name) else UNREADABLE,
        trigger=reason if reason in ("cli", "nightly") else _TRIGGERS.get(str(event.get("detail-type")), UNREADABLE),
        started=now,
    )


def _time(text: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None
