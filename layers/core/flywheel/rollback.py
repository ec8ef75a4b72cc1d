"""Production back on the release before, by hand: endpoint moved, recorded as its own release, announced, labelled."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flywheel.errors import ConflictError, NotFoundError, PromotionRefusedError, TransientError
from flywheel.labelling import ProductionLabel
from flywheel.ports import Clock, EventBus, ObjectStore, PromptLabels, Release, ReleaseStore, RuntimeControl
from flywheel.production import ProductionEndpoint
from flywheel.runtimes import token

ROLLED_BACK = "rolled_back"
_LEASE = timedelta(minutes=10)
_POLL_S = 1.0
_LABEL_TIMEOUT_S = 30.0
_LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class RollbackPlan:
    """`current` is what production runs, `target` what it would run."""

    current: Release
    target: Release


@dataclass(frozen=True, slots=True)
class RolledBack:
    """`label_trouble`: why the label `production` in Langfuse did not follow; None when it did, or had no need to."""

    release: Release
    label_trouble: str | None = None


def _begun(release_no: int) -> str:
    return f"rollbacks/{release_no:06d}.begun.json"


def _done(release_no: int) -> str:
    return f"rollbacks/{release_no:06d}.json"


def plan_rollback(releases: ReleaseStore) -> RollbackPlan:
    """Choose the newest release before the current one that was not itself rolled back.

    Raises:
        NotFoundError: nothing is in production, or there is nothing to go back to.
    """
    current = releases.head().release
    if current is None:
        raise NotFoundError("nothing is in production yet, so there is nothing to roll back")
    for release in releases.releases(_LOOKED_AT):
        older = release.release_no < current.release_no
        if older and release.runtime_version != current.runtime_version and release.ended_because != ROLLED_BACK:
            return RollbackPlan(current, release)
    raise NotFoundError(f"release {current.release_no} has no earlier release to go back to")


class Rollback:
    """Carries a rollback out within `timeout_s` seconds."""

    def __init__(
        self,
        endpoint_name: str,
        *,
        runtimes: RuntimeControl,
        releases: ReleaseStore,
        bus: EventBus,
        labels: PromptLabels,
        objects: ObjectStore,
        clock: Clock,
        timeout_s: float = 120.0,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runtimes = runtimes
        self._releases = releases
        self._bus = bus
        self._objects = objects
        self._clock = clock
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._monotonic = monotonic
        self._label = ProductionLabel(labels, releases)
        self._endpoint = ProductionEndpoint(endpoint_name, runtimes, releases, clock)

    def roll_back(self, plan: RollbackPlan, *, by: str, reason: str) -> RolledBack:
        """Move production from `plan.current` to `plan.target`, and the label of its prompt version after it.

        Raises:
            PromotionRefusedError: production is not at `plan.current` any more, a gate is promoting right now, or the
                endpoint did not move in time; production answers as before.
        """
        current, target = plan.current, plan.target
        now = self._clock.now()
        # Not by the time: whoever was killed on the way goes on with the right that was taken.
        holder = f"rollback-{token(str(current.release_no), by)[:16]}"
        try:
            self._releases.acquire(holder, current.release_no, now=now, until=now + _LEASE)
        except ConflictError as error:
            raise PromotionRefusedError(f"cannot roll back: {error}") from error
        release = Release(
            release_no=current.release_no + 1,
            candidate=target.candidate,
            gate_id=target.gate_id,
            runtime_id=target.runtime_id,
            runtime_version=target.runtime_version,
            since=now,
        )
        detail = {
            "version": 1,
            "event_id": f"rolled-back-{release.release_no}",
            "release_no": release.release_no,
            "from_release": current.release_no,
            "from_digest": current.candidate.image_digest,
            "image_digest": target.candidate.image_digest,
            "candidate_id": target.candidate.candidate_id,
            "runtime_version": target.runtime_version,
            "by": by[:200],
            "reason": reason[:500],
        }
        self._objects.put(_begun(release.release_no), json.dumps(detail).encode())
        try:
            self._move(target, holder)
            self._releases.commit(
                release, holder=holder, expected_release=current.release_no, ended_because=ROLLED_BACK
            )
        except (ConflictError, NotFoundError, TransientError) as error:
            recorded = self._releases.head().release
            # An answer that was lost on the way back is no failure.
            if recorded is None or recorded.release_no != release.release_no:
                raise PromotionRefusedError(f"cannot roll back: {error}; {self._move_back(current, holder)}") from error
        return self._told(release, detail)

    def finish(self) -> RolledBack | None:
        """Announce and label the rollback in production when whoever made it was killed before; None: nothing is left.

        Raises:
            TransientError: the bus or the evidence does not answer now.
        """
        release = self._releases.head().release
        if release is None or self._document(_begun(release.release_no)) is None:
            return None
        if self._document(_done(release.release_no)) is not None:
            return None
        detail = json.loads(self._document(_begun(release.release_no)) or b"{}")
        ours = (detail.get("candidate_id"), detail.get("runtime_version"))
        if ours != (release.candidate.candidate_id, release.runtime_version):
            return None  # it was begun and came to nothing; a promotion took its number
        return self._told(release, detail)

    def _told(self, release: Release, detail: Mapping[str, Any]) -> RolledBack:
        self._bus.publish("AgentRolledBack", detail)
        trouble = self._label_trouble()
        self._objects.create(_done(release.release_no), json.dumps(dict(detail)).encode())
        return RolledBack(release, trouble)

    def _document(self, key: str) -> bytes | None:
        try:
            return self._objects.read(key)
        except NotFoundError:
            return None

    def _label_trouble(self) -> str | None:
        """Production is back whatever comes of this."""
        end = self._monotonic() + _LABEL_TIMEOUT_S
        while True:
            try:
                return self._label.follow()
            except TransientError as error:
                if self._monotonic() >= end:
                    return str(error)
            self._sleep(_POLL_S)

    def _move(self, to: Release, holder: str) -> None:
        end = self._monotonic() + self._timeout_s
        while not self._endpoint.is_on(to.runtime_id, to.runtime_version, token(holder, to.runtime_version)):
            if self._monotonic() >= end:
                raise TransientError(
                    f"the endpoint did not serve version {to.runtime_version} within {self._timeout_s:g} s"
                )
            self._sleep(_POLL_S)

    def _move_back(self, current: Release, holder: str) -> str:
        """Undo; say in words how that went."""
        try:
            self._move(current, holder)
        except (ConflictError, NotFoundError, TransientError) as error:
            return f"production may not be back at release {current.release_no} yet: {error}"
        finally:
            self._releases.let_go(holder)
        return f"production is at release {current.release_no} as before"
