"""An experiment's short-lived runtimes are deleted, and that is checked; one whose execution ended badly is ended."""

from collections.abc import Iterator

from flywheel.domain.experiment import experiment_runtime_name
from flywheel.errors import FlywheelError, NotFoundError
from flywheel.events import ExecutionEnded, RetireReply
from flywheel.experiment_announcing import ExperimentAnnouncer
from flywheel.ports import Clock, RuntimeControl
from flywheel.ports.experiments import ExperimentRow, ExperimentStore
from flywheel.retirement import RuntimeDeletion, retire_reply

WAIT_S = 15


class ExperimentRetirer:
    """Every call may be repeated: what is gone already is success."""

    def __init__(
        self,
        environment: str,
        stack: str,
        *,
        runtimes: RuntimeControl,
        experiments: ExperimentStore,
        announcer: ExperimentAnnouncer,
        clock: Clock,
    ) -> None:
        self._environment = environment
        self._deletion = RuntimeDeletion(stack, runtimes)
        self._experiments = experiments
        self._announcer = announcer
        self._clock = clock

    def retire(self, experiment_id: str, runtime: str) -> RetireReply:
        """Delete one runtime of the attempt under way.

        Raises:
            FlywheelError: the runtime is not tagged as a short-lived one of this stack: it is left alone.
        """
        row = self._experiments.get(experiment_id)
        if row is None:
            raise NotFoundError(f"no experiment {experiment_id}")
        state = row.runtimes.get(runtime)
        gone = state is None or self._deletion.ask(state.runtime_name, state.runtime_id)
        # Many are waited for in one history, which has room for 25,000 events.
        return RetireReply(gone=gone, wait_s=0 if gone else WAIT_S)

    def execution_ended(self, change: ExecutionEnded) -> RetireReply | None:
        """Clean up after an execution that did not end by itself; None: it is no experiment's.

        Ended as `stopped` when somebody aborted it, else as `broken`; what had ended before stays as it is.

        Raises:
            FlywheelError: a runtime could not be retired; all that could be done beside it is done.
        """
        row = self._experiments.by_execution(change.execution_arn)
        if row is None:
            return None
        if row.execution_arn == change.execution_arn:
            # Ended first: from now on Deploy Candidate makes nothing more for this attempt.
            row = self._experiments.end(
                row.experiment_id,
                outcome="stopped" if change.status == "ABORTED" else "broken",
                reasons=[f"its execution ended {change.status}"],
                ended=self._clock.now(),
            )
        # Another attempt may be under way already: then it is those before it that are cleaned up.
        current = row.execution_arn == change.execution_arn
        runtimes = self._current(row) if current else self._earlier(row)
        gone, troubles = True, []
        for name, runtime_id in runtimes:
            try:
                gone = self._deletion.ask(name, runtime_id) and gone
            except FlywheelError as error:
                troubles.append(error)  # the others cost money too
        if current:
            self._announcer.announce(row)
        if troubles:
            raise troubles[0]
        return retire_reply(gone=gone)

    def _current(self, row: ExperimentRow) -> Iterator[tuple[str, str | None]]:
        for state in row.runtimes.values():
            yield state.runtime_name, state.runtime_id

    def _earlier(self, row: ExperimentRow) -> Iterator[tuple[str, str | None]]:
        for attempt in range(1, row.attempt):
            for runtime in row.runtimes:
                yield experiment_runtime_name(self._environment, row.experiment_id, runtime, attempt), None
