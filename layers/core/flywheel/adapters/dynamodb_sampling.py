"""How far live sampling has come <-> the state table (`SAMPLING#<environment>`)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Self

from flywheel.adapters.dynamodb import Item, Table
from flywheel.adapters.dynamodb_gates import time_text, time_value
from flywheel.domain.live_trace import Window
from flywheel.errors import ConflictError
from flywheel.ports.sampling import Alert, Closed, DayTotals, Progress

_PROGRESS, _DAY, _ALERT = "PROGRESS", "DAY#", "ALERT#"
_MOST_MONITORS = 100


def _progress(item: Item) -> Progress:
    return Progress(
        watermark=time_value(item.get("watermark")),
        until=time_value(item.get("window_until")),
        seen_key=item.get("seen_key"),
        longest_s=item.get("longest_s"),
    )


class DynamoDbSampling:
    """`SamplingStore` of one Langfuse environment on the state table."""

    def __init__(self, table: Table, environment: str) -> None:
        self._table = table
        self._pk = f"SAMPLING#{environment}"

    @classmethod
    def from_table(cls, name: str, environment: str) -> Self:
        return cls(Table.from_name(name), environment)

    def begin(self, holder: str, *, now: datetime, until: datetime) -> Progress:
        taken = self._table.update(
            self._pk,
            _PROGRESS,
            "SET holder = :holder, held_until = :until",
            when="attribute_not_exists(held_until) OR held_until <= :now OR holder = :holder",
            values={":holder": holder, ":until": time_text(until), ":now": time_text(now)},
        )
        if taken is None:
            raise ConflictError("another run is sampling just now")
        return _progress(taken)

    def look(self) -> Progress:
        return _progress(self._table.get(self._pk, _PROGRESS) or {})

    def note_window(self, holder: str, window: Window) -> None:
        self._set(
            holder,
            "SET window_until = :until, watermark = if_not_exists(watermark, :since)",
            {":until": time_text(window.until), ":since": time_text(window.since)},
        )

    def narrow(self, holder: str, longest_s: int) -> None:
        self._set(holder, "SET longest_s = :longest REMOVE window_until", {":longest": longest_s})

    def let_go(self, holder: str) -> None:
        self._table.update(
            self._pk, _PROGRESS, "REMOVE holder, held_until", when="holder = :holder", values={":holder": holder}
        )

    def close(self, holder: str, closed: Closed) -> None:
        shorter = ", longest_s = :longest REMOVE window_until"
        moved = self._table.update_operation(
            self._pk,
            _PROGRESS,
            "SET watermark = :until, seen_key = :seen_key"
            + (shorter if closed.longest_s else " REMOVE window_until, longest_s"),
            when="holder = :holder",
            values={":until": time_text(closed.until), ":holder": holder, ":seen_key": closed.seen_key}
            | ({":longest": closed.longest_s} if closed.longest_s else {}),
        )
        counted = self._table.update_operation(
            self._pk,
            f"{_DAY}{closed.day}",
            "ADD seen :seen, eligible :eligible, queued :queued",
            when=None,
            values={":seen": closed.seen, ":eligible": closed.eligible, ":queued": closed.queued},
        )
        if self._table.transact(moved, counted):
            raise ConflictError("the right to sample was lost to another run")

    def _set(self, holder: str, expression: str, values: Item) -> None:
        changed = self._table.update(
            self._pk, _PROGRESS, expression, when="holder = :holder", values=values | {":holder": holder}
        )
        if changed is None:
            raise ConflictError("the right to sample was lost to another run")

    def totals(self, days: Sequence[str]) -> Mapping[str, DayTotals]:
        wanted = set(days)
        found = self._table.newest(self._pk, _DAY, len(wanted)) if wanted else []
        return {
            day: DayTotals(item["seen"], item["eligible"], item["queued"])
            for item in found
            if (day := item["sk"].removeprefix(_DAY)) in wanted
        }

    def note_alert(self, alert: Alert) -> bool:
        noted = self._table.update(
            self._pk,
            f"{_ALERT}{alert.monitor_id}",
            "SET said_at = :at, active = :active, active_until = :until",
            when="attribute_not_exists(said_at) OR said_at <= :at",
            values={":at": time_text(alert.at), ":active": alert.active, ":until": time_text(alert.until)},
        )
        return noted is not None

    def alerts(self) -> list[Alert]:
        return [
            Alert(
                monitor_id=item["sk"].removeprefix(_ALERT),
                at=datetime.fromisoformat(item["said_at"]),
                active=item["active"],
                until=datetime.fromisoformat(item["active_until"]),
            )
            for item in self._table.newest(self._pk, _ALERT, _MOST_MONITORS)
        ]
