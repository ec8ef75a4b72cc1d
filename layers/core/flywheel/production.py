"""The endpoint that serves production: moved forward by a promotion, put back when one is given up."""

from flywheel.domain.plan import GatePlan
from flywheel.errors import ConflictError, TransientError
from flywheel.ports import Clock, Promotion, Release, ReleaseStore, Runtime, RuntimeControl, Settlement
from flywheel.runtimes import token


def promoted_event(release: Release, plan: GatePlan, approval: Settlement | None) -> dict[str, object]:
    """Detail of `AgentPromoted`. `event_id` is the same however often it is sent: whoever acts on it acts once."""
    return {
        "version": 1,
        "event_id": f"promoted-{release.gate_id}-{release.release_no}",
        "environment": plan.environment,
        "gate_id": plan.gate_id,
        "release_no": release.release_no,
        "candidate_id": release.candidate.candidate_id,
        "image_digest": release.candidate.image_digest,
        "runtime_id": release.runtime_id,
        "runtime_version": release.runtime_version,
        "revision": plan.revision,
        "approved_by": approval.by if approval else None,
    }


class ProductionEndpoint:
    """One named endpoint. Whoever moves it holds the right to promote."""

    def __init__(self, name: str, runtimes: RuntimeControl, releases: ReleaseStore, clock: Clock) -> None:
        self.name = name
        self._runtimes = runtimes
        self._releases = releases
        self._clock = clock

    def is_on(self, runtime_id: str, version: str, move_token: str) -> bool:
        """Move the endpoint if it is elsewhere; True once it serves exactly that version.

        Raises:
            TransientError: the endpoint is just changing.
            ConflictError: the endpoint cannot take that version.
        """
        endpoint = self._runtimes.endpoint(runtime_id, self.name)
        if endpoint is None or endpoint.target_version != version:
            self._move(runtime_id, version, move_token)
            endpoint = self._runtimes.endpoint(runtime_id, self.name)
        if endpoint is not None and endpoint.status in ("CREATE_FAILED", "UPDATE_FAILED"):
            raise ConflictError(f"endpoint {self.name}: {endpoint.status}: {endpoint.failure_reason[:500]}")
        return endpoint is not None and endpoint.status == "READY" and endpoint.live_version == version

    def moved_by_hand(self, runtime_id: str, version: str) -> str | None:
        """In words what the endpoint serves when it is not at `version`, where the record says that it is."""
        endpoint = self._runtimes.endpoint(runtime_id, self.name)
        if endpoint is None:
            return f"the endpoint {self.name} of {runtime_id} is gone"
        if version in (endpoint.target_version, endpoint.live_version):
            return None
        return f"the endpoint {self.name} of {runtime_id} serves version {endpoint.live_version}, not {version}"

    def serves(self, progress: Promotion | None) -> tuple[str, str] | None:
        """Runtime and version of a promotion that had come to the move, when the endpoint serves just that.

        Raises:
            TransientError: it is on its way there.
        """
        if progress is None or progress.step != "moving" or not progress.runtime_id or not progress.version:
            return None
        endpoint = self._runtimes.endpoint(progress.runtime_id, self.name)
        if endpoint is None or endpoint.target_version != progress.version:
            return None
        if endpoint.status in ("CREATING", "UPDATING"):
            raise TransientError(f"endpoint {self.name} is moving to version {progress.version}")
        arrived = endpoint.status == "READY" and endpoint.live_version == progress.version
        return (progress.runtime_id, progress.version) if arrived else None

    def abandon(self, gate_id: str, progress: Promotion | None) -> None:
        """Put production back to the release on record and give the right to promote back; safe to repeat.

        Only what this gate moved is put back, and only while nobody else promotes: their move overrides ours. On the
        very first promotion there is nothing to go back to: what serves is recorded instead (`ReleaseRecord`).

        Raises:
            TransientError: the endpoint is just changing; call again.
        """
        head = self._releases.head()
        committed = head.release is not None and head.release.gate_id == gate_id
        others = head.promoting not in (None, gate_id) and (
            head.promoting_until is None or head.promoting_until > self._clock.now()
        )
        moved = progress is not None and progress.step == "moving"
        if progress is not None and moved and not committed and not others:
            runtime_id, version = progress.runtime_id, progress.version
            back = head.release.runtime_version if head.release else progress.previous_version
            endpoint = self._runtimes.endpoint(runtime_id, self.name) if runtime_id else None
            if (
                runtime_id
                and version
                and back
                and endpoint
                and version in (endpoint.target_version, endpoint.live_version)
            ):
                self._move(runtime_id, back, token("back", gate_id, version))
        self._releases.let_go(gate_id)

    def _move(self, runtime_id: str, version: str, move_token: str) -> None:
        try:
            self._runtimes.move_endpoint(runtime_id, self.name, version, move_token)
        except ConflictError as error:
            raise TransientError(f"endpoint {self.name} is changing: {error}") from error


def version_trouble(runtime: Runtime) -> tuple[str, str]:
    """Code and words for a version of the production runtime that failed.

    When the very first one did, there is nothing to update, and no function of ours may delete production: the words
    say how a person does.
    """
    why = runtime.failure_reason[:500]
    if runtime.status != "CREATE_FAILED":
        return "update_failed", f"version {runtime.version}: {why}"
    return "runtime_broken", (
        f"the production runtime {runtime.runtime_id} is in CREATE_FAILED since it was made "
        f"({why or 'AgentCore gives no reason'}): no update repairs that, and nothing answers from it. Delete it by "
        f"`aws bedrock-agentcore-control delete-agent-runtime --agent-runtime-id {runtime.runtime_id}`, correct the "
        "reason, and start the gate again: the promotion makes it anew"
    )
