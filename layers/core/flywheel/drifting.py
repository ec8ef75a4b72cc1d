"""A gate of the incumbent that ended -> `QualityDrifted` on the bus, once, when production has become worse."""

from dataclasses import dataclass

from flywheel.domain.drift import Drift, find_drift
from flywheel.domain.plan import GatePlan
from flywheel.domain.verdict import VerdictKind
from flywheel.evidence import GateEvidence
from flywheel.ports import EventBus, Once


@dataclass(frozen=True, slots=True)
class DriftWatch:
    """Looks at the evidence of gates after they have ended."""

    evidence: GateEvidence
    bus: EventBus
    once: Once

    def look(self, plan: GatePlan, verdict: VerdictKind) -> bool:
        """Say whether this call published a drift: of one gate it is published once.

        Raises:
            TransientError: something that is needed does not answer now.
        """
        records, _ = self.evidence.results(plan.gate_id)
        drift = find_drift(plan, records, verdict)
        if drift is None:
            return False
        detail = _told(plan.gate_id, plan.release_no, drift)
        done = self.once.attempt(f"{plan.gate_id}/drift", lambda: self.bus.publish("QualityDrifted", detail))
        return done == "done"


def _told(gate_id: str, release_no: int | None, drift: Drift) -> dict[str, object]:
    return {
        "version": 1,
        "event_id": f"drift-{gate_id}",
        "gate_id": gate_id,
        "release_no": release_no,
        "by": list(drift.by),
        "item_ids_failed": list(drift.item_ids),
        "failed": drift.failed,
        "asked": drift.asked,
        "rate": round(drift.rate, 4),
        "limit": drift.limit,
    }
