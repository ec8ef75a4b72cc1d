"""`GateStore` and `ReleaseStore` in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from threading import Lock

from flywheel.domain.gate import VerdictKind
from flywheel.domain.outcome import Arm
from flywheel.domain.releases import GateRequest, supersedes
from flywheel.errors import ConflictError, InvalidRequestError, NotFoundError
from flywheel.ports import GateArm, GateRow, Head, Hold, Promotion, Release, Settlement


class InMemoryGates:
    def __init__(self) -> None:
        self.rows: dict[str, GateRow] = {}
        self.counted: dict[str, str] = {}
        self.executions: dict[str, str] = {}
        self.tokens: dict[str, str] = {}
        self._lock = Lock()

    def open(self, row: GateRow) -> GateRow:
        with self._lock:
            if row.gate_id in self.rows:
                return self.rows[row.gate_id]
            if row.execution_arn in self.executions:
                raise ConflictError(f"{row.execution_arn} carries out {self.executions[row.execution_arn]}")
            self.rows[row.gate_id] = row
            self.executions[row.execution_arn] = row.gate_id
            return row

    def get(self, gate_id: str) -> GateRow | None:
        if not gate_id:
            raise InvalidRequestError("DynamoDB takes no empty key")
        return self.rows.get(gate_id)

    def by_execution(self, execution_arn: str) -> GateRow | None:
        gate_id = self.executions.get(execution_arn)
        return None if gate_id is None else self.rows[gate_id]

    def recent(self, limit: int) -> list[GateRow]:
        return [self.rows[gate_id] for gate_id in sorted(self.rows, reverse=True)[:limit]]

    def count(self, gate_id: str, day: str, cap: int) -> bool:
        self._required(gate_id)
        if gate_id in self.counted:
            return True
        if sum(counted == day for counted in self.counted.values()) >= cap:
            return False
        self.counted[gate_id] = day
        return True

    def describe(self, gate_id: str, *, digest: str | None, tag: str | None, arms: Mapping[Arm, GateArm]) -> None:
        row = self._required(gate_id)
        self.rows[gate_id] = replace(row, digest=digest or row.digest, tag=tag or row.tag, arms=dict(arms))

    def refuse(self, gate_id: str, reasons: Sequence[str]) -> None:
        self.rows[gate_id] = replace(self._required(gate_id), refused=tuple(reasons))

    def note_runtime(self, gate_id: str, arm: Arm, runtime_id: str) -> None:
        row = self._required(gate_id)
        arms = dict(row.arms) | {arm: replace(row.arms[arm], runtime_id=runtime_id)}
        self.rows[gate_id] = replace(row, arms=arms)

    def note_promotion(self, gate_id: str, promotion: Promotion) -> None:
        self.rows[gate_id] = replace(self._required(gate_id), promotion=promotion)

    def hold(self, gate_id: str, hold: Hold, task_token: str) -> GateRow:
        row = self._required(gate_id)
        if row.status != "running":
            raise ConflictError(f"gate {gate_id} has ended")
        self.tokens[gate_id] = task_token
        self.rows[gate_id] = replace(row, hold=row.hold or hold)
        return self.rows[gate_id]

    def task_token(self, gate_id: str) -> str | None:
        return self.tokens.get(gate_id)

    def settle(self, gate_id: str, settlement: Settlement) -> Settlement:
        with self._lock:
            row = self._required(gate_id)
            if row.hold is None:
                raise ConflictError(f"gate {gate_id} is not held")
            if row.hold.settled is not None:
                return row.hold.settled
            if not row.held or (settlement.kind != "timed_out" and settlement.at >= row.hold.until):
                raise ConflictError(f"gate {gate_id} does not wait any more")
            self.rows[gate_id] = replace(row, hold=replace(row.hold, settled=settlement))
            return settlement

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
        row = self._required(gate_id)
        if row.status == "running":
            self.rows[gate_id] = replace(
                row,
                status="ended",
                verdict=verdict,
                reasons=tuple(reasons),
                promoted=promoted,
                ended=ended,
                report_key=report_key,
            )
        return self.rows[gate_id]

    def attach_report(self, gate_id: str, report_key: str) -> None:
        self.rows[gate_id] = replace(self._required(gate_id), report_key=report_key)

    def _required(self, gate_id: str) -> GateRow:
        if gate_id not in self.rows:
            raise NotFoundError(gate_id)
        return self.rows[gate_id]


class InMemoryReleases:
    def __init__(self) -> None:
        self.now_in_production = Head()
        self.history: dict[int, Release] = {}
        self.request: GateRequest | None = None
        self._lock = Lock()

    def head(self) -> Head:
        return self.now_in_production

    def release(self, release_no: int) -> Release | None:
        return self.history.get(release_no)

    def releases(self, limit: int) -> list[Release]:
        return [self.history[number] for number in sorted(self.history, reverse=True)[:limit]]

    def acquire(self, holder: str, expected_release: int | None, *, now: datetime, until: datetime) -> None:
        with self._lock:
            head = self.now_in_production
            self._at(expected_release)
            taken = head.promoting not in (None, holder)
            if taken and (head.promoting_until is None or head.promoting_until >= now):
                raise ConflictError(f"{head.promoting} holds the right to promote")
            self.now_in_production = replace(head, promoting=holder, promoting_until=until)

    def let_go(self, holder: str) -> None:
        if self.now_in_production.promoting == holder:
            self.now_in_production = replace(self.now_in_production, promoting=None, promoting_until=None)

    def commit(self, release: Release, *, holder: str, expected_release: int | None, ended_because: str) -> None:
        self._at(expected_release)
        if self.now_in_production.promoting != holder:
            raise ConflictError("the right to promote was lost")
        if release.release_no in self.history:
            raise ConflictError("there is such a release")
        if expected_release is not None:
            self.history[expected_release] = replace(
                self.history[expected_release], until=release.since, ended_because=ended_because
            )
        self.history[release.release_no] = release
        self.now_in_production = Head(release)

    def note_request(self, request: GateRequest) -> GateRequest:
        known = self.request
        if known is None or not supersedes(known, request):
            self.request = request
        assert self.request is not None
        return self.request

    def newest_request(self) -> GateRequest | None:
        return self.request

    def _at(self, expected: int | None) -> None:
        release = self.now_in_production.release
        current = release.release_no if release else None
        if current != expected:
            raise ConflictError(f"production is at release {current}, not at {expected}")
