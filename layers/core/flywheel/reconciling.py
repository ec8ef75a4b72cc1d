"""The newest push without a gate -> one is asked for: ECR sends its events as "best effort", so one may never come."""

from collections.abc import Sequence
from datetime import timedelta

from flywheel.domain.image_manifest import Finding
from flywheel.domain.pushes import asks_for_nothing
from flywheel.errors import NotFoundError
from flywheel.ports import Clock, EventBus, GateStore, ImageRegistry, PushClaims, ReleaseStore, TaggedImage
from flywheel.triggers import FOUND_PUSH

# Until then the event may be on its way; a rule that could not reach the machine at once tries again for two hours.
SETTLE = timedelta(minutes=15)
# Older ones nobody waits for any more; whoever does pushes again, or asks by `flywheel gate start`.
LOOK_BACK = timedelta(hours=24)
_MOST_LOOKED_AT = 20
_GATES = 100


class PushReconciler:
    """Looks at the newest image only: it is what decides about production, and would supersede any before it."""

    def __init__(
        self,
        *,
        images: ImageRegistry,
        claims: PushClaims,
        gates: GateStore,
        releases: ReleaseStore,
        bus: EventBus,
        clock: Clock,
    ) -> None:
        self._images = images
        self._claims = claims
        self._gates = gates
        self._releases = releases
        self._bus = bus
        self._clock = clock

    def reconcile(self, tagged: Sequence[TaggedImage]) -> str | None:
        """Ask for the gate of the newest push when it has none; give its digest, None when nothing was asked for.

        Asking again is the same request: its id and time are those of the push.
        """
        newest = self._newest(tagged)
        if newest is None:
            return None
        image, finding = newest
        if self._clock.now() - image.pushed_at < SETTLE or self._is_known(image.digest, finding.runs):
            return None
        detail = {
            "version": 1,
            "request_id": f"{FOUND_PUSH}-{image.digest}",
            "image": image.digest,
            "reason": FOUND_PUSH,
        }
        self._bus.publish("GateRequested", detail, at=image.pushed_at)
        return image.digest

    def _newest(self, tagged: Sequence[TaggedImage]) -> tuple[TaggedImage, Finding] | None:
        since = self._clock.now() - LOOK_BACK
        recent = [one for one in tagged if one.pushed_at >= since and not all(map(asks_for_nothing, one.tags))]
        for image in sorted(recent, key=lambda one: one.pushed_at, reverse=True)[:_MOST_LOOKED_AT]:
            try:
                finding = self._images.look(image.digest)
            except NotFoundError:
                continue
            if finding.kind == "runnable":
                return image, finding
        return None

    def _is_known(self, digest: str, runs: str) -> bool:
        """A gate judged it, or judges it, or it is in production: whatever asked for that."""
        if self._claims.claim_on(runs) is not None:
            return True
        release = self._releases.head().release
        if release is not None and release.candidate.image_digest in {digest, runs}:
            return True
        return any(row.digest in {digest, runs} for row in self._gates.recent(_GATES))
