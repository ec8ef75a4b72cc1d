"""Which gate judges what was pushed <-> the state table (`PUSHES#<production runtime name>`)."""

from datetime import datetime
from typing import Self

from flywheel.adapters.dynamodb import Table
from flywheel.adapters.dynamodb_gates import time_text
from flywheel.domain.pushes import PushClaim
from flywheel.domain.releases import GateRequest


class DynamoDbPushClaims:
    """`PushClaims` on the state table, for one agent."""

    def __init__(self, table: Table, production_runtime_name: str) -> None:
        self._table = table
        self._pk = f"PUSHES#{production_runtime_name}"

    @classmethod
    def from_table(cls, name: str, production_runtime_name: str) -> Self:
        return cls(Table.from_name(name), production_runtime_name)

    def claim_on(self, runs: str) -> PushClaim | None:
        item = self._table.get(self._pk, runs)
        if item is None:
            return None
        request = GateRequest(item["gate_id"], datetime.fromisoformat(item["requested_at"]), item["event_id"])
        return PushClaim(runs, request, item.get("tag"), item.get("found", False))

    def claim(self, claim: PushClaim, *, instead_of: PushClaim | None) -> bool:
        request = claim.request
        item = {
            "pk": self._pk,
            "sk": claim.runs,
            "gate_id": request.gate_id,
            "requested_at": time_text(request.requested_at),
            "event_id": request.event_id,
            "tag": claim.tag,
            "found": claim.found,
        }
        if instead_of is None:
            return self._table.put(item, when="attribute_not_exists(pk)", values={})
        return self._table.put(item, when="gate_id = :known", values={":known": instead_of.request.gate_id})
