"""What asks for a gate: an EventBridge event -> the trigger, or why it asks for none here."""

import re
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from flywheel.deliveries import ExperimentTriggered
from flywheel.domain.drift import DATASET_GROWN
from flywheel.domain.experiment import EXPERIMENT_ID
from flywheel.domain.plan import STARTS_A_GATE
from flywheel.domain.releases import gate_id
from flywheel.domain.strict import first_problems
from flywheel.errors import InvalidRequestError

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
PRODUCTION = "production"

# Sources of triggers that behave otherwise than any other: everything else that is told apart is in the trigger itself.
PUSH = "ecr"
FOUND_PUSH = "lost-push"  # its event has not come: `reconciling` found it
PROMPT_VERSION = "prompt-version"
REMOTE_EXPERIMENT = "remote-experiment"
EXPERIMENT = "experiment"


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True)


class PromptVersion(_Wire):
    name: str = Field(min_length=1, max_length=200)
    version: PositiveInt


class ChosenConfiguration(_Wire):
    """A configuration that an experiment measured, and that is to be judged as it was measured."""

    id: str = Field(pattern=rf"^(?:{EXPERIMENT_ID.pattern})\z")
    configuration: str = Field(pattern=r"^c\d{2,6}\z")


class _EcrDetail(_Wire):
    action_type: str = Field(alias="action-type", max_length=50)
    result: str = Field(max_length=50)
    repository_name: str = Field(alias="repository-name", max_length=256)
    image_digest: str | None = Field(default=None, alias="image-digest", max_length=200)
    image_tag: str | None = Field(default=None, alias="image-tag", pattern=rf"^({_TAG.pattern})?$")


class _GateRequestedDetail(_Wire):
    version: Literal[1]
    request_id: str = Field(min_length=1, max_length=200)
    image: str | None = Field(default=None, min_length=1, max_length=600)
    experiment: ChosenConfiguration | None = None
    prompt: PromptVersion | None = None
    reason: str = Field(default="cli", pattern=r"^[a-z][a-z-]{0,39}$")
    item_ids: tuple[str, ...] | None = Field(default=None, max_length=10_000)
    promote: bool = True
    annotate: bool = False
    baseline: int | None = Field(default=None, ge=1, le=100)
    dataset: str | None = Field(default=None, min_length=1, max_length=500)

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if self.experiment is None:
            if self.image is None:
                raise ValueError("image or experiment says what is to be judged; neither is there")
        elif self.prompt is not None or (self.image is not None and not DIGEST.fullmatch(self.image)):
            raise ValueError(
                "an experiment's configuration has its prompt and its image: no prompt, no image but a digest"
            )
        return self


