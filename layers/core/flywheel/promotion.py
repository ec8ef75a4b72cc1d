"""PASS, or a person's approval -> production: the digest that was tested behind the endpoint, a step a call.

The steps, each safe to repeat: take the right to promote -> new version of the production runtime -> READY -> endpoint
`candidate` on it -> smoke test -> endpoint `production` on it -> record, right given back -> event -> prompt's label.
From the record on nothing takes the promotion back: a label that cannot be moved is noted.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from flywheel.domain.holds import may_promote
from flywheel.domain.own_traffic import smoke_test_session
from flywheel.domain.plan import GatePlan
from flywheel.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    TransientError,
)
from flywheel.events import PromoteReply
from flywheel.evidence import GateEvidence
from flywheel.labelling import ProductionLabel
from flywheel.ports import (
    AgentInvoker,
    Clock,
    EventBus,
    GateStore,
    ImageRegistry,
    Promotion,
    PromptLabels,
    Release,
    ReleaseStore,
    RuntimeControl,
    RuntimeStatus,
    Settlement,
)
from flywheel.production import ProductionEndpoint, version_trouble
from flywheel.promotion_checks import RefusedPromotionError, check_image, moved_by_hand
from flywheel.release_record import ReleaseRecord
from flywheel.runtimes import Surroundings, production_spec, token
from flywheel.smoke_test import smoke_test
from flywheel.supersession import superseded

STAGING_ENDPOINT = "candidate"
_WAIT_S = 2
_LABEL_WAIT_S = 10
_FAILED: tuple[RuntimeStatus, ...] = ("CREATE_FAILED", "UPDATE_FAILED", "DELETING", "DELETE_FAILED")


@dataclass(frozen=True, slots=True)
class PromotionSettings:
    """`lease`: how long the right to promote is held after each call; longer than any one call takes."""

    surroundings: Surroundings
    runtime_name: str
    endpoint_name: str
    ready_timeout: timedelta
    lease: timedelta = timedelta(minutes=10)


class Promoter:
    """Promotes the candidate of a gate that passed, or that a person approved where the evidence left it open.

    Each call takes the promotion as far as it goes without waiting.
    """

    def __init__(
        self,
        settings: PromotionSettings,
        *,
        runtimes: RuntimeControl,
        agents: AgentInvoker,
        gates: GateStore,
        releases: ReleaseStore,
        evidence: GateEvidence,
        bus: EventBus,
        labels: PromptLabels,
        images: ImageRegistry,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._images = images
        self._runtimes = runtimes
        self._agents = agents
        self._gates = gates
        self._releases = releases
        self._evidence = evidence
        self._clock = clock
        self._production = ProductionEndpoint(settings.endpoint_name, runtimes, releases, clock)
        self._record = ReleaseRecord(gates, releases, evidence, bus, clock, self._production)
        self._label = ProductionLabel(labels, releases)

    def promote(self, gate_id: str) -> PromoteReply:
        """Go on with the promotion.

        Raises:
            PromotionRefusedError: production changed, a newer request is there, or the new version failed; production
                answers as before, and the reason is in the gate's record.
            TransientError: call again.
        """
        plan = self._evidence.plan(gate_id)
        row = self._gates.get(gate_id)
        if row is None:
            raise NotFoundError(f"no gate {gate_id}")
        progress = row.promotion or Promotion("acquired", self._clock.now())
        if progress.step == "refused":
            raise RefusedPromotionError(progress.reason or "refused", progress.message or "")
        if progress.step == "committed":
            return self._labelled(plan, progress)
        head = self._releases.head().release
        if head is not None and head.gate_id == gate_id:
            return self._announce(plan, head, progress)
        try:
            if row.status == "ended":
                raise RefusedPromotionError("gate_ended", "the gate was ended while it promoted")  # noqa: TRY301
            return self._advance(plan, progress, row.approval)
        except RefusedPromotionError as refused:
            progress = self._noted(gate_id)
            settled = self._record.settled(replace(row, promotion=progress)).promotion
            if settled is not None and settled.step == "committed":
                return self._labelled(plan, settled)  # the first there ever was, and callers are served by it already
            self._production.abandon(gate_id, progress)
            self._note(plan, replace(progress, step="refused", reason=refused.code, message=refused.message))
            raise

    def _advance(self, plan: GatePlan, progress: Promotion, approval: Settlement | None) -> PromoteReply:
        verdict = self._evidence.verdict(plan.gate_id)
        approved = approval is not None
        if verdict is None or not plan.promote or not may_promote(plan.policy, verdict, approved=approved):
            raise RefusedPromotionError(
                "no_pass", "only a gate that passed or was approved, and was to promote, may promote"
            )
        if newer := superseded(plan, self._releases):
            raise RefusedPromotionError(newer.code, newer.message)
        now = self._clock.now()
        try:
            self._releases.acquire(plan.gate_id, plan.incumbent_release, now=now, until=now + self._settings.lease)
        except ConflictError as error:
            raise RefusedPromotionError("incumbent_changed", str(error)) from error
        row = self._gates.get(plan.gate_id)
        if row is None or row.status == "ended":
            # Ended since it was looked at, and its right given back before we took it (again): nobody would end this.
            raise RefusedPromotionError("gate_ended", "the gate was ended while it promoted")
        if row.promotion is None:
            # Its time of beginning is what the time limit counts from, and part of what a repeated call says again.
            self._note(plan, progress)
        head = self._releases.head().release
        if head is not None and progress.step == "acquired" and (why := moved_by_hand(self._production, head)):
            raise RefusedPromotionError("endpoint_moved", why)
        if head is not None and head.candidate.candidate_id == plan.arms[0].candidate.candidate_id:
            return self._unchanged(plan, head, progress)
        if now - progress.started_at > self._settings.ready_timeout:
            limit = round(self._settings.ready_timeout.total_seconds())
            raise RefusedPromotionError("promotion_timeout", f"not done within {limit} s, last step {progress.step}")
        return self._step(plan, progress)

    def _step(self, plan: GatePlan, progress: Promotion) -> PromoteReply:
        """Take every step that does not have to be waited for."""
        if progress.step == "acquired":
            check_image(self._images, plan)
            made = self._make_version(plan, progress)
            if made is None:
                return _later()
            progress = self._note(plan, made)
        if progress.step == "updating":
            if not self._version_is_ready(progress):
                return _later()
            progress = self._note(plan, replace(progress, step="staging"))
        if progress.step == "staging":
            if not self._staged(plan, progress):
                return _later()
            self._smoke_test(plan, progress)
            if newer := superseded(plan, self._releases):
                raise RefusedPromotionError(newer.code, newer.message)
            progress = self._note(plan, replace(progress, step="moving"))
        return self._go_live(plan, progress)

    def _go_live(self, plan: GatePlan, progress: Promotion) -> PromoteReply:
        runtime_id, version = _version(progress)
        before = self._runtimes.endpoint(runtime_id, self._settings.endpoint_name)
        head = self._releases.head().release
        ours = (version, progress.previous_version)
        if head is not None and (before is None or before.target_version not in ours):
            raise RefusedPromotionError(
                "endpoint_moved", moved_by_hand(self._production, head) or "it was moved by hand"
            )
        try:
            if not self._production.is_on(runtime_id, version, token("live", plan.gate_id, version)):
                return _later()
        except ConflictError as error:
            raise RefusedPromotionError("update_failed", str(error)) from error
        return self._commit(plan, progress)

    def _make_version(self, plan: GatePlan, progress: Promotion) -> Promotion | None:
        """Create or update the production runtime; None while it takes no update, because one is under way."""
        spec = production_spec(
            plan.gate_id,
            self._settings.runtime_name,
            plan.arms[0].candidate,
            self._settings.surroundings,
            progress.started_at,
        )
        existing = self._runtimes.find(self._settings.runtime_name)
        if existing is None:
            made, previous = self._runtimes.create(spec), None
        else:
            if existing.status in ("CREATING", "UPDATING"):
                return None  # a promotion that was given up left it so: AgentCore takes one change at a time
            if existing.status == "CREATE_FAILED":
                raise RefusedPromotionError(*version_trouble(self._runtimes.get(existing.runtime_id)))
            live = self._runtimes.endpoint(existing.runtime_id, self._settings.endpoint_name)
            made, previous = self._runtimes.update(existing.runtime_id, spec), live.live_version if live else None
        return replace(
            progress, step="updating", runtime_id=made.runtime_id, version=made.version, previous_version=previous
        )

    def _version_is_ready(self, progress: Promotion) -> bool:
        if progress.runtime_id is None:
            return False
        runtime = self._runtimes.get(progress.runtime_id, progress.version)
        if runtime.status in _FAILED:
            raise RefusedPromotionError(*version_trouble(runtime))
        return runtime.status == "READY"

    def _staged(self, plan: GatePlan, progress: Promotion) -> bool:
        runtime_id, version = _version(progress)
        endpoint = self._runtimes.endpoint(runtime_id, STAGING_ENDPOINT)
        if endpoint is None or endpoint.target_version != version:
            self._runtimes.move_endpoint(runtime_id, STAGING_ENDPOINT, version, token("stage", plan.gate_id, version))
            endpoint = self._runtimes.endpoint(runtime_id, STAGING_ENDPOINT)
        if endpoint is not None and endpoint.status in _FAILED:
            raise RefusedPromotionError(
                "update_failed", f"endpoint {STAGING_ENDPOINT}: {endpoint.failure_reason[:500]}"
            )
        return endpoint is not None and endpoint.status == "READY" and endpoint.live_version == version

    def _smoke_test(self, plan: GatePlan, progress: Promotion) -> None:
        """One real question to the new version under production's own role: it must answer something."""
        runtime_id, version = _version(progress)
        trouble = smoke_test(
            self._agents,
            self._runtimes.get(runtime_id).arn,
            plan.items,
            gate_id=plan.gate_id,
            session=smoke_test_session(plan.gate_id, token(version, plan.gate_id)[:16]),
            qualifier=STAGING_ENDPOINT,
        )
        if trouble is not None:
            raise RefusedPromotionError("smoke_test_failed", f"version {version}: {trouble}")

    def _commit(self, plan: GatePlan, progress: Promotion) -> PromoteReply:
        runtime_id, version = _version(progress)
        release = Release(
            release_no=(plan.incumbent_release or 0) + 1,
            candidate=plan.arms[0].candidate,
            gate_id=plan.gate_id,
            runtime_id=runtime_id,
            runtime_version=version,
            since=self._clock.now(),
        )
        try:
            self._releases.commit(
                release, holder=plan.gate_id, expected_release=plan.incumbent_release, ended_because="replaced"
            )
        except ConflictError as error:
            head = self._releases.head().release
            if head is None or head.gate_id != plan.gate_id:
                raise RefusedPromotionError("incumbent_changed", str(error)) from error
            release = head  # another call of this very promotion was first
        return self._announce(plan, release, progress)

    def _announce(self, plan: GatePlan, release: Release, progress: Promotion) -> PromoteReply:
        row = self._gates.get(plan.gate_id)
        if row is None:
            raise NotFoundError(f"no gate {plan.gate_id}")
        return self._labelled(plan, self._record.announce(replace(row, promotion=progress), release, plan))

    def _unchanged(self, plan: GatePlan, head: Release, progress: Promotion) -> PromoteReply:
        """What passed is what production runs: nothing moves, and that is recorded."""
        self._releases.let_go(plan.gate_id)
        committed = replace(
            progress,
            step="committed",
            runtime_id=head.runtime_id,
            version=head.runtime_version,
            previous_version=head.runtime_version,
            committed_at=self._clock.now(),
        )
        return self._labelled(plan, self._note(plan, committed))

    def _labelled(self, plan: GatePlan, progress: Promotion) -> PromoteReply:
        """The last step. What keeps it from being done is waited for, then noted: production has moved already."""
        try:
            settled = self._label.settle(progress, self._clock.now())
        except TransientError:
            return _later(_LABEL_WAIT_S)
        if settled != progress:
            self._note(plan, settled)
        return PromoteReply(done=True, wait_s=0, promoted=True)

    def _note(self, plan: GatePlan, progress: Promotion) -> Promotion:
        self._gates.note_promotion(plan.gate_id, progress)
        return progress

    def _noted(self, gate_id: str) -> Promotion:
        row = self._gates.get(gate_id)
        return row.promotion if row and row.promotion else Promotion("acquired", self._clock.now())


def _version(progress: Promotion) -> tuple[str, str]:
    if progress.runtime_id is None or progress.version is None:
        raise InvalidRequestError(f"the promotion at step {progress.step} names no version")
    return progress.runtime_id, progress.version


def _later(wait_s: int = _WAIT_S) -> PromoteReply:
    return PromoteReply(done=False, wait_s=wait_s, promoted=False)
