"""What the traffic machine and its function say to each other: ids and pointers, never a question or an answer."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from flywheel.traffic import identity

_REQUEST = re.compile(r"[A-Za-z0-9-]{8,80}")

type RunId = Annotated[str, StringConstraints(pattern=f"^{identity.RUN_ID.pattern}$")]


class TrafficRequest(BaseModel):
    """Input of the machine. The scheduler gives `request_id` and `scheduled_at`, the command line `run_id`.

    `settings` stand in place of those of the environment.
    """

    model_config = ConfigDict(extra="forbid")

    run_id: RunId | None = None
    request_id: str = ""
    scheduled_at: str = ""
    settings: dict[str, Any] = {}


class PlanTraffic(BaseModel):
    action: Literal["plan"]
    event: TrafficRequest
    execution_arn: str

    def run_id(self, now: datetime) -> str:
        """The run's id. A request that names itself has one run, however many executions it starts."""
        if self.event.run_id is not None:
            return self.event.run_id
        try:
            at = datetime.fromisoformat(self.event.scheduled_at)
        except ValueError:
            at = None
        if at is not None and _REQUEST.fullmatch(self.event.request_id):
            return identity.run_id(at if at.tzinfo else at.replace(tzinfo=UTC), self.event.request_id)
        return identity.run_id(now, self.execution_arn)


class PartPointer(BaseModel):
    run_id: RunId
    part: int = Field(ge=0, lt=1000)


class RunPart(PartPointer):
    action: Literal["run"]


class Failure(BaseModel):
    """What the machine caught; {} when nothing went wrong."""

    error: str = ""


class ReportTraffic(BaseModel):
    action: Literal["report"]
    run_id: RunId
    failure: Failure = Failure()


type SimulateRequest = Annotated[PlanTraffic | RunPart | ReportTraffic, Field(discriminator="action")]


class TrafficPlanned(BaseModel):
    """`idle`: there is nobody to talk to; `skip`: another execution has this request."""

    action: Literal["run", "idle", "skip"]
    run_id: str
    parts: list[PartPointer] = []


class PartState(BaseModel):
    """Not done: another attempt holds the part, look again after `wait_s`."""

    run_id: str
    part: int
    done: bool
    wait_s: int = 0


class TrafficReported(BaseModel):
    run_id: str
    turns: int
    report_key: str
