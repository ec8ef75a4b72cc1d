"""Which pushes ask for a gate: by their tag, and once for what is pushed under several names."""

import re
from dataclasses import dataclass
from datetime import timedelta

from flywheel.domain.releases import GateRequest, supersedes

# Put on the image of each release by ourselves, so that the repository's lifecycle policy spares it.
RELEASE_TAG = "flywheel-release-"
# OCI's fallback for registries that cannot list referrers, which cosign uses for `.sig`, `.att` and `.sbom`.
_REFERRERS_TAG = re.compile(r"sha256-[0-9a-f]{64}(\..+)?")

# Of one moment, as far as ECR's times of whole seconds tell: a gate that was refused at once may have ended by then.
_AT_ONCE = timedelta(seconds=1)
# Another name for what a gate is judging already adds nothing to it; longer than that ago, somebody means it anew.
_WHILE_JUDGED = timedelta(minutes=10)


def release_tag(release_no: int) -> str:
    """`flywheel-release-000012`."""
    return f"{RELEASE_TAG}{release_no:06d}"


def asks_for_nothing(tag: str | None) -> str | None:
    """Why a push under this tag asks for no gate; None when the image itself has to be looked at."""
    if not tag:
        return "it was pushed without a tag: it is a part of an index, or an attestation"
    if tag.startswith(RELEASE_TAG):
        return f"the tag {tag} marks a release: flywheel puts it"
    if _REFERRERS_TAG.fullmatch(tag):
        return f"the tag {tag} belongs to a signature, an attestation or an SBOM"
    return None


@dataclass(frozen=True, slots=True)
class PushClaim:
    """The gate that judges what was pushed; `runs` is the digest of what would run, which index and image share.

    `found`: the push was found by looking, because its event had not come; `tag` is not known then.
    """

    runs: str
    request: GateRequest
    tag: str | None = None
    found: bool = False


def is_repeated(push: PushClaim, claim: PushClaim, newest: GateRequest | None, *, judged_now: bool) -> bool:
    """True when `push` says again what `claim` has said: its gate judges both.

    `newest`: the newest request of all; what was asked for in between makes the same image a new request.
    `judged_now`: the gate of `claim` is running.
    """
    if push.request.gate_id == claim.request.gate_id:
        return False
    if newest is not None and newest.gate_id != claim.request.gate_id and supersedes(newest, claim.request):
        return False
    found = claim.found or push.found
    if push.tag == claim.tag and not found:
        return False  # the tag was somewhere else in between: ECR tells of no push that changes nothing
    apart = abs(push.request.requested_at - claim.request.requested_at)
    return apart <= _AT_ONCE or ((judged_now or found) and apart <= _WHILE_JUDGED)
