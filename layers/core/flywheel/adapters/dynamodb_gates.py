"""Records of gates <-> the state table (`GATES`, `EXECUTION#...`, `DAY#...`)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Self

from flywheel.adapters.dynamodb import Item, Table
from flywheel.domain.gate import VerdictKind
from flywheel.domain.outcome import Arm
from flywheel.errors import ConflictError, NotFoundError
from flywheel.ports import GateArm, GateRow, Hold, Promotion, Settlement

_GATES = "GATES"


def time_text(moment: datetime) -> str:
    """ISO 8601 in UTC, always equally long, so that text order is time order."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def time_value(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _arms_item(arms: Mapping[Arm, GateArm]) -> Item:
    return {
        arm: {"runtime_name": a.runtime_name, **({"runtime_id": a.runtime_id} if a.runtime_id else {})}
        for arm, a in arms.items()
    }


def _promotion_item(promotion: Promotion) -> Item:
    item = {
        "step": promotion.step,
        "started_at": time_text(promotion.started_at),
        "runtime_id": promotion.runtime_id,
        "version": promotion.version,
        "previous_version": promotion.previous_version,
        "reason": promotion.reason,
        "message": promotion.message,
        "committed_at": time_text(promotion.committed_at) if promotion.committed_at else None,
        "label": promotion.label,
        "label_trouble": promotion.label_trouble,
    }
    return {name: value for name, value in item.items() if value is not None}


def _promotion(item: Mapping[str, Any] | None) -> Promotion | None:
    if item is None:
        return None
    return Promotion(
        step=item["step"],
        started_at=datetime.fromisoformat(item["started_at"]),
        runtime_id=item.get("runtime_id"),
        version=item.get("version"),
        previous_version=item.get("previous_version"),
        reason=item.get("reason"),
        message=item.get("message"),
        committed_at=time_value(item.get("committed_at")),
        label=item.get("label"),
        label_trouble=item.get("label_trouble"),
    )


def _settlement_item(settlement: Settlement) -> Item:
    return {
        "kind": settlement.kind,
        "at": time_text(settlement.at),
        "by": settlement.by,
        "name": settlement.name,
        "reason": settlement.reason,
    }


def _hold(item: Mapping[str, Any] | None) -> Hold | None:
    if item is None:
        return None
    settled = item.get("settled")
    return Hold(
        datetime.fromisoformat(item["since"]),
        datetime.fromisoformat(item["until"]),
        None if settled is None else Settlement(**{**settled, "at": datetime.fromisoformat(settled["at"])}),
    )


def _row(item: Mapping[str, Any]) -> GateRow:
    return GateRow(
        gate_id=item["gate_id"],
        execution_arn=item["execution_arn"],
        trigger=item["trigger"],
        started=datetime.fromisoformat(item["started"]),
        requested_at=item["requested_at"],
        status=item["status"],
        digest=item.get("digest"),
        tag=item.get("tag"),
        arms={arm: GateArm(a["runtime_name"], a.get("runtime_id")) for arm, a in item.get("arms", {}).items()},
        verdict=item.get("verdict"),
        reasons=tuple(item.get("reasons", ())),
        refused=tuple(item.get("refused", ())),
        promoted=item.get("promoted", False),
        promotion=_promotion(item.get("promotion")),
        ended=time_value(item.get("ended")),
        report_key=item.get("report_key"),
        hold=_hold(item.get("hold")),
    )