class _ExperimentPayload(_Wire):
    """What a person types in Langfuse: a key that is not known here is a slip, and is named."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: str = Field(default=PRODUCTION, min_length=1, max_length=600)
    prompt: PromptVersion | None = None
    item_ids: tuple[str, ...] | None = Field(default=None, min_length=1, max_length=10_000)


class _DatasetGrownDetail(_Wire):
    version: Literal[1]
    request_id: str = Field(min_length=1, max_length=200)
    dataset: str = Field(min_length=1, max_length=500)
    item_ids: tuple[str, ...] = Field(min_length=1, max_length=10_000)


class _Event[D](_Wire):
    id: str = Field(min_length=1, max_length=200)
    time: AwareDatetime
    detail: D


class GateTrigger(_Wire):
    """What a gate was asked for, whichever event asked. `reference`: `production`, a tag or a digest.

    `experiment`: a configuration of an experiment, whose image is its own; `reference` is that one's digest then, or
    empty.
    `baseline`: so many trials of every item are wanted as stored outputs; such a gate promotes nothing. `dataset`: not
    the environment's own golden dataset but this one; None is its own.
    """

    gate_id: str
    event_id: str
    requested_at: datetime
    source: str
    reference: str
    experiment: ChosenConfiguration | None = None
    tag: str | None = None
    prompt: PromptVersion | None = None
    item_ids: tuple[str, ...] | None = None
    promote: bool = True
    annotate: bool = False
    baseline: int | None = None
    dataset: str | None = None


class NotForUs(_Wire):
    """An event that asks for no gate here, and why."""

    reason: str


def parse_trigger(event: Any, repository: str) -> GateTrigger | NotForUs:
    """Read an EventBridge event of one of the kinds `STARTS_A_GATE`.

    Raises:
        InvalidRequestError: the event is malformed; names every field that is wrong.
    """
    kind = event.get("detail-type") if isinstance(event, dict) else None
    try:
        match kind:
            case "ECR Image Action":
                return _pushed(_Event[_EcrDetail].model_validate(event), repository)
            case "GateRequested":
                return _requested(_Event[_GateRequestedDetail].model_validate(event), repository)
            case "ExperimentTriggered":
                return _experiment(_Event[ExperimentTriggered].model_validate(event), repository)
            case "GoldenDatasetGrown":
                return _grown(_Event[_DatasetGrownDetail].model_validate(event))
    except ValidationError as error:
        raise InvalidRequestError(f"not a valid {kind} event: {_problems(error)}") from None
    shown = repr(kind)[:80]
    expected = " or ".join(repr(known) for known in STARTS_A_GATE)
    raise InvalidRequestError(f"the detail-type {shown} starts no gate; expected {expected}")


def _problems(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)[:20]
    )


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
        source=PUSH,
        reference=detail.image_digest,
        tag=detail.image_tag or None,
    )


def _requested(event: _Event[_GateRequestedDetail], repository: str) -> GateTrigger | NotForUs:
    detail = event.detail
    name, reference = (None, "") if detail.image is None else _image_reference(detail.image)
    if name not in (None, repository):
        return NotForUs(reason=f"the repository {name} is not {repository}")
    # Judging production itself changes nothing; production with another prompt is a change like any other. What was
    # judged on another dataset has shown nothing about this one.
    changes = reference != PRODUCTION or detail.prompt is not None
    return GateTrigger(
        gate_id=gate_id(event.time, detail.request_id),
        event_id=detail.request_id,
        requested_at=event.time.astimezone(UTC),
        source=detail.reason if detail.experiment is None else EXPERIMENT,
        reference=reference,
        experiment=detail.experiment,
        tag=_tag(reference),
        prompt=detail.prompt,
        item_ids=detail.item_ids,
        promote=detail.promote and detail.baseline is None and detail.dataset is None and changes,
        annotate=detail.annotate,
        baseline=detail.baseline,
        dataset=detail.dataset,
    )


def _experiment(event: _Event[ExperimentTriggered], repository: str) -> GateTrigger | NotForUs:
    """Somebody pressed the button beside a dataset in Langfuse: an evaluation, never a promotion."""
    detail = event.detail
    if detail.payload_cut:
        raise InvalidRequestError("the payload of the experiment is too large: name a dataset of its own instead")
    if detail.payload_text is not None and detail.payload_text.strip():
        raise InvalidRequestError(
            'the payload of the experiment is no JSON object; expected {} or {"image", "prompt", "item_ids"}'
        )
    try:
        wanted = _ExperimentPayload.model_validate(detail.payload)
    except ValidationError as error:
        raise InvalidRequestError(f"the payload of the experiment is invalid: {first_problems(error)}") from None
    name, reference = _image_reference(wanted.image)
    if name not in (None, repository):
        raise InvalidRequestError(f"the payload of the experiment names the repository {name}; ours is {repository}")
    return GateTrigger(
        gate_id=gate_id(event.time, detail.delivery_id),
        event_id=detail.delivery_id,
        requested_at=event.time.astimezone(UTC),
        source=REMOTE_EXPERIMENT,
        reference=reference,
        tag=_tag(reference),
        prompt=wanted.prompt,
        item_ids=wanted.item_ids,
        promote=False,
        dataset=detail.dataset,
    )


def _grown(event: _Event[_DatasetGrownDetail]) -> GateTrigger:
    """The incumbent answers the new items, so that the next gate knows how it does on them."""
    detail = event.detail
    return GateTrigger(
        gate_id=gate_id(event.time, detail.request_id),
        event_id=detail.request_id,
        requested_at=event.time.astimezone(UTC),
        source=DATASET_GROWN,
        reference=PRODUCTION,
        item_ids=detail.item_ids,
        promote=False,
        dataset=detail.dataset,
    )


def _tag(reference: str) -> str | None:
    return None if reference in {"", PRODUCTION} or DIGEST.fullmatch(reference) else reference


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
