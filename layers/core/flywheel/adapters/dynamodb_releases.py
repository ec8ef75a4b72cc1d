"""Releases, the right to promote and the newest request <-> the state table (`AGENT#<production runtime name>`)."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

from flywheel.adapters.dynamodb import Item, Table
from flywheel.adapters.dynamodb_gates import time_text, time_value
from flywheel.domain.candidate import Candidate
from flywheel.domain.releases import GateRequest
from flywheel.errors import ConflictError
from flywheel.ports import Head, Release

_FREE_OR_MINE = "(attribute_not_exists(promoting) OR promoting = :holder OR promoting_until < :now)"


def _release_sk(release_no: int) -> str:
    return f"RELEASE#{release_no:06d}"


def _release_item(release: Release) -> Item:
    return {
        "release_no": release.release_no,
        # As JSON text: DynamoDB's numbers do not tell 1 from 1.0, and a candidate's id does.
        "candidate": json.dumps(release.candidate.to_dict(), sort_keys=True),
        "gate_id": release.gate_id,
        "runtime_id": release.runtime_id,
        "runtime_version": release.runtime_version,
        "since": time_text(release.since),
    }


def _release(item: Mapping[str, Any]) -> Release:
    return Release(
        release_no=item["release_no"],
        candidate=Candidate.from_dict(json.loads(item["candidate"])),
        gate_id=item["gate_id"],
        runtime_id=item["runtime_id"],
        runtime_version=item["runtime_version"],
        since=datetime.fromisoformat(item["since"]),
        until=time_value(item.get("until")),
        ended_because=item.get("ended_because"),
    )


def _at(expected: int | None) -> tuple[str, Item]:
    if expected is None:
        return "attribute_not_exists(release_no)", {}
    return "release_no = :expected", {":expected": expected}


class DynamoDbReleases:
    """`ReleaseStore` on the state table, for one agent."""

    def __init__(self, table: Table, production_runtime_name: str) -> None:
        self._table = table
        self._pk = f"AGENT#{production_runtime_name}"

    @classmethod
    def from_table(cls, name: str, production_runtime_name: str) -> Self:
        return cls(Table.from_name(name), production_runtime_name)

    def head(self) -> Head:
        item = self._table.get(self._pk, "HEAD")
        if item is None:
            return Head()
        return Head(
            release=_release(item) if "release_no" in item else None,
            promoting=item.get("promoting"),
            promoting_until=time_value(item.get("promoting_until")),
        )

    def release(self, release_no: int) -> Release | None:
        item = self._table.get(self._pk, _release_sk(release_no))
        return None if item is None else _release(item)

    def releases(self, limit: int) -> list[Release]:
        return [_release(item) for item in self._table.newest(self._pk, "RELEASE#", limit)]

    def acquire(self, holder: str, expected_release: int | None, *, now: datetime, until: datetime) -> None:
        unchanged, values = _at(expected_release)
        taken = self._table.update(
            self._pk,
            "HEAD",
            "SET promoting = :holder, promoting_until = :until",
            when=f"{unchanged} AND {_FREE_OR_MINE}",
            values={":holder": holder, ":until": time_text(until), ":now": time_text(now)} | values,
        )
        if taken is None:
            raise ConflictError(self._why_not(expected_release))

    def let_go(self, holder: str) -> None:
        self._table.update(
            self._pk,
            "HEAD",
            "REMOVE promoting, promoting_until",
            when="promoting = :holder",
            values={":holder": holder},
        )

    def commit(self, release: Release, *, holder: str, expected_release: int | None, ended_because: str) -> None:
        unchanged, values = _at(expected_release)
        fields = _release_item(release)
        operations = [
            self._table.update_operation(
                self._pk,
                "HEAD",
                "SET " + ", ".join(f"{name} = :{name}" for name in fields) + " REMOVE promoting, promoting_until",
                when=f"promoting = :holder AND {unchanged}",
                values={f":{name}": value for name, value in fields.items()} | {":holder": holder} | values,
            ),
            self._table.put_operation({"pk": self._pk, "sk": _release_sk(release.release_no)} | fields),
        ]
        if expected_release is not None:
            operations.append(
                self._table.update_operation(
                    self._pk,
                    _release_sk(expected_release),
                    "SET #until = :until, ended_because = :because",  # UNTIL is a reserved word
                    when="attribute_exists(pk)",
                    values={":until": time_text(release.since), ":because": ended_because},
                    names={"#until": "until"},
                )
            )
        if self._table.transact(*operations):
            raise ConflictError(self._why_not(expected_release))

    def note_request(self, request: GateRequest) -> GateRequest:
        changed = self._table.update(
            self._pk,
            "NEWEST_REQUEST",
            "SET gate_id = :gate, requested_at = :at, event_id = :event",
            # The rule of domain.releases.supersedes, where the table can hold two writers to it.
            when="attribute_not_exists(pk) OR requested_at < :at OR (requested_at = :at AND event_id <= :event)",
            values={":gate": request.gate_id, ":at": time_text(request.requested_at), ":event": request.event_id},
        )
        return request if changed is not None else self.newest_request() or request

    def newest_request(self) -> GateRequest | None:
        item = self._table.get(self._pk, "NEWEST_REQUEST")
        if item is None:
            return None
        return GateRequest(item["gate_id"], datetime.fromisoformat(item["requested_at"]), item["event_id"])

    def _why_not(self, expected: int | None) -> str:
        head = self.head()
        current = head.release.release_no if head.release else None
        if current != expected:
            return f"production is at release {current or 'none'}, not at {expected or 'none'} any more"
        until = head.promoting_until.astimezone(UTC).isoformat() if head.promoting_until else "now"
        return f"{head.promoting} holds the right to promote until {until}"
