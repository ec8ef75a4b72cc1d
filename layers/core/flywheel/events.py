"""Wire models: what triggers a gate, what the states of the machine say to each other, what the bus is told."""

import re
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    SecretStr,
    ValidationError,
    model_validator,
)

from flywheel.domain.holds import SettlementKind
from flywheel.domain.outcome import Arm
from flywheel.domain.releases import gate_id
from flywheel.errors import InvalidRequestError

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
PRODUCTION = "production"


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True)


class PromptVersion(_Wire):
    name: str = Field(min_length=1, max_length=200)
    version: PositiveInt


class _EcrDetail(_Wire):
    action_type: str = Field(alias="action-type", max_length=50)
    result: str = Field(max_length=50)
    repository_name: str = Field(alias="repository-name", max_length=256)
    image_digest: str | None = Field(default=None, alias="image-digest", max_length=200)
    image_tag: str | None = Field(default=None, alias="image-tag", pattern=rf"^({_TAG.pattern})?$")


class _GateRequestedDetail(_Wire):
    version: Literal[1]
    request_id: str = Field(min_length=1, max_length=200)
    image: str = Field(min_length=1, max_length=600)
    prompt: PromptVersion | None = None
    reason: str = Field(default="cli", pattern=r"^[a-z][a-z-]{0,39}$")
    item_ids: tuple[str, ...] | None = Field(default=None, max_length=10_000)
    promote: bool = True
    annotate: bool = False
    baseline: int | None = Field(default=None, ge=1, le=100)


class _Event[D](_Wire):
    id: str = Field(min_length=1, max_length=200)
    time: AwareDatetime
    detail: D


class GateTrigger(_Wire):
    """What a gate was asked for, whichever event asked. `reference`: `production`, a tag or a digest.

    `baseline`: so many trials of every item are wanted as stored outputs; such a gate promotes nothing.
    """

    gate_id: str
    event_id: str
    requested_at: datetime
    source: str
    reference: str
    tag: str | None = None
    prompt: PromptVersion | None = None
    item_ids: tuple[str, ...] | None = None
    promote: bool = True
    annotate: bool = False
    baseline: int | None = None


class NotForUs(_Wire):
    """An event that asks for no gate here, and why."""

    reason: str


def parse_trigger(event: Any, repository: str) -> GateTrigger | NotForUs:
    """Read an EventBridge event: an ECR image action or `GateRequested`.

    Raises:
        InvalidRequestError: the event is malformed; names every field that is wrong.
    """
    kind = event.get("detail-type") if isinstance(event, dict) else None
    try:
        if kind == "ECR Image Action":
            return _pushed(_Event[_EcrDetail].model_validate(event), repository)
        if kind == "GateRequested":
            return _requested(_Event[_GateRequestedDetail].model_validate(event), repository)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)[:20]
        )
        raise InvalidRequestError(f"not a valid {kind} event: {problems}") from None
    shown = repr(kind)[:80]
    raise InvalidRequestError(f"the detail-type {shown} starts no gate; expected 'ECR Image Action' or 'GateRequested'")


def _pushed(event: _Event[_EcrDetail], repository: str) -> GateTrigger | NotForUs:
    detail = event.detail
    if (detail.action_type, detail.result) != ("PUSH", "SUCCESS"):
        return NotForUs(reason=f"image action {detail.action_type} {detail.result} is no successful push")
    if detail.repository_name != repository:
        return NotForUs(reason=f"the repository {detail.repository_name} is not {repository}")
    if detail.image_digest is None or not DIGEST.fullmatch(detail.image_digest):
        raise InvalidRequestError("the ECR event has no image-digest of the form sha256: and 64 hex digits")
    return GateTrigger(
        gate_id=gate_id(event.time, event.id),
        event_id=event.id,
        requested_at=event.time.astimezone(UTC),
        source="ecr",
        reference=detail.image_digest,
        tag=detail.image_tag or None,
    )


