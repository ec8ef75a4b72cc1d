"""`RuntimeControl` and `AgentInvoker` in memory: runtimes become what the test says, as many looks later as it says."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from flywheel.errors import ConflictError, InvalidRequestError, NotFoundError
from flywheel.ports import AgentReply, Endpoint, InvocationFailure, Runtime, RuntimeSpec, RuntimeStatus
from tests.fakes.clock import FixedClock


@dataclass
class Stored:
    runtime: Runtime
    specs: dict[str, RuntimeSpec]
    tags: dict[str, str]
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)


class InMemoryRuntimes:
    """`becomes`: the status that a runtime has when it is looked at, by name; READY unless said otherwise."""

    def __init__(self, clock: FixedClock | None = None) -> None:
        self._clock = clock or FixedClock()
        self.stored: dict[str, Stored] = {}
        self.becomes: dict[str, tuple[RuntimeStatus, str]] = {}
        self.lagging_endpoints: set[str] = set()
        self.deletes_refused = 0
        self.deletion_takes = 0
        self._deleting: dict[str, int] = {}
        self._made = 0

    def create(self, spec: RuntimeSpec) -> Runtime:
        _check(spec)
        existing = self.find(spec.name)
        if existing is not None:
            (made,) = [stored.specs["1"] for stored in self.stored.values() if stored.runtime.name == spec.name]
            if made.token == spec.token and made != spec:
                raise InvalidRequestError("the client token was used with other parameters")
            return self.get(existing.runtime_id)
        self._made += 1
        runtime_id = f"{spec.name}-{self._made:010d}"
        arn = f"arn:aws:bedrock-agentcore:us-east-1:000000000000:runtime/{runtime_id}"
        runtime = Runtime(runtime_id, arn, spec.name, "1", "CREATING", created_at=self._clock.now())
        self.stored[runtime_id] = Stored(
            runtime, {"1": spec}, dict(spec.tags), {"DEFAULT": Endpoint("DEFAULT", "READY", "1", "1")}
        )
        return runtime

    def update(self, runtime_id: str, spec: RuntimeSpec) -> Runtime:
        _check(spec)
        stored = self._stored(runtime_id)
        if self.becomes.get(stored.runtime.name, ("READY", ""))[0] == "CREATE_FAILED":
            raise ConflictError(f"{runtime_id} is in CREATE_FAILED state and cannot be updated")
        version = stored.tokens.get(spec.token)
        if version is None:
            version = str(len(stored.specs) + 1)
            stored.tokens[spec.token] = version
            stored.specs[version] = spec
            stored.runtime = replace(stored.runtime, version=version)
            stored.endpoints["DEFAULT"] = Endpoint("DEFAULT", "READY", version, version)
        return replace(stored.runtime, version=version, status="UPDATING")

    def get(self, runtime_id: str, version: str | None = None) -> Runtime:
        stored = self._stored(runtime_id)
        if runtime_id in self._deleting:
            self._deleting[runtime_id] -= 1
            if self._deleting[runtime_id] < 0:
                del self.stored[runtime_id], self._deleting[runtime_id]
                raise NotFoundError(runtime_id)
            return replace(stored.runtime, status="DELETING")
        if version is not None and version not in stored.specs:
            raise NotFoundError(f"{runtime_id} version {version}")
        status, reason = self.becomes.get(stored.runtime.name, ("READY", ""))
        return replace(stored.runtime, version=version or stored.runtime.version, status=status, failure_reason=reason)

    def find(self, name: str) -> Runtime | None:
        return next((r for r in self.runtimes() if r.name == name), None)

    def runtimes(self) -> Iterator[Runtime]:
        for runtime_id, stored in list(self.stored.items()):
            status, _ = self.becomes.get(stored.runtime.name, ("READY", ""))
            status = "DELETING" if runtime_id in self._deleting else status
            yield replace(stored.runtime, status=status)

    def tags(self, runtime_arn: str) -> dict[str, str]:
        for stored in self.stored.values():
            if stored.runtime.arn == runtime_arn:
                return dict(stored.tags)
        raise NotFoundError(runtime_arn)

    def delete(self, runtime_id: str) -> None:
        if runtime_id not in self.stored:
            return
        if self.deletes_refused:
            self.deletes_refused -= 1
            raise ConflictError(f"{runtime_id} is being created")
        if self.deletion_takes:
            self._deleting.setdefault(runtime_id, self.deletion_takes)
        else:
            del self.stored[runtime_id]

    def endpoint(self, runtime_id: str, name: str) -> Endpoint | None:
        if runtime_id not in self.stored:
            return None
        return self.stored[runtime_id].endpoints.get(name)

    def move_endpoint(self, runtime_id: str, name: str, version: str, token: str) -> None:
        stored = self._stored(runtime_id)
        if version not in stored.specs:
            raise InvalidRequestError(f"no version {version}")
        before = stored.endpoints.get(name)
        if name in self.lagging_endpoints:
            live = before.live_version if before else None
            stored.endpoints[name] = Endpoint(name, "UPDATING", live, version)
        else:
            stored.endpoints[name] = Endpoint(name, "READY", version, version)

    def settle(self, name: str) -> None:
        """The endpoint arrives at its target."""
        self.lagging_endpoints.discard(name)
        for stored in self.stored.values():
            if name in stored.endpoints:
                target = stored.endpoints[name].target_version
                stored.endpoints[name] = Endpoint(name, "READY", target, target)

    def _stored(self, runtime_id: str) -> Stored:
        if runtime_id not in self.stored:
            raise NotFoundError(runtime_id)
        return self.stored[runtime_id]


def _check(spec: RuntimeSpec) -> None:
    if not 33 <= len(spec.token) <= 256:
        raise InvalidRequestError("token")


class ScriptedAgents:
    """Answers what `answer` says; keeps what it was asked."""

    def __init__(self, answer: Callable[[dict[str, str]], AgentReply | InvocationFailure] | None = None) -> None:
        self.answer = answer or (lambda _: answered("Traces are kept for 30 days."))
        self.asked: list[tuple[str, str, str]] = []
        self.stopped: list[str] = []

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
        assert 33 <= len(session_id) <= 256
        self.asked.append((runtime_arn, qualifier, session_id))
        return self.answer(json.loads(payload))

    def stop_session(self, runtime_arn: str, session_id: str, qualifier: str = "DEFAULT") -> bool:
        self.stopped.append(session_id)
        return True


def answered(text: str) -> AgentReply:
    return AgentReply(json.dumps({"answer": text}).encode(), 200, "application/json", 12)
