"""A promotion that was stopped midway -> what production serves is on record, announced, and noted in its gate."""

from dataclasses import dataclass, replace
from datetime import timedelta

from flywheel.domain.plan import GatePlan
from flywheel.errors import ConflictError, InvalidRequestError
from flywheel.evidence import GateEvidence
from flywheel.ports import Clock, EventBus, GateRow, GateStore, Promotion, Release, ReleaseStore
from flywheel.production import ProductionEndpoint, promoted_event

# Among so many of the newest releases that of a gate is looked for.
_LOOKED_AT = 50
_LEASE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """Whatever a promotion was killed between, the endpoint decides about the record and the record about the news.

    `endpoint` None: only what is on record is settled (the caller may not write releases).
    """

    gates: GateStore
    releases: ReleaseStore
    evidence: GateEvidence
    bus: EventBus
    clock: Clock
    endpoint: ProductionEndpoint | None = None

    def settled(self, row: GateRow) -> GateRow:
        """The gate's record with its promotion as production has it; safe to repeat.

        A first promotion that died after its move has no release to go back to: callers are served by it, so it is
        recorded. A release whose announcement is not noted is announced (again, under the same `event_id`).

        Raises:
            TransientError: something that is needed does not answer now.
        """
        if row.promotion is None or row.promotion.step == "committed":
            return row
        plan = self._plan(row.gate_id)
        release = self._of_gate(row.gate_id) or self._stranded(row, plan)
        if release is None:
            return row
        return replace(row, promotion=self.announce(row, release, plan))

    def announce(self, row: GateRow, release: Release, plan: GatePlan | None) -> Promotion:
        """The note says `committed` only after the event is out: a lost call sends it again, never not at all."""
        if plan is not None:
            self.bus.publish("AgentPromoted", promoted_event(release, plan, row.approval))
        progress = row.promotion or Promotion("acquired", self.clock.now())
        committed = replace(progress, step="committed", committed_at=self.clock.now())
        self.gates.note_promotion(row.gate_id, committed)
        return committed

    def _of_gate(self, gate_id: str) -> Release | None:
        return next((one for one in self.releases.releases(_LOOKED_AT) if one.gate_id == gate_id), None)

    def _stranded(self, row: GateRow, plan: GatePlan | None) -> Release | None:
        """The first release there ever was, recorded now; None when this is none."""
        if self.endpoint is None or plan is None or self.releases.head().release is not None:
            return None
        served = self.endpoint.serves(row.promotion)
        if served is None:
            return None
        now = self.clock.now()
        first = Release(1, plan.arms[0].candidate, row.gate_id, *served, since=now)
        try:
            self.releases.acquire(row.gate_id, None, now=now, until=now + _LEASE)
            self.releases.commit(first, holder=row.gate_id, expected_release=None, ended_because="replaced")
        except ConflictError:
            return self._of_gate(row.gate_id)  # somebody promotes just now, or settled this one first
        return first

    def _plan(self, gate_id: str) -> GatePlan | None:
        try:
            return self.evidence.planned(gate_id)
        except InvalidRequestError:  # of another version of flywheel
            return None
