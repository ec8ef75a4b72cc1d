"""What is on record: gates, releases, who may promote."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from flywheel.domain.candidate import Candidate
from flywheel.domain.gate import VerdictKind
from flywheel.domain.holds import SettlementKind
from flywheel.domain.outcome import Arm
from flywheel.domain.releases import GateRequest
from flywheel.domain.verdict import NOTES


@dataclass(frozen=True, slots=True)
class Promotion:
    """How far a promotion has come; what its next call goes on from.

    `version`: the runtime version being promoted; `previous_version`: what `production` pointed at before, None on the
    first promotion. `step` names what is awaited or was done last; `reason` is the code of why it was refused.

    A prompt version that was promoted gets the label `production` in Langfuse after `committed_at`: `label` says how
    that went, None while it is not settled or where there is no such prompt; `label_trouble` why it was `refused`.
    """

    step: Literal["acquired", "updating", "staging", "moving", "committed", "refused"]
    started_at: datetime
    runtime_id: str | None = None
    version: str | None = None
    previous_version: str | None = None
    reason: str | None = None
    message: str | None = None
    committed_at: datetime | None = None
    label: Literal["moved", "refused"] | None = None
    label_trouble: str | None = None


@dataclass(frozen=True, slots=True)
class GateArm:
    runtime_name: str
    runtime_id: str | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a hold ended. `by` is the AWS identity that decided, `name` what that person goes by, `reason` why.

    All three are empty for `timed_out`.
    """

    kind: SettlementKind
    at: datetime
    by: str = ""
    name: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """An undecided gate waits for a person. The task token that goes on with it is never part of this."""

    since: datetime
    until: datetime
    settled: Settlement | None = None


@dataclass(frozen=True, slots=True)
class GateRow:
    """The record of one gate: what people and the other functions look it up by.

    `reasons` are reason codes, the first one naming what is really wrong, and notes among them (`against` and `notes`
    tell them apart); `refused`: it never started; `hold`: it was, or is, left to a person.
    """

    gate_id: str
    execution_arn: str
    trigger: str
    started: datetime
    requested_at: str
    status: Literal["running", "ended"] = "running"
    digest: str | None = None
    tag: str | None = None
    arms: Mapping[Arm, GateArm] = field(default_factory=dict)
    verdict: VerdictKind | None = None
    reasons: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    promoted: bool = False
    promotion: Promotion | None = None
    ended: datetime | None = None
    report_key: str | None = None
    hold: Hold | None = None

    @property
    def held(self) -> bool:
        """It waits for a person now."""
        return self.status == "running" and self.hold is not None and self.hold.settled is None

    @property
    def approval(self) -> Settlement | None:
        """The approval of a person, if there is one."""
        settled = self.hold.settled if self.hold else None
        return settled if settled is not None and settled.kind == "approved" else None

    @property
    def against(self) -> tuple[str, ...]:
        """Codes that speak against the candidate or the gate; none for a PASS."""
        return tuple(code for code in self.reasons or self.refused if code not in NOTES)

    @property
    def notes(self) -> tuple[str, ...]:
        """Codes that are for the record only."""
        return tuple(code for code in self.reasons if code in NOTES)


class GateStore(Protocol):
    """The gates of this environment, newest id last."""

    def open(self, row: GateRow) -> GateRow:
        """Write the row unless the gate has one; give the row that stands."""
        ...

    def get(self, gate_id: str) -> GateRow | None: ...

    def by_execution(self, execution_arn: str) -> GateRow | None: ...

    def recent(self, limit: int) -> list[GateRow]:
        """The newest gates first."""
        ...

    def count(self, gate_id: str, day: str, cap: int) -> bool:
        """Count the gate on that UTC day, once however often it is asked; False: the cap is reached, not counted."""
        ...

    def describe(self, gate_id: str, *, digest: str | None, tag: str | None, arms: Mapping[Arm, GateArm]) -> None: ...

    def refuse(self, gate_id: str, reasons: Sequence[str]) -> None: ...

    def note_runtime(self, gate_id: str, arm: Arm, runtime_id: str) -> None: ...

    def note_promotion(self, gate_id: str, promotion: Promotion) -> None: ...

    def hold(self, gate_id: str, hold: Hold, task_token: str) -> GateRow:
        """Leave the gate to a person, with the newest token that goes on with it; a hold on record stands.

        Raises:
            ConflictError: the gate has ended.
        """
        ...

    def task_token(self, gate_id: str) -> str | None:
        """Give what wakes a held gate: a capability, for no log and no reply."""
        ...

    def settle(self, gate_id: str, settlement: Settlement) -> Settlement:
        """Settle the hold; the first settlement stands, and is what comes back. A person's needs to be in time.

        Raises:
            ConflictError: the gate is not held, or its time is over and this is no `timed_out`.
        """
        ...

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
        """End the gate; the first end stands, and is what comes back."""
        ...

    def attach_report(self, gate_id: str, report_key: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Release:
    """What production runs or has run. `until` and `ended_because` are None while it is the one in production."""

    release_no: int
    candidate: Candidate
    gate_id: str
    runtime_id: str
    runtime_version: str
    since: datetime
    until: datetime | None = None
    ended_because: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """Production now. `release` is None before the first promotion; `promoting` names who holds the right to it."""

    release: Release | None = None
    promoting: str | None = None
    promoting_until: datetime | None = None


class ReleaseStore(Protocol):
    """What production runs, who may change it, and who asked last."""

    def head(self) -> Head: ...

    def release(self, release_no: int) -> Release | None: ...

    def releases(self, limit: int) -> list[Release]:
        """The newest releases first."""
        ...

    def acquire(self, holder: str, expected_release: int | None, *, now: datetime, until: datetime) -> None:
        """Take or renew the right to promote.

        Raises:
            ConflictError: production is not at `expected_release` any more, or somebody else holds a live lease.
        """
        ...

    def let_go(self, holder: str) -> None:
        """Give the right back; nothing happens when `holder` does not have it."""
        ...

    def commit(self, release: Release, *, holder: str, expected_release: int | None, ended_because: str) -> None:
        """Make `release` the one in production, end its predecessor and give the right back, all or nothing.

        Raises:
            ConflictError: production changed, or the right to promote was lost.
        """
        ...

    def note_request(self, request: GateRequest) -> GateRequest:
        """Remember the request if it is the newest; give the newest."""
        ...

    def newest_request(self) -> GateRequest | None: ...
