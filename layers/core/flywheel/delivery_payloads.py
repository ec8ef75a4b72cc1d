"""What Langfuse 4.16 sends, as far as it is used; every field is described in its own words (camelCase)."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

CUT = "... [cut by flywheel]"
# With these limits every event fits into the 256 KB that EventBridge takes, even with each character escaped.
_MOST_ITEMS = 200


def _cut(limit: int) -> BeforeValidator:
    """A text for people may be long: it is cut, with a mark, instead of refused."""

    def shorten(value: Any) -> Any:
        if isinstance(value, str) and len(value) > limit:
            return value[: limit - len(CUT)] + CUT
        return value

    return BeforeValidator(shorten)


type _Id = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[ -~]+$")]
type _Name = Annotated[str, StringConstraints(min_length=1, max_length=500)]
type _Label = Annotated[str, StringConstraints(min_length=1, max_length=100)]
type _Line = Annotated[str, _cut(1000)]
type _Prose = Annotated[str, _cut(10_000)]
type _Url = Annotated[str, StringConstraints(max_length=4000)]
type Severity = Literal["UNKNOWN", "OK", "WARNING", "ALERT", "NO_DATA", "PAUSED"]


class Wire(BaseModel):
    # What Langfuse adds later is passed over; what it sends is never repeated in an error.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class _User(Wire):
    name: _Line | None = None


class _Prompt(Wire):
    name: _Name
    version: int = Field(ge=1)
    project_id: _Id = Field(alias="projectId")
    labels: tuple[_Label, ...] = Field(default=(), max_length=100)
    updated_at: AwareDatetime = Field(alias="updatedAt")


class SentPromptVersion(Wire):
    id: _Id
    action: Literal["created", "updated", "deleted"]
    user: _User | None = None
    prompt: _Prompt


class _Message(Wire):
    title: _Line = ""
    body: _Prose = ""


class _Alert(Wire):
    monitor_id: _Id = Field(alias="monitorId")
    project_id: _Id = Field(alias="projectId")
    permalink: _Url | None = None
    message: _Message
    severity: Severity
    at: AwareDatetime = Field(alias="timestamp")
    from_: AwareDatetime = Field(alias="fromTimestamp")
    to: AwareDatetime = Field(alias="toTimestamp")
    view: _Name
    filters: list[Any] = Field(default_factory=list)
    window: _Name


class SentMonitorAlert(Wire):
    id: _Id
    payload: _Alert


class _Notice(Wire):
    event_type: _Name = Field(alias="eventType")
    severity: _Name
    project_id: _Id = Field(alias="projectId")
    resource_name: _Line = Field(default="", alias="resourceName")
    message: _Prose = ""
    url: _Url | None = None


class SentProjectNotification(Wire):
    id: _Id
    event: _Notice


class SentRemoteExperiment(Wire):
    project_id: _Id = Field(alias="projectId")
    dataset_id: _Id = Field(alias="datasetId")
    dataset: _Name = Field(alias="datasetName")
    payload: str | dict[str, Any] | None = None


class _CalledOut(Wire):
    trace_id: _Id | None = Field(default=None, alias="traceId")
    observation_id: _Id | None = Field(default=None, alias="observationId")
    session_id: _Id | None = Field(default=None, alias="sessionId")


class SentWebCallout(Wire):
    items: tuple[_CalledOut, ...] = Field(max_length=_MOST_ITEMS)
