"""Plan -> the short-lived runtime of one arm: created or found, and looked at until it is READY."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from flywheel.domain.gate import Reason, Verdict, VerdictKind
from flywheel.domain.outcome import Arm
from flywheel.domain.plan import ArmPlan, GatePlan
from flywheel.errors import ConflictError, DeploymentFailedError, InvalidRequestError, NotFoundError
from flywheel.events import DeployReply
from flywheel.evidence import GateEvidence
from flywheel.ports import Clock, GateRow, GateStore, ReleaseStore, Runtime, RuntimeControl
from flywheel.runtimes import Surroundings, short_lived_spec
from flywheel.supersession import superseded

_FIRST_WAIT_S, _LATER_WAIT_S = 2, 5
_SOON = timedelta(seconds=20)
# A runtime of a gate that has ended is deleted within the call that created it: well below the function's 60 s.
_DISCARD_ATTEMPTS, _DISCARD_PAUSE_S = 15, 2.0


@dataclass(frozen=True, slots=True)
class DeploymentSettings:
    surroundings: Surroundings
    ready_timeout: timedelta


def discard(runtimes: RuntimeControl, runtime_id: str, sleep: Callable[[float], None]) -> None:
    """Delete what was just created. AgentCore may refuse that while it is CREATING, and nobody comes after us.

    Raises:
        ConflictError: it was refused to the end; sweep_runtimes goes on with it.
    """
    for attempt in range(1, _DISCARD_ATTEMPTS + 1):
        try:
            runtimes.delete(runtime_id)
        except ConflictError:
            if attempt == _DISCARD_ATTEMPTS:
                raise
            sleep(_DISCARD_PAUSE_S)
        else:
            return


class Deployer:
    """One call creates the runtime or looks at it; repeating a call does no harm."""

    def __init__(
        self,
        settings: DeploymentSettings,
        *,
        runtimes: RuntimeControl,
        gates: GateStore,
        releases: ReleaseStore,
        evidence: GateEvidence,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._runtimes = runtimes
        self._gates = gates
        self._releases = releases
        self._evidence = evidence
        self._clock = clock
        self._sleep = sleep

    def deploy(self, gate_id: str, arm: Arm) -> DeployReply:
        """Create or look.

        Raises:
            DeploymentFailedError: CREATE_FAILED, or not READY in time; the reason is in the gate's verdict file.
            ConflictError: the gate has ended, nothing is created for it any more.
        """
        plan = self._evidence.plan(gate_id)
        row = self._running(gate_id)
        of_arm = plan.arm(arm)
        if of_arm is None:
            raise InvalidRequestError(f"gate {gate_id} has no arm {arm}")
        runtime_id = row.arms[arm].runtime_id if arm in row.arms else None
        if newer := superseded(plan, self._releases):
            # `ready` lets the machine go on to Decide Gate, which ends a superseded gate whatever runs.
            self._evidence.write_verdict(gate_id, Verdict("INCONCLUSIVE", (newer,)))
            return DeployReply(gate_id=gate_id, arm=arm, runtime_id=runtime_id or "", ready=True, wait_s=0)
        runtime = self._create(plan, of_arm, row) if runtime_id is None else self._look(plan, arm, runtime_id)
        if runtime.status in ("CREATE_FAILED", "UPDATE_FAILED", "DELETING", "DELETE_FAILED"):
            why = runtime.failure_reason[:500] or "no reason given"
            raise self._failed(plan, arm, "deployment_failed", f"the runtime is {runtime.status}: {why}")
        age = self._clock.now() - (runtime.created_at or row.started)
        ready = runtime.status == "READY"
        if not ready and age > self._settings.ready_timeout:
            limit = round(self._settings.ready_timeout.total_seconds())
            raise self._failed(plan, arm, "never_ready", f"the runtime was not READY within {limit} s", float(limit))
        wait_s = 0 if ready else _FIRST_WAIT_S if age < _SOON else _LATER_WAIT_S
        return DeployReply(gate_id=gate_id, arm=arm, runtime_id=runtime.runtime_id, ready=ready, wait_s=wait_s)

    def _create(self, plan: GatePlan, of_arm: ArmPlan, row: GateRow) -> Runtime:
        # The gate's time, not this call's: a repeated call bears the same client token, so it must say the same.
        runtime = self._runtimes.create(
            short_lived_spec(plan.gate_id, of_arm, self._settings.surroundings, row.started)
        )
        self._gates.note_runtime(plan.gate_id, of_arm.arm, runtime.runtime_id)
        try:
            self._running(plan.gate_id)
        except ConflictError:
            # Stopped by hand while we created it: whoever cleaned up could not know this runtime.
            discard(self._runtimes, runtime.runtime_id, self._sleep)
            raise
        return runtime

    def _look(self, plan: GatePlan, arm: Arm, runtime_id: str) -> Runtime:
        try:
            return self._runtimes.get(runtime_id)
        except NotFoundError as error:
            raise self._failed(plan, arm, "deployment_failed", "the runtime was deleted by somebody else") from error

    def _running(self, gate_id: str) -> GateRow:
        row = self._gates.get(gate_id)
        if row is None:
            raise NotFoundError(f"no gate {gate_id}")
        if row.status == "ended":
            raise ConflictError(f"gate {gate_id} has ended: nothing is deployed for it")
        return row

    def _failed(
        self, plan: GatePlan, arm: Arm, code: str, what: str, required: float | None = None
    ) -> DeploymentFailedError:
        """Write the verdict that follows. An image that does not start is the candidate's own failure."""
        message = f"{arm}: {what}"
        kind: VerdictKind = "FAIL" if arm == "candidate" else "INCONCLUSIVE"
        self._evidence.write_verdict(plan.gate_id, Verdict(kind, (Reason(code, message, required=required),)))
        return DeploymentFailedError(f"{code}: {message}")
