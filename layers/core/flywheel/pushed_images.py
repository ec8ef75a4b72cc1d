"""A push -> does it ask for a gate? Looked at before anything is on record of it, so that nothing else supersedes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from flywheel.domain.pushes import PushClaim, asks_for_nothing, is_repeated
from flywheel.domain.releases import GateRequest, supersedes
from flywheel.errors import NotFoundError, TransientError
from flywheel.ports import GateStore, ImageRegistry, PushClaims, ReleaseStore
from flywheel.triggers import FOUND_PUSH, PUSH, GateTrigger

# Two tags of one push race for the claim; more than a few at once is a table that does not hold still.
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Ignored:
    """A push that starts nothing. `unreadable` is for people to look at, the others are as they should be."""

    kind: Literal["by_tag", "no_image", "unreadable", "repeated"]
    reason: str


class PushedImages:
    """Looks at what a push names: its tag, its manifest, and whether a gate judges the same image already."""

    def __init__(
        self,
        *,
        images: ImageRegistry,
        claims: PushClaims,
        gates: GateStore,
        releases: ReleaseStore,
        told: Callable[[Ignored], None] = lambda _: None,
    ) -> None:
        self._images = images
        self._claims = claims
        self._gates = gates
        self._releases = releases
        self._told = told

    def ignored(self, trigger: GateTrigger) -> Ignored | None:
        """Why the push starts nothing; None when a gate has to say what becomes of it, and when this is no push.

        An image for another platform is left to the gate, which is refused without superseding any: whoever pushed it
        under a tag is to know.

        Raises:
            TransientError: the registry or the table does not answer now.
        """
        if trigger.source not in {PUSH, FOUND_PUSH}:
            return None
        found = self._looked_at(trigger)
        if found is not None:
            self._told(found)
        return found

    def carried_out_by(self, trigger: GateTrigger) -> str | None:
        """The gate that carries this very request out already; None, and the request is claimed, when there is none.

        A request has an id of its own (`request_id`, `delivery_id`), which is the same when its event is sent twice,
        while the time of the event need not be. A push has none: there the image is what is claimed.
        """
        if trigger.source in {PUSH, FOUND_PUSH}:
            return None
        key = f"request#{trigger.event_id}"
        request = GateRequest(trigger.gate_id, trigger.requested_at, trigger.event_id)
        known = self._claims.claim_on(key)
        if known is None and self._claims.claim(PushClaim(key, request, trigger.tag), instead_of=None):
            return None
        known = known or self._claims.claim_on(key)
        return None if known is None or known.request.gate_id == trigger.gate_id else known.request.gate_id

    def _looked_at(self, trigger: GateTrigger) -> Ignored | None:
        if trigger.source == PUSH and (why := asks_for_nothing(trigger.tag)):
            return Ignored("by_tag", why)
        named = trigger.tag or trigger.reference
        try:
            finding = self._images.look(trigger.reference)
        except NotFoundError:
            return None  # deleted since: the gate says so
        if finding.kind in {"no_image", "unreadable"}:
            kind: Literal["no_image", "unreadable"] = "no_image" if finding.kind == "no_image" else "unreadable"
            return Ignored(kind, f"{named} {finding.reason}")
        judged_by = self._claimed(trigger, finding.runs or trigger.reference)
        return None if judged_by is None else Ignored("repeated", f"gate {judged_by} judges the same image already")

    def _claimed(self, trigger: GateTrigger, runs: str) -> str | None:
        """Claim the image for this request; the gate that judges it already, if there is one."""
        request = GateRequest(trigger.gate_id, trigger.requested_at, trigger.event_id)
        push = PushClaim(runs, request, trigger.tag, trigger.source == FOUND_PUSH)
        for _ in range(_ATTEMPTS):
            known = self._claims.claim_on(runs)
            if known is not None:
                if known.request.gate_id == trigger.gate_id:
                    return None
                newest = self._releases.newest_request()
                if is_repeated(push, known, newest, judged_now=self._is_judged(known)):
                    return known.request.gate_id
                if supersedes(known.request, request):
                    return None  # it comes late: the newer claim stands
            if self._claims.claim(push, instead_of=known):
                return None
        raise TransientError(f"others claim the image {runs} again and again")

    def _is_judged(self, claim: PushClaim) -> bool:
        row = self._gates.get(claim.request.gate_id)
        return row is None or row.status == "running"  # none yet: it is being planned
