"""What is on record of experiments."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from flywheel.errors import TransientError

type ExperimentOutcome = Literal["completed", "refused", "broken", "stopped"]


@dataclass(frozen=True, slots=True)
class ExperimentRuntime:
    """One runtime of the attempt under way. `failed` says why it could not be had: its configurations are left out."""

    runtime_name: str
    runtime_id: str | None = None
    ready: bool = False
    failed: str | None = None


@dataclass(frozen=True, slots=True)
class ExperimentRow:
    """The record of one experiment: what people and functions look it up by.

    `attempt` counts from 1; every resumption is another one, with an execution and runtimes of its own, that began at
    `resumed` (None: the first, which began at `started`). `rung` is the
    one under way, 0 before the first. `reasons` say why it did not complete. `recommended` is a configuration's id.
    """

    experiment_id: str
    execution_arn: str
    name: str
    trigger: str
    started: datetime
    attempt: int = 1
    resumed: datetime | None = None
    status: Literal["running", "ended"] = "running"
    outcome: ExperimentOutcome | None = None
    reasons: tuple[str, ...] = ()
    runtimes: Mapping[str, ExperimentRuntime] = field(default_factory=dict)
    rung: int = 0
    recommended: str | None = None
    ended: datetime | None = None
    report_key: str | None = None

    @property
    def since(self) -> datetime:
        """When the attempt under way began."""
        return self.resumed or self.started


class ExperimentStore(Protocol):
    """The experiments of this environment, newest id last."""

    def open(self, row: ExperimentRow) -> ExperimentRow:
        """Write the row unless the experiment has one; give the row that stands."""
        ...

    def reopen(self, experiment_id: str, execution_arn: str, now: datetime) -> ExperimentRow:
        """Begin the next attempt of one that ended stopped or broken; again with the same execution changes nothing.

        The runtimes of the attempt before stay on record until `plan_runtimes`: somebody may still be deleting them.

        Raises:
            NotFoundError: there is no such experiment.
            ConflictError: it is running under another execution, completed, or was refused.
        """
        ...

    def get(self, experiment_id: str) -> ExperimentRow | None: ...

    def by_execution(self, execution_arn: str) -> ExperimentRow | None: ...

    def recent(self, limit: int) -> list[ExperimentRow]:
        """The newest experiments first."""
        ...

    def plan_runtimes(self, experiment_id: str, runtimes: Mapping[str, ExperimentRuntime]) -> None: ...

    def note_runtime(self, experiment_id: str, runtime: str, state: ExperimentRuntime) -> None:
        """Raise `ConflictError` when the attempt under way has planned no runtime of this name."""
        ...

    def note_rung(self, experiment_id: str, rung: int) -> None: ...

    def end(
        self,
        experiment_id: str,
        *,
        outcome: ExperimentOutcome,
        reasons: Sequence[str],
        ended: datetime,
        recommended: str | None = None,
        report_key: str | None = None,
    ) -> ExperimentRow:
        """End the attempt under way; the first end stands, and is what comes back."""
        ...


class LateScoreSource(Protocol):
    """Scores that Langfuse's own evaluators gave to traces."""

    def read(
        self, traces: Sequence[str], names: Collection[str], *, deadline_s: float
    ) -> tuple[Mapping[str, Mapping[str, float]], TransientError | None]:
        """Give the values by name and trace, and why it broke off before all traces were asked for, if it did.

        Raises:
            InvalidRequestError: the question or our keys are refused.
        """
        ...
