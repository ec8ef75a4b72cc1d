"""What runs of the harvest leave for each other <-> the state table (partition `HARVEST`)."""

from datetime import datetime
from typing import Self

from flywheel.adapters.dynamodb import Table
from flywheel.adapters.dynamodb_gates import time_text
from flywheel.domain.harvest import growth_id
from flywheel.errors import ConflictError
from flywheel.ports.harvest import Growth, Look

_PK = "HARVEST"
_RUN, _GROWTH = "RUN", "GROWTH"
_LOOK, _ITEM = "LOOK#", "ITEM#"
_MOST_LOOKS = 10_000
# The event that names them must stay below 256 KB, and a gate of them within its time: the rest is announced next.
_MOST_AT_ONCE = 500


class DynamoDbHarvestNotes:
    """`HarvestNotes` on the state table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    @classmethod
    def from_table(cls, name: str) -> Self:
        return cls(Table.from_name(name))

    def acquire(self, holder: str, *, now: datetime, until: datetime) -> None:
        taken = self._table.update(
            _PK,
            _RUN,
            "SET holder = :holder, held_until = :until",
            when="attribute_not_exists(pk) OR held_until <= :now OR holder = :holder",
            values={":holder": holder, ":until": time_text(until), ":now": time_text(now)},
        )
        if taken is None:
            raise ConflictError("another run of the harvest is under way")

    def release(self, holder: str) -> None:
        self._table.delete(_PK, _RUN, when="holder = :holder", values={":holder": holder})

    def looks(self) -> dict[str, Look]:
        return {
            str(row["sk"]).removeprefix(_LOOK): Look(
                row["review_hash"],
                datetime.fromisoformat(row["since"]),
                conflicting=row["conflicting"],
                tries=int(row.get("tries", 0)),
            )
            for row in self._table.newest(_PK, _LOOK, _MOST_LOOKS)
        }

    def note_look(self, trace_id: str, look: Look) -> None:
        self._table.update(
            _PK,
            _LOOK + trace_id,
            "SET review_hash = :hash, since = :since, conflicting = :conflicting, tries = :tries",
            when="attribute_not_exists(pk) OR attribute_exists(pk)",
            values={
                ":hash": look.review_hash,
                ":since": time_text(look.since),
                ":conflicting": look.conflicting,
                ":tries": look.tries,
            },
        )

    def forget_look(self, trace_id: str) -> None:
        self._table.delete(_PK, _LOOK + trace_id, when="attribute_exists(pk)", values={})

    def announce(self, item_id: str, state: str) -> None:
        self._table.update(
            _PK,
            _ITEM + item_id,
            "SET item_state = :state",
            when="attribute_not_exists(pk) OR attribute_exists(pk)",
            values={":state": state},
        )

    def growth(self) -> Growth | None:
        standing = self._table.get(_PK, _GROWTH)
        if standing is None:
            rows = self._table.newest(_PK, _ITEM, _MOST_AT_ONCE)
            items = {str(row["sk"]).removeprefix(_ITEM): str(row["item_state"]) for row in rows}
            if not items:
                return None
            begun = {"pk": _PK, "sk": _GROWTH, "request_id": growth_id(items), "growing": items}
            if self._table.put(begun, when="attribute_not_exists(pk)", values={}):
                return Growth(begun["request_id"], items)  # type: ignore[arg-type]
            standing = self._table.get(_PK, _GROWTH)
        return None if standing is None else Growth(standing["request_id"], standing["growing"])

    def announced(self, growth: Growth) -> None:
        for item_id, state in growth.items.items():
            # An item that was written again since then stays on the list.
            self._table.delete(_PK, _ITEM + item_id, when="item_state = :state", values={":state": state})
        self._table.delete(_PK, _GROWTH, when="request_id = :id", values={":id": growth.request_id})