class DynamoDbGates:
    """`GateStore` on the state table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    @classmethod
    def from_table(cls, name: str) -> Self:
        return cls(Table.from_name(name))

    def open(self, row: GateRow) -> GateRow:
        item = {
            "pk": _GATES,
            "sk": row.gate_id,
            "gate_id": row.gate_id,
            "execution_arn": row.execution_arn,
            "trigger": row.trigger,
            "started": time_text(row.started),
            "requested_at": row.requested_at,
            "status": row.status,
            "digest": row.digest,
            "tag": row.tag,
            "arms": _arms_item(row.arms),
            "promoted": False,
        }
        pointer = {"pk": f"EXECUTION#{row.execution_arn}", "sk": "GATE", "gate_id": row.gate_id}
        refused = self._table.transact(self._table.put_operation(item), self._table.put_operation(pointer))
        if not refused:
            return row
        return self._required(row.gate_id)

    def get(self, gate_id: str) -> GateRow | None:
        item = self._table.get(_GATES, gate_id)
        return None if item is None else _row(item)

    def by_execution(self, execution_arn: str) -> GateRow | None:
        pointer = self._table.get(f"EXECUTION#{execution_arn}", "GATE")
        return None if pointer is None else self.get(pointer["gate_id"])

    def recent(self, limit: int) -> list[GateRow]:
        return [_row(item) for item in self._table.newest(_GATES, "g-", limit)]

    def count(self, gate_id: str, day: str, cap: int) -> bool:
        counted = self._table.update_operation(
            _GATES,
            gate_id,
            "SET counted_on = :day",
            when="attribute_exists(pk) AND attribute_not_exists(counted_on)",
            values={":day": day},
        )
        total = self._table.update_operation(
            f"DAY#{day}",
            "GATES",
            "ADD gates :one",
            when="attribute_not_exists(gates) OR gates < :cap",
            values={":one": 1, ":cap": cap},
        )
        refused = self._table.transact(counted, total)
        if not refused:
            return True
        if refused[0] == "ConditionalCheckFailed":
            self._required(gate_id)  # counted before: a retry of the same gate
            return True
        return False

    def describe(self, gate_id: str, *, digest: str | None, tag: str | None, arms: Mapping[Arm, GateArm]) -> None:
        self._set(gate_id, {"digest": digest, "tag": tag, "arms": _arms_item(arms)})

    def refuse(self, gate_id: str, reasons: Sequence[str]) -> None:
        self._set(gate_id, {"refused": list(reasons)})

    def note_runtime(self, gate_id: str, arm: Arm, runtime_id: str) -> None:
        changed = self._table.update(
            _GATES,
            gate_id,
            "SET arms.#arm.runtime_id = :id",
            when="attribute_exists(pk)",
            values={":id": runtime_id},
            names={"#arm": arm},
        )
        if changed is None:
            raise NotFoundError(f"no gate {gate_id}")

    def note_promotion(self, gate_id: str, promotion: Promotion) -> None:
        self._set(gate_id, {"promotion": _promotion_item(promotion)})

    def hold(self, gate_id: str, hold: Hold, task_token: str) -> GateRow:
        changed = self._table.update(
            _GATES,
            gate_id,
            "SET #hold = if_not_exists(#hold, :hold), task_token = :token",
            when="#status = :running",
            values={
                ":hold": {"since": time_text(hold.since), "until": time_text(hold.until)},
                ":token": task_token,
                ":running": "running",
            },
            names={"#hold": "hold", "#status": "status"},
        )
        if changed is None:
            self._must_exist(gate_id)
            raise ConflictError(f"gate {gate_id} has ended: it waits for nobody")
        return _row(changed)

    def task_token(self, gate_id: str) -> str | None:
        item = self._table.get(_GATES, gate_id)
        return None if item is None else item.get("task_token")

    def settle(self, gate_id: str, settlement: Settlement) -> Settlement:
        when = "#status = :running AND attribute_exists(#hold) AND attribute_not_exists(#hold.settled)"
        values: Item = {":settled": _settlement_item(settlement), ":running": "running"}
        if settlement.kind != "timed_out":
            when += " AND #hold.#until > :at"
            values[":at"] = time_text(settlement.at)
        names = {"#hold": "hold", "#status": "status"} | ({"#until": "until"} if ":at" in values else {})
        changed = self._table.update(
            _GATES, gate_id, "SET #hold.settled = :settled", when=when, values=values, names=names
        )
        if changed is not None:
            return settlement
        hold = self._must_exist(gate_id).hold
        if hold is None:
            raise ConflictError(f"gate {gate_id} is not held")
        if hold.settled is None:
            raise ConflictError(
                f"gate {gate_id} waited for a person until {hold.until:%Y-%m-%d %H:%M} UTC, or was ended"
            )
        return hold.settled

    def end(
        self,
        gate_id: str,
        *,
        verdict: VerdictKind,
        reasons: Sequence[str],
        promoted: bool,
        ended: datetime,
        report_key: str | None,
    ) -> GateRow:
        values = {
            "status": "ended",
            "verdict": verdict,
            "reasons": list(reasons),
            "promoted": promoted,
            "ended": time_text(ended),
            "report_key": report_key,
        }
        changed = self._set_when(gate_id, values, "#status = :running", {":running": "running"})
        return self._required(gate_id) if changed is None else _row(changed)

    def attach_report(self, gate_id: str, report_key: str) -> None:
        self._set(gate_id, {"report_key": report_key})

    def _set(self, gate_id: str, values: Mapping[str, Any]) -> None:
        if self._set_when(gate_id, values, "attribute_exists(pk)", {}) is None:
            raise NotFoundError(f"no gate {gate_id}")

    def _set_when(self, gate_id: str, values: Mapping[str, Any], when: str, more: Mapping[str, Any]) -> Item | None:
        given = {name: value for name, value in values.items() if value is not None}
        names = {f"#{name}": name for name in given} | ({"#status": "status"} if "#status" in when else {})
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in given)
        return self._table.update(
            _GATES,
            gate_id,
            expression,
            when=when,
            values={f":{name}": value for name, value in given.items()} | dict(more),
            names=names,
        )

    def _must_exist(self, gate_id: str) -> GateRow:
        row = self.get(gate_id)
        if row is None:
            raise NotFoundError(f"no gate {gate_id}")
        return row

    def _required(self, gate_id: str) -> GateRow:
        row = self.get(gate_id)
        if row is None:
            raise ConflictError(f"the execution already carries out another gate than {gate_id}")
        return row
