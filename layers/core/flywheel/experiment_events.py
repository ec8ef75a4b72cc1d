"""Wire models: what the states of the experiment's machine say to each other."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from flywheel.events import Failure, ShardRequest, Wire


class PlanExperimentRequest(Wire):
    """The first call: the event that asked for it. Any later one asks what comes after `rung`.

    `again`: shards of that rung were asked for a second time.
    """

    event: dict[str, Any] | None = None
    execution_arn: str | None = Field(default=None, min_length=1)
    experiment_id: str | None = Field(default=None, min_length=1)
    rung: int = Field(default=0, ge=0)
    again: bool = False

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        first = self.event is not None and self.execution_arn is not None
        if first == (self.experiment_id is not None):
            raise ValueError("either event and execution_arn, or experiment_id and rung")
        return self


class RuntimeRequest(Wire):
    """One runtime of an experiment: to deploy or look at, or to retire."""

    experiment_id: str = Field(min_length=1)
    runtime: str = Field(min_length=1)


class PlanExperimentReply(Wire):
    """`parallel`: shards evaluated at once."""

    action: Literal["run", "skip", "refused"]
    experiment_id: str
    runtimes: tuple[RuntimeRequest, ...] = ()
    parallel: int = 1


class PlanRungReply(Wire):
    """`again`: these shards of this rung have no results, and are asked for a second time."""

    action: Literal["evaluate", "end"]
    experiment_id: str
    rung: int
    again: bool = False
    shards: tuple[ShardRequest, ...] = ()


class DeployRuntimeReply(Wire):
    """`settled`: READY, or given up (`failed` in the experiment's record): the machine goes on either way."""

    experiment_id: str
    runtime: str
    settled: bool
    wait_s: int


class ReportExperimentRequest(Wire):
    """The experiment that ended; or, when planning failed for good, the event and execution it would have come from."""

    experiment_id: str | None = Field(default=None, min_length=1)
    event: dict[str, Any] | None = None
    execution_arn: str | None = Field(default=None, min_length=1)
    failure: Failure | None = None

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        unplanned = self.event is not None and self.execution_arn is not None and self.failure is not None
        if (self.experiment_id is not None) == unplanned:
            raise ValueError("either experiment_id, or event, execution_arn and failure")
        return self


class ReportExperimentReply(Wire):
    """`done` is false while scores of Langfuse's own evaluators are waited for."""

    done: bool
    wait_s: int
    outcome: str
    report_key: str | None = None
