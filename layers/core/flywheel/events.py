"""Wire models: what the states of the gate's machine say to each other."""

from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PositiveInt, SecretStr, model_validator

from flywheel.domain.holds import SettlementKind
from flywheel.domain.outcome import Arm


class Wire(BaseModel):
    model_config = ConfigDict(frozen=True)


class PlanRequest(Wire):
    event: dict[str, Any]
    execution_arn: str = Field(min_length=1)


class ArmMessage(Wire):
    gate_id: str
    arm: Arm
    runtime_name: str


class PlanReply(Wire):
    action: Literal["run", "skip", "refused"]
    gate_id: str
    arms: tuple[ArmMessage, ...] = ()


class ArmRequest(Wire):
    gate_id: str = Field(min_length=1)
    arm: Arm


class DeployReply(Wire):
    gate_id: str
    arm: Arm
    runtime_id: str
    ready: bool
    wait_s: int


class DecideRequest(Wire):
    gate_id: str = Field(min_length=1)
    wave: int = Field(ge=0)


class ShardPointer(Wire):
    gate_id: str
    key: str


class ShardRequest(ShardPointer):
    """`attempt`: of an experiment, the one that asks; an earlier one that still runs somewhere must not be answered."""

    attempt: PositiveInt | None = None


class DecideReply(Wire):
    """`hold_s`: seconds for which a person may decide when the action is `hold`, else 0."""

    action: Literal["evaluate", "promote", "hold", "end"]
    gate_id: str
    wave: int
    hold_s: int = 0
    shards: tuple[ShardPointer, ...] = ()


class GateMessage(Wire):
    gate_id: str = Field(min_length=1)


class HoldRequest(Wire):
    """`task_token` goes on with the machine, so it is shown nowhere, not even when this message is refused."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    gate_id: str = Field(min_length=1)
    task_token: SecretStr = Field(min_length=1)
    since: AwareDatetime
    hold_s: PositiveInt


class SettleRequest(Wire):
    gate_id: str = Field(min_length=1)
    timed_out: bool


class SettleReply(Wire):
    settlement: SettlementKind


class PromoteReply(Wire):
    done: bool
    wait_s: int
    promoted: bool


class RetireReply(Wire):
    gone: bool
    wait_s: int


class Failure(Wire):
    """What a state machine caught: the error's class name and its cause."""

    error: str
    cause: str = ""


class PublishRequest(Wire):
    """The gate that ended; or, when planning failed for good, the event and execution that never became a plan."""

    gate_id: str | None = Field(default=None, min_length=1)
    event: dict[str, Any] | None = None
    execution_arn: str | None = Field(default=None, min_length=1)
    failure: Failure | None = None

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        unplanned = self.event is not None and self.execution_arn is not None and self.failure is not None
        if (self.gate_id is not None) == unplanned:
            raise ValueError("either gate_id, or event, execution_arn and failure")
        return self


class PublishReply(Wire):
    """`drifted`: this call told that production has become worse."""

    verdict: str
    promoted: bool
    report_key: str | None
    drifted: bool = False


class ExecutionEnded(Wire):
    """Detail of `Step Functions Execution Status Change`, as far as it is used."""

    execution_arn: str = Field(alias="executionArn", min_length=1)
    status: Literal["ABORTED", "TIMED_OUT", "FAILED"]


class StatusChange(Wire):
    detail: ExecutionEnded
