"""Which traces people were asked about <-> the state table (`REVIEWS#<gate>`, one row a trace)."""

from datetime import datetime
from typing import Self

from flywheel.adapters.dynamodb import Table
from flywheel.adapters.dynamodb_gates import time_text
from flywheel.errors import ConflictError
from flywheel.ports import Claim


def _pk(gate_id: str) -> str:
    return f"REVIEWS#{gate_id}"


class DynamoDbReviews:
    """`ReviewLedger` on the state table. Rows stay: a trace that was queued once is never queued again."""

    def __init__(self, table: Table) -> None:
        self._table = table

    @classmethod
    def from_table(cls, name: str) -> Self:
        return cls(Table.from_name(name))

    def claim(self, gate_id: str, trace_id: str, *, now: datetime, until: datetime) -> Claim | None:
        taken = self._table.update(
            _pk(gate_id),
            trace_id,
            "SET claimed_until = :until, tried_since = if_not_exists(tried_since, :now) ADD tries :one",
            when="attribute_not_exists(queued_at) AND (attribute_not_exists(claimed_until) OR claimed_until <= :now)",
            values={":until": time_text(until), ":now": time_text(now), ":one": 1},
        )
        if taken is not None:
            return Claim(None if taken["tries"] == 1 else datetime.fromisoformat(taken["tried_since"]))
        standing = self._table.get(_pk(gate_id), trace_id) or {}
        if "queued_at" in standing:
            return None
        raise ConflictError(f"trace {trace_id} is being queued by somebody else until {standing.get('claimed_until')}")

    def let_go(self, gate_id: str, trace_id: str, *, now: datetime) -> None:
        self._table.update(
            _pk(gate_id),
            trace_id,
            "SET claimed_until = :now",
            when="attribute_exists(pk) AND attribute_not_exists(queued_at)",
            values={":now": time_text(now)},
        )

    def settle(self, gate_id: str, trace_id: str, *, now: datetime) -> None:
        self._table.update(
            _pk(gate_id),
            trace_id,
            "SET queued_at = :now REMOVE claimed_until",
            when="attribute_exists(pk) AND attribute_not_exists(queued_at)",
            values={":now": time_text(now)},
        )
