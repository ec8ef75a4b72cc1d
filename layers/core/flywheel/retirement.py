"""A gate's short-lived runtimes are deleted, and that is checked; a gate whose execution ended badly is ended."""

from flywheel.domain.outcome import Arm
from flywheel.errors import ConflictError, FlywheelError, NotFoundError, TransientError
from flywheel.events import ExecutionEnded, RetireReply
from flywheel.evidence import GateEvidence
from flywheel.labelling import ProductionLabel
from flywheel.ports import Clock, GateRow, GateStore, ReleaseStore, Runtime, RuntimeControl
from flywheel.production import ProductionEndpoint
from flywheel.publication import Announcer
from flywheel.release_record import ReleaseRecord
from flywheel.runtimes import deletable

_WAIT_S = 2


def retire_reply(*, gone: bool) -> RetireReply:
    return RetireReply(gone=gone, wait_s=0 if gone else _WAIT_S)


class RuntimeDeletion:
    """Deletes short-lived runtimes of one stack, and nothing else."""

    def __init__(self, stack: str, runtimes: RuntimeControl) -> None:
        self._stack = stack
        self._runtimes = runtimes

    def ask(self, name: str, runtime_id: str | None) -> bool:
        """Ask for the deletion; True once the runtime is gone.

        Raises:
            FlywheelError: the runtime is not tagged as a short-lived one of this stack: it is left alone.
        """
        runtime = self._find(name, runtime_id)
        if runtime is None:
            return True
        if runtime.status != "DELETING":
            # IAM says the same; a second lock costs one call.
            if not deletable(self._runtimes.tags(runtime.arn), self._stack):
                raise FlywheelError(
                    f"the runtime {runtime.name} is not tagged as a short-lived one of {self._stack}: left alone"
                )
            try:
                self._runtimes.delete(runtime.runtime_id)
            except ConflictError:
                return False  # still being created: AgentCore deletes it once it has settled
        return self._find(name, runtime_id) is None

    def _find(self, name: str, runtime_id: str | None) -> Runtime | None:
        """By id, or by name: a deployment that was killed may have created it without noting its id."""
        if runtime_id is None:
            return self._runtimes.find(name)
        try:
            return self._runtimes.get(runtime_id)
        except NotFoundError:
            return None


class Retirer:
    """Every call may be repeated: what is gone already is success."""

    def __init__(
        self,
        stack: str,
        *,
        runtimes: RuntimeControl,
        gates: GateStore,
        releases: ReleaseStore,
        evidence: GateEvidence,
        production: ProductionEndpoint,
        label: ProductionLabel,
        announcer: Announcer,
        clock: Clock,
    ) -> None:
        self._record = ReleaseRecord(gates, releases, evidence, announcer.bus, clock, production)
        self._deletion = RuntimeDeletion(stack, runtimes)
        self._gates = gates
        self._production = production
        self._label = label
        self._announcer = announcer
        self._clock = clock

    def retire(self, gate_id: str, arm: Arm) -> RetireReply:
        """Delete the runtime of one arm.

        Raises:
            FlywheelError: the runtime is not tagged as a short-lived one of this stack: it is left alone.
        """
        row = self._gates.get(gate_id)
        if row is None:
            raise NotFoundError(f"no gate {gate_id}")
        # A promotion that failed for good, and not by a refusal, is given up here: its machine is past it.
        row = self._record.settled(row)
        if row.promotion is None or row.promotion.step not in ("committed", "refused"):
            self._production.abandon(gate_id, row.promotion)
        gone = self._retire_arm(row, arm)
        try:
            self._labelled(row)
        except TransientError:
            gone = False  # looked at again, until the label has moved or its patience is over
        return retire_reply(gone=gone)

    def execution_ended(self, change: ExecutionEnded) -> RetireReply:
        """Clean up after an execution that did not end by itself: runtimes, right to promote, label, record, news.

        Raises:
            FlywheelError: a runtime could not be retired; all that could be done beside it is done.
        """
        row = self._gates.by_execution(change.execution_arn)
        if row is None:
            return retire_reply(gone=True)  # it never got as far as a gate
        row = self._record.settled(row)
        # Ended first: from now on Deploy Candidate makes nothing more for this gate, and a promotion stops.
        ended = self._gates.end(
            row.gate_id,
            verdict="INCONCLUSIVE",
            reasons=[f"execution_{change.status.lower()}"],
            promoted=row.promotion is not None and row.promotion.step == "committed",
            ended=self._clock.now(),
            report_key=None,
        )
        self._production.abandon(row.gate_id, row.promotion)
        troubles: list[FlywheelError] = []
        gone, said = True, f"Its execution ended {change.status}: {change.execution_arn}"
        try:
            said += self._labelled(row)
        except TransientError as error:
            troubles.append(error)
        for arm in row.arms:
            try:
                gone = self._retire_arm(row, arm) and gone
            except FlywheelError as error:
                troubles.append(error)  # the other arm's runtime costs money too, and people wait for the verdict
        self._announcer.announce(ended, said)
        if troubles:
            raise troubles[0]
        return retire_reply(gone=gone)

    def _labelled(self, row: GateRow) -> str:
        """Make up for a promotion that was stopped before its label had moved; in words what that met with."""
        if row.promotion is None:
            return ""
        settled = self._label.settle(row.promotion, self._clock.now())
        if settled != row.promotion:
            self._gates.note_promotion(row.gate_id, settled)
        return f"\nLangfuse did not move its label: {settled.label_trouble}" if settled.label_trouble else ""

    def _retire_arm(self, row: GateRow, arm: Arm) -> bool:
        """Ask for the deletion; True once the runtime is gone."""
        of_arm = row.arms.get(arm)
        return of_arm is None or self._deletion.ask(of_arm.runtime_name, of_arm.runtime_id)
