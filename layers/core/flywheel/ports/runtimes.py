"""Agent runtimes: made, moved, deleted, asked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

type RuntimeStatus = Literal[
    "CREATING", "CREATE_FAILED", "UPDATING", "UPDATE_FAILED", "READY", "DELETING", "DELETE_FAILED"
]


@dataclass(frozen=True, slots=True)
class Network:
    """Part of a VPC, by ids; AgentCore takes 1 to 16 of each."""

    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuntimeSpec:
    """Everything a runtime is made of. `token` (at least 33 characters) makes repeating the call harmless.

    `idle_timeout_s` and `max_lifetime_s` are AgentCore's session limits, each 60..1,209,600; None leaves its default.
    `platform_version`: `V1` starts the container for each session, `V2` restores a snapshot; None leaves it to AWS.
    `network`: the VPC that it runs in; None is AWS's own network.
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
    platform_version: str | None = None
    network: Network | None = None


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
