"""What a person decided of a held gate -> on record once, then the machine is woken."""

from dataclasses import dataclass
from typing import Literal

from flywheel.domain.plan import GatePlan
from flywheel.domain.verdict import Verdict
from flywheel.errors import ConflictError, NotFoundError, PromotionRefusedError, TransientError
from flywheel.evidence import GateEvidence
from flywheel.ports import Callbacks, Clock, GateRow, GateStore, Hold, ReleaseStore, Settlement
from flywheel.supersession import superseded

type Decision = Literal["approved", "rejected"]


@dataclass(frozen=True, slots=True)
class HeldGate:
    """A gate that was left to a person, with what the person decides about."""

    row: GateRow
    hold: Hold
    plan: GatePlan
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Decided:
    """`settlement` is on record; `own`: this call wrote it; `woken`: the machine took notice of this call."""

    settlement: Settlement
    own: bool
    woken: bool


class Approver:
    """Decides held gates for people."""

    def __init__(
        self,
        *,
        gates: GateStore,
        releases: ReleaseStore,
        evidence: GateEvidence,
        callbacks: Callbacks,
        clock: Clock,
    ) -> None:
        self._gates = gates
        self._releases = releases
        self._evidence = evidence
        self._callbacks = callbacks
        self._clock = clock

    def look(self, gate_id: str) -> HeldGate:
        """Give the gate as it was, or still is, held.

        Raises:
            NotFoundError: there is no such gate.
            ConflictError: it was never left to a person.
        """
        row = self._gates.get(gate_id)
        if row is None:
            raise NotFoundError(f"no gate {gate_id}")
        verdict = self._evidence.verdict(gate_id)
        if row.hold is None or verdict is None:
            state = f"has ended with {row.verdict}" if row.status == "ended" else "is still at work"
            raise ConflictError(f"gate {gate_id} waits for nobody: it {state}")
        return HeldGate(row, row.hold, self._evidence.plan(gate_id), verdict)

    def check(self, gate: HeldGate, decision: Decision) -> None:
        """Say before anything is written that a decision could not be carried out.

        Raises:
            ConflictError: the gate was ended, or its time is over.
            PromotionRefusedError: approved, but a newer push took over or production changed meanwhile.
        """
        row, hold = gate.row, gate.hold
        if hold.settled is not None:
            return  # what is on record decides
        if row.status == "ended":
            raise ConflictError(
                f"gate {row.gate_id} was ended ({', '.join(row.against)}): it waits for nobody any more"
            )
        if self._clock.now() >= hold.until:
            raise ConflictError(
                f"gate {row.gate_id} waited until {hold.until:%Y-%m-%d %H:%M} UTC, its time is over: "
                f"flywheel gate start judges the image again"
            )
        if decision == "rejected":
            return
        if newer := superseded(gate.plan, self._releases):
            raise PromotionRefusedError(f"gate {row.gate_id} is superseded: {newer.message}")
        head = self._releases.head().release
        if (head.release_no if head else None) != gate.plan.incumbent_release:
            raise PromotionRefusedError(
                f"gate {row.gate_id} compared with release {gate.plan.incumbent_release}, but production is at release "
                f"{head.release_no if head else None} now: flywheel gate start judges the image again"
            )

    def decide(self, gate_id: str, decision: Decision, *, by: str, name: str, reason: str) -> Decided:
        """Put the decision on record, unless there is one, then wake the machine.

        A repeated call with the same decision wakes it again: its first sender may have died in between.

        Raises:
            ConflictError: the gate does not wait any more, and nobody decided.
            TransientError: it is on record, perhaps, and the machine was not woken: call again.
        """
        own = Settlement(decision, self._clock.now(), by, name, reason)
        settlement = self._gates.settle(gate_id, own)
        woken = settlement.kind == decision and self._wake(gate_id)
        return Decided(settlement, settlement == own, woken)

    def _wake(self, gate_id: str) -> bool:
        task_token = self._gates.task_token(gate_id)
        if task_token is None:
            return False
        try:
            self._callbacks.succeed(task_token)
        except NotFoundError:
            return False  # woken before, or at the end of its time: it reads the record either way
        except TransientError as error:
            raise TransientError(f"the decision is on record, but its gate was not woken yet: {error}") from error
        return True