def _requested(event: _Event[_GateRequestedDetail], repository: str) -> GateTrigger | NotForUs:
    detail = event.detail
    name, reference = _image_reference(detail.image)
    if name not in (None, repository):
        return NotForUs(reason=f"the repository {name} is not {repository}")
    return GateTrigger(
        gate_id=gate_id(event.time, detail.request_id),
        event_id=detail.request_id,
        requested_at=event.time.astimezone(UTC),
        source=detail.reason,
        reference=reference,
        tag=None if reference == PRODUCTION or DIGEST.fullmatch(reference) else reference,
        prompt=detail.prompt,
        item_ids=detail.item_ids,
        # Judging production itself changes nothing; production with another prompt is a change like any other.
        promote=detail.promote and detail.baseline is None and (reference != PRODUCTION or detail.prompt is not None),
        annotate=detail.annotate,
        baseline=detail.baseline,
    )


def _image_reference(image: str) -> tuple[str | None, str]:
    """Split `[registry/]name@digest` or `[registry/]name:tag`; a bare tag or digest names no repository."""
    if DIGEST.fullmatch(image) or image == PRODUCTION:
        return None, image
    name, at, digest = image.partition("@")
    if at:
        tag_or_digest = digest if DIGEST.fullmatch(digest) else ""
        name = re.sub(r":[^:/]*$", "", name)  # uri:tag@digest: the digest is what counts
    elif "/" in image or ":" in image:
        name, _, tag_or_digest = image.rpartition(":")
    else:
        name, tag_or_digest = "", image
    if not tag_or_digest or not (at or _TAG.fullmatch(tag_or_digest)):
        raise InvalidRequestError(
            f"image {image[:120]!r}: expected name:tag, name@sha256:<64 hex digits>, a tag, a digest or 'production'"
        )
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        name = rest
    return name or None, tag_or_digest


# --- the machine's messages -----------------------------------------------------------------------------------------


class PlanRequest(_Wire):
    event: dict[str, Any]
    execution_arn: str = Field(min_length=1)


class ArmMessage(_Wire):
    gate_id: str
    arm: Arm
    runtime_name: str


class PlanReply(_Wire):
    action: Literal["run", "skip", "refused"]
    gate_id: str
    arms: tuple[ArmMessage, ...] = ()


class ArmRequest(_Wire):
    gate_id: str = Field(min_length=1)
    arm: Arm


class DeployReply(_Wire):
    gate_id: str
    arm: Arm
    runtime_id: str
    ready: bool
    wait_s: int


class DecideRequest(_Wire):
    gate_id: str = Field(min_length=1)
    wave: int = Field(ge=0)


class ShardPointer(_Wire):
    gate_id: str
    key: str


class DecideReply(_Wire):
    """`hold_s`: seconds for which a person may decide when the action is `hold`, else 0."""

    action: Literal["evaluate", "promote", "hold", "end"]
    gate_id: str
    wave: int
    hold_s: int = 0
    shards: tuple[ShardPointer, ...] = ()


class GateMessage(_Wire):
    gate_id: str = Field(min_length=1)


class HoldRequest(_Wire):
    """`task_token` goes on with the machine, so it is shown nowhere, not even when this message is refused."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    gate_id: str = Field(min_length=1)
    task_token: SecretStr = Field(min_length=1)
    since: AwareDatetime
    hold_s: PositiveInt


class SettleRequest(_Wire):
    gate_id: str = Field(min_length=1)
    timed_out: bool


class SettleReply(_Wire):
    settlement: SettlementKind


class PromoteReply(_Wire):
    done: bool
    wait_s: int
    promoted: bool


class RetireReply(_Wire):
    gone: bool
    wait_s: int


class Failure(_Wire):
    """What a state machine caught: the error's class name and its cause."""

    error: str
    cause: str = ""


class PublishRequest(_Wire):
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


class PublishReply(_Wire):
    verdict: str
    promoted: bool
    report_key: str | None


class ExecutionEnded(_Wire):
    """Detail of `Step Functions Execution Status Change`, as far as it is used."""

    execution_arn: str = Field(alias="executionArn", min_length=1)
    status: Literal["ABORTED", "TIMED_OUT", "FAILED"]


class StatusChange(_Wire):
    detail: ExecutionEnded
