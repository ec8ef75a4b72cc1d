"""Is a gate still the newest one asked for? An older one must not decide about production any more."""

from flywheel.domain.gate import Reason
from flywheel.domain.plan import GatePlan
from flywheel.ports import ReleaseStore


def superseded(plan: GatePlan, releases: ReleaseStore) -> Reason | None:
    """Name the newer gate; None for the newest one, and for a gate that would not promote anyway."""
    if not plan.promote:
        return None
    newest = releases.newest_request()
    if newest is None or newest.gate_id == plan.gate_id:
        return None
    return Reason("superseded", f"gate {newest.gate_id} was asked for later and decides instead")
