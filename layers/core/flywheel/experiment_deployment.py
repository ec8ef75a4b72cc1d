"""Plan of an experiment -> one of its short-lived runtimes, created or found, and looked at until it is settled."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from flywheel.deployment import DeploymentSettings, discard
from flywheel.domain.experiment import RuntimePlan
from flywheel.errors import ConflictError, InvalidRequestError, NotFoundError
from flywheel.experiment_events import DeployRuntimeReply
from flywheel.experiment_evidence import ExperimentEvidence
from flywheel.ports import Clock, Runtime, RuntimeControl
from flywheel.ports.experiments import ExperimentRow, ExperimentRuntime, ExperimentStore
from flywheel.runtimes import experiment_spec

# Many runtimes are waited for at once, and a machine's history has room for 25,000 events only.
FIRST_WAIT_S, LATER_WAIT_S, LATE_WAIT_S = 2, 10, 60
SOON, LATE = timedelta(seconds=20), timedelta(seconds=60)
_REASON_LIMIT = 500


class ExperimentDeployer:
    """One call creates the runtime or looks at it; repeating a call does no harm.

    A runtime that cannot be had is settled like one that is READY: the record says why, and its configurations are left
    out. An image that does not start is a result of an experiment, not its end.
    """

    def __init__(
        self,
        settings: DeploymentSettings,
        *,
        runtimes: RuntimeControl,
        experiments: ExperimentStore,
        evidence: ExperimentEvidence,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._runtimes = runtimes
        self._experiments = experiments
        self._evidence = evidence
        self._clock = clock
        self._sleep = sleep

    def deploy(self, experiment_id: str, runtime: str) -> DeployRuntimeReply:
        """Create or look.

        Raises:
            ConflictError: the experiment, or this attempt at it, has ended: nothing is created for it any more.
            NotFoundError: there is no such experiment, or it has no such runtime.
        """
        row = self._running(experiment_id)
        state = row.runtimes.get(runtime)
        if state is None:
            raise NotFoundError(f"experiment {experiment_id} has no runtime {runtime}")
        if not state.ready and state.failed is None:
            state, wait_s = self._looked_at(row, runtime, state)
        else:
            wait_s = 0
        return DeployRuntimeReply(experiment_id=experiment_id, runtime=runtime, settled=wait_s == 0, wait_s=wait_s)

    def _looked_at(self, row: ExperimentRow, runtime: str, state: ExperimentRuntime) -> tuple[ExperimentRuntime, int]:
        """The state now, and for how long to wait (0: it is settled, and on record)."""
        try:
            found = self._create(row, runtime, state) if state.runtime_id is None else self._get(state.runtime_id)
        except (InvalidRequestError, NotFoundError) as error:
            return self._note(row, runtime, replace(state, failed=str(error)[:_REASON_LIMIT])), 0
        state = replace(state, runtime_id=found.runtime_id)
        age = self._clock.now() - (found.created_at or row.since)
        if found.status == "READY":
            return self._note(row, runtime, replace(state, ready=True)), 0
        if found.status in ("CREATE_FAILED", "UPDATE_FAILED", "DELETING", "DELETE_FAILED"):
            why = f"the runtime is {found.status}: {found.failure_reason or 'no reason given'}"
        elif age > self._settings.ready_timeout:
            why = f"the runtime was not READY within {self._settings.ready_timeout.total_seconds():.0f} s"
        else:
            return state, FIRST_WAIT_S if age < SOON else LATER_WAIT_S if age < LATE else LATE_WAIT_S
        return self._note(row, runtime, replace(state, failed=why[:_REASON_LIMIT])), 0

    def _create(self, row: ExperimentRow, runtime: str, state: ExperimentRuntime) -> Runtime:
        # The attempt's time, not this call's: a repeated call bears the same client token, so it must say the same.
        spec = experiment_spec(
            row.experiment_id,
            self._planned(row.experiment_id, runtime),
            state.runtime_name,
            self._settings.surroundings,
            row.since,
        )
        made = self._runtimes.create(spec)
        try:
            self._note(row, runtime, replace(state, runtime_id=made.runtime_id))
            self._running(row.experiment_id, row.attempt)
        except ConflictError:
            # Stopped by hand while we created it: whoever cleaned up could not know this runtime.
            discard(self._runtimes, made.runtime_id, self._sleep)
            raise
        return made

    def _get(self, runtime_id: str) -> Runtime:
        try:
            return self._runtimes.get(runtime_id)
        except NotFoundError as error:
            raise NotFoundError("the runtime was deleted by somebody else") from error

    def _planned(self, experiment_id: str, runtime: str) -> RuntimePlan:
        planned = self._evidence.plan(experiment_id).runtimes
        found = next((one for one in planned if one.runtime == runtime), None)
        if found is None:
            raise InvalidRequestError(f"the plan of {experiment_id} has no runtime {runtime}")
        return found

    def _note(self, row: ExperimentRow, runtime: str, state: ExperimentRuntime) -> ExperimentRuntime:
        self._experiments.note_runtime(row.experiment_id, runtime, state)
        return state

    def _running(self, experiment_id: str, attempt: int | None = None) -> ExperimentRow:
        row = self._experiments.get(experiment_id)
        if row is None:
            raise NotFoundError(f"no experiment {experiment_id}")
        if row.status == "ended" or attempt not in (None, row.attempt):
            raise ConflictError(f"this attempt at experiment {experiment_id} has ended: nothing is deployed for it")
        return row
