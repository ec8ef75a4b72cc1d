"""What asks for an experiment: an EventBridge event -> the trigger. The file itself lies in S3, under its name."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from flywheel.deliveries import ExperimentTriggered
from flywheel.domain.experiment import EXPERIMENT_ID, FILE_NAME, experiment_id
from flywheel.domain.strict import first_problems
from flywheel.errors import InvalidRequestError
from flywheel.triggers import REMOTE_EXPERIMENT

# The detail-types of events that start the experiment's machine; the template has a rule for each.
STARTS_AN_EXPERIMENT = ("ExperimentRequested", "ExperimentTriggered")

_WHOLE_NAME = rf"^(?:{FILE_NAME.pattern})\z"
_WHOLE_ID = rf"^(?:{EXPERIMENT_ID.pattern})\z"


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("is no time in UTC") from None


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True)


class _ExperimentRequestedDetail(_Wire):
    version: Literal[1]
    request_id: str = Field(min_length=1, max_length=200)
    file: str = Field(pattern=_WHOLE_NAME)
    reason: Literal["cli", "nightly"] = "cli"
    resume: str | None = Field(default=None, pattern=_WHOLE_ID)


class _NamedExperiment(_Wire):
    """What a person types in Langfuse: a key that is not known here is a slip, and is named."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    experiment: str = Field(pattern=_WHOLE_NAME)


class _Event[D](_Wire):
    id: str = Field(min_length=1, max_length=200)
    time: Annotated[AwareDatetime, AfterValidator(_in_utc)]
    detail: D


class ExperimentTrigger(_Wire):
    """What an experiment was asked for, whichever event asked. `file`: the name it was saved under.

    `source`: `cli`, `nightly` or `remote-experiment`. `resume`: the experiment to go on with, whose id this is then.
    `dataset`: the one beside which somebody pressed the button, which takes the place of the file's; None: the file's.
    """

    experiment_id: str
    event_id: str
    requested_at: datetime
    source: str
    file: str
    resume: str | None = None
    dataset: str | None = None


def parse_experiment_trigger(event: Any) -> ExperimentTrigger:
    """Read an EventBridge event of one of the kinds `STARTS_AN_EXPERIMENT`.

    Raises:
        InvalidRequestError: the event is malformed, or asks for no experiment; names every field that is wrong.
    """
    kind = event.get("detail-type") if isinstance(event, dict) else None
    try:
        match kind:
            case "ExperimentRequested":
                return _requested(_Event[_ExperimentRequestedDetail].model_validate(event))
            case "ExperimentTriggered":
                return _pressed(_Event[ExperimentTriggered].model_validate(event))
    except ValidationError as error:
        raise InvalidRequestError(f"not a valid {kind} event: {first_problems(error)}") from None
    expected = " or ".join(repr(known) for known in STARTS_AN_EXPERIMENT)
    raise InvalidRequestError(f"the detail-type {repr(kind)[:80]} starts no experiment; expected {expected}")


def _requested(event: _Event[_ExperimentRequestedDetail]) -> ExperimentTrigger:
    detail = event.detail
    return ExperimentTrigger(
        experiment_id=detail.resume or experiment_id(event.time, detail.request_id),
        event_id=detail.request_id,
        requested_at=event.time,
        source=detail.reason,
        file=detail.file,
        resume=detail.resume,
    )


def _pressed(event: _Event[ExperimentTriggered]) -> ExperimentTrigger:
    """Somebody pressed the button beside a dataset in Langfuse and named a saved file."""
    detail = event.detail
    if detail.payload_cut or detail.payload_text is not None:
        raise InvalidRequestError('the payload names no experiment; expected {"experiment": "<name of a saved file>"}')
    try:
        named = _NamedExperiment.model_validate(detail.payload)
    except ValidationError as error:
        raise InvalidRequestError(f"the payload of the experiment is invalid: {first_problems(error)}") from None
    return ExperimentTrigger(
        experiment_id=experiment_id(event.time, detail.delivery_id),
        event_id=detail.delivery_id,
        requested_at=event.time,
        source=REMOTE_EXPERIMENT,
        file=named.experiment,
        dataset=detail.dataset,
    )
