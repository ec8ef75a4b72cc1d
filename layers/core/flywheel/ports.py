"""What the application needs from outside, as Protocols: `adapters/` has the real part of each, `tests/fakes` a double.

All times are UTC-aware. Every method may raise `TransientError` (try again later); other errors are named where they
can happen.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

from flywheel.domain.candidate import Candidate
from flywheel.domain.gate import VerdictKind
from flywheel.domain.golden import GoldenItem
from flywheel.domain.outcome import Arm
from flywheel.domain.releases import GateRequest
from flywheel.domain.verdict import NOTES


class Clock(Protocol):
    def now(self) -> datetime: ...


class ObjectStore(Protocol):
    """Evidence: objects by key."""

    def read(self, key: str) -> bytes:
        """Raise `NotFoundError` when there is no such object."""
        ...

    def create(self, key: str, body: bytes, content_type: str = "application/json") -> bool:
        """Write once: False, and nothing changed, when the object is there already."""
        ...

    def put(self, key: str, body: bytes, content_type: str = "application/json") -> None:
        """Write, replacing what is there."""
        ...

    def keys(self, prefix: str) -> list[str]:
        """Every key that starts with `prefix`, sorted; all pages."""
        ...


# --- agent runtimes -------------------------------------------------------------------------------------------------

type RuntimeStatus = Literal[
    "CREATING", "CREATE_FAILED", "UPDATING", "UPDATE_FAILED", "READY", "DELETING", "DELETE_FAILED"
]


@dataclass(frozen=True, slots=True)
class RuntimeSpec:
    """Everything a runtime is made of. `token` (at least 33 characters) makes repeating the call harmless.

    `idle_timeout_s` and `max_lifetime_s` are AgentCore's session limits, each 60..1,209,600; None leaves its default.
    """

    name: str
    image_uri: str
    role_arn: str
    environment: Mapping[str, str]
    token: str
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    idle_timeout_s: int | None = None
    max_lifetime_s: int | None = None


@dataclass(frozen=True, slots=True)
class Runtime:
    """One version of a runtime as the control plane describes it."""

    runtime_id: str
    arn: str
    name: str
    version: str
    status: RuntimeStatus
    failure_reason: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`live_version` is what answers now (None while the endpoint is being created)."""

    name: str
    status: RuntimeStatus
    live_version: str | None
    target_version: str | None
    failure_reason: str = ""


class RuntimeControl(Protocol):
    """AgentCore's control plane."""

    def create(self, spec: RuntimeSpec) -> Runtime:
        """Create the runtime, or give the one that has this name already."""
        ...

    def update(self, runtime_id: str, spec: RuntimeSpec) -> Runtime:
        """Make a new version with the whole of `spec` (name and tags stay as they are)."""
        ...

    def get(self, runtime_id: str, version: str | None = None) -> Runtime:
        """Raise `NotFoundError` when it is gone."""
        ...

    def find(self, name: str) -> Runtime | None:
        """Find a runtime by its name; all pages are read."""
        ...

    def runtimes(self) -> Iterator[Runtime]:
        """Every runtime of the account and region, page after page."""
        ...

    def tags(self, runtime_arn: str) -> dict[str, str]: ...

    def delete(self, runtime_id: str) -> None:
        """Ask for its deletion; already gone or being deleted is fine. Raise `ConflictError` while it is changing."""
        ...

    def endpoint(self, runtime_id: str, name: str) -> Endpoint | None: ...

    def move_endpoint(self, runtime_id: str, name: str, version: str, token: str) -> None:
        """Point the endpoint at the version, creating it when it is not there."""
        ...


@dataclass(frozen=True, slots=True)
class AgentReply:
    """What the container answered. `duration_ms` is ours, network included; the agent reports its own in the body."""

    body: bytes
    status: int
    content_type: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class InvocationFailure:
    """Why there is no answer.

    `kind` is countable: AWS's error code (`RuntimeClientError`, `ThrottlingException`), `timeout` or `unreachable`.
    `status` is the HTTP status, None when there was none. `retryable`: the agent has certainly not run.
    """

    kind: str
    message: str
    status: int | None = None
    retryable: bool = False


class AgentInvoker(Protocol):
    """AgentCore's data plane. Exactly one attempt for each call: an answer is never asked for twice unseen."""

    def invoke(
        self,
        runtime_arn: str,
        payload: bytes,
        *,
        session_id: str,
        qualifier: str = "DEFAULT",
        traceparent: str | None = None,
        baggage: str | None = None,
    ) -> AgentReply | InvocationFailure:
        """Invoke the agent once; failures come back as values. `session_id`: 33..256 characters."""
        ...

    def stop_session(self, runtime_arn: str, session_id: str, qualifier: str = "DEFAULT") -> bool:
        """End the session so that it costs nothing any more; False when that did not work (it then idles out)."""
        ...


# --- images ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Image:
    """An image of our repository. `revision` is its label `org.opencontainers.image.revision`, None without one."""

    repository_uri: str
    digest: str
    revision: str | None = None


class ImageRegistry(Protocol):
    def resolve(self, reference: str) -> Image:
        """`reference` is a tag or a `sha256:` digest of our repository. Raise `NotFoundError` when it has no such."""
        ...


# --- state ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Promotion:
    """How far a promotion has come; what its next call goes on from.

    `version`: the runtime version being promoted; `previous_version`: what `production` pointed at before, None on the
    first promotion. `step` names what is awaited or was done last; `reason` is the code of why it was refused.
    """

    step: Literal["acquired", "updating", "staging", "moving", "committed", "refused"]
    started_at: datetime
    runtime_id: str | None = None
    version: str | None = None
    previous_version: str | None = None
    reason: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class GateArm:
    runtime_name: str
    runtime_id: str | None = None


@dataclass(frozen=True, slots=True)
class GateRow:
    """The record of one gate: what people and the other functions look it up by.

    `reasons` are reason codes, the first one naming what is really wrong, and notes among them (`against` and `notes`
    tell them apart); `refused`: it never started.
    """

    gate_id: str
    execution_arn: str
    trigger: str
    started: datetime
    requested_at: str
    status: Literal["running", "ended"] = "running"
    digest: str | None = None
    tag: str | None = None
    arms: Mapping[Arm, GateArm] = field(default_factory=dict)
    verdict: VerdictKind | None = None
    reasons: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    promoted: bool = False
    promotion: Promotion | None = None
    ended: datetime | None = None
    report_key: str | None = None

    @property
    def against(self) -> tuple[str, ...]:
        """Codes that speak against the candidate or the gate; none for a PASS."""
        return tuple(code for code in self.reasons or self.refused if code not in NOTES)

    @property
    def notes(self) -> tuple[str, ...]:
        """Codes that are for the record only."""
        return tuple(code for code in self.reasons if code in NOTES)


class GateStore(Protocol):
    """The gates of this environment, newest id last."""

    def open(self, row: GateRow) -> GateRow:
        """Write the row unless the gate has one; give the row that stands."""
        ...

    def get(self, gate_id: str) -> GateRow | None: ...

    def by_execution(self, execution_arn: str) -> GateRow | None: ...

    def recent(self, limit: int) -> list[GateRow]:
        """The newest gates first."""
        ...

    def count(self, gate_id: str, day: str, cap: int) -> bool:
        """Count the gate on that UTC day, once however often it is asked; False: the cap is reached, not counted."""
        ...

    def describe(self, gate_id: str, *, digest: str | None, tag: str | None, arms: Mapping[Arm, GateArm]) -> None: ...

    def refuse(self, gate_id: str, reasons: Sequence[str]) -> None: ...

    def note_runtime(self, gate_id: str, arm: Arm, runtime_id: str) -> None: ...

    def note_promotion(self, gate_id: str, promotion: Promotion) -> None: ...

    def end(
        self,
        gate_id: str,
        *,
        verdict: VerdictKind,
        reasons: Sequence[str],
        promoted: bool,
        ended: datetime,
        report_key: str | None,
    ) -> GateRow:
        """End the gate; the first end stands, and is what comes back."""
        ...

    def attach_report(self, gate_id: str, report_key: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Release:
    """What production runs or has run. `until` and `ended_because` are None while it is the one in production."""

    release_no: int
    candidate: Candidate
    gate_id: str
    runtime_id: str
    runtime_version: str
    since: datetime
    until: datetime | None = None
    ended_because: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """Production now. `release` is None before the first promotion; `promoting` names who holds the right to it."""

    release: Release | None = None
    promoting: str | None = None
    promoting_until: datetime | None = None


class ReleaseStore(Protocol):
    """What production runs, who may change it, and who asked last."""

    def head(self) -> Head: ...

    def release(self, release_no: int) -> Release | None: ...

    def releases(self, limit: int) -> list[Release]:
        """The newest releases first."""
        ...

    def acquire(self, holder: str, expected_release: int | None, *, now: datetime, until: datetime) -> None:
        """Take or renew the right to promote.

        Raises:
            ConflictError: production is not at `expected_release` any more, or somebody else holds a live lease.
        """
        ...

    def let_go(self, holder: str) -> None:
        """Give the right back; nothing happens when `holder` does not have it."""
        ...

    def commit(self, release: Release, *, holder: str, expected_release: int | None, ended_because: str) -> None:
        """Make `release` the one in production, end its predecessor and give the right back, all or nothing.

        Raises:
            ConflictError: production changed, or the right to promote was lost.
        """
        ...

    def note_request(self, request: GateRequest) -> GateRequest:
        """Remember the request if it is the newest; give the newest."""
        ...

    def newest_request(self) -> GateRequest | None: ...


class Settings(Protocol):
    """Settings of this environment that people change without a deployment (SSM)."""

    def text(self, name: str) -> str | None:
        """Give the parameter's value, decrypted; None when there is no such parameter."""
        ...


# --- Langfuse -------------------------------------------------------------------------------------------------------


class DatasetSnapshot(NamedTuple):
    """`version` is the time at which the items were read; reading that version again gives the same items."""

    items: tuple[GoldenItem, ...]
    version: datetime


class DatasetStore(Protocol):
    def snapshot(self, name: str, version: datetime | None = None) -> DatasetSnapshot:
        """All active items, now or as of `version`. Raise `NotFoundError` when there is no such dataset."""
        ...


class ScoreStore(Protocol):
    def read_back(self, expected: Mapping[str, Collection[str]], *, deadline_s: float) -> Mapping[str, frozenset[str]]:
        """Give what is missing of `expected` (trace id -> names of its scores); empty: all of them are there."""
        ...


class PromptStore(Protocol):
    def text(self, name: str, version: int) -> str:
        """Raise `NotFoundError` when there is no such prompt version."""
        ...


# --- announcements --------------------------------------------------------------------------------------------------


class EventBus(Protocol):
    def publish(self, detail_type: str, detail: Mapping[str, Any]) -> None:
        """Put one event on our bus."""
        ...


class Notifier(Protocol):
    def notify(self, subject: str, message: str) -> None: ...
