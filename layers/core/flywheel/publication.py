"""Verdict, failure and promotion of a gate -> its final outcome, on record, in a report and announced once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from flywheel.domain.annotation import failed_note
from flywheel.domain.drift import DATASET_GROWN, NIGHTLY
from flywheel.domain.gate import Reason, Verdict
from flywheel.domain.holds import NOTE_OF
from flywheel.domain.outcome import TrialRecord
from flywheel.domain.plan import GatePlan
from flywheel.drifting import DriftWatch
from flywheel.errors import FlywheelError, InvalidRequestError, NotFoundError, TransientError
from flywheel.events import Failure, PublishReply
from flywheel.evidence import GateEvidence, report_key
from flywheel.failure_words import failure_words
from flywheel.labelling import label_note
from flywheel.opening import opened_unplanned
from flywheel.ports import Clock, EventBus, GateRow, GateStore, Hold, Notifier, Once, Promotion, ReleaseStore
from flywheel.release_record import ReleaseRecord

_EVENT_TYPES = {"PASS": "GatePassed", "FAIL": "GateFailed", "INCONCLUSIVE": "GateInconclusive"}
# What is judged, where that is not an image that somebody pushed.
_WHAT = {
    NIGHTLY: "production, every night",
    DATASET_GROWN: "production, on new items",
    "prompt-version": "a prompt from Langfuse",
    "remote-experiment": "an experiment from Langfuse",
    "experiment": "what an experiment chose",
    "lost-push": "a push whose event never came",
}
_CLEAN_UP_FAILED = "CleanUpFailed"
_PROMOTION_REFUSED = "PromotionRefusedError"


class Render(Protocol):
    def __call__(self, plan: GatePlan, records: list[TrialRecord], verdict: Verdict, row: GateRow) -> tuple[str, str]:
        """Give `report.json` and `report.html`."""
        ...


def final_outcome(
    verdict: Verdict | None, failure: Failure | None, promotion: Promotion | None, hold: Hold | None = None
) -> Verdict:
    """What the gate says in the end.

    Evidence that was decided on stands, whatever a person made of it: that is a note. A PASS that could not be carried
    out is INCONCLUSIVE, because "passed" means that production runs it, or could; a failure without a verdict is
    INCONCLUSIVE with the error's name.
    """
    outcome = _outcome(verdict, failure, promotion)
    note = settlement_note(hold)
    return outcome if note is None else Verdict(outcome.kind, (*outcome.reasons, note), outcome.estimates)


def settlement_note(hold: Hold | None) -> Reason | None:
    """How a hold ended, for the record; None: there was none, or nothing settled it."""
    settled = hold.settled if hold else None
    if hold is None or settled is None:
        return None
    if settled.kind == "timed_out":
        return Reason(NOTE_OF[settled.kind], f"nobody decided until {hold.until:%Y-%m-%d %H:%M} UTC")
    who = f"{settled.name} ({settled.by})" if settled.name else settled.by
    message = f"{settled.kind} by {who} on {settled.at:%Y-%m-%d %H:%M} UTC: {settled.reason}"
    return Reason(NOTE_OF[settled.kind], message)


def _outcome(verdict: Verdict | None, failure: Failure | None, promotion: Promotion | None) -> Verdict:
    trouble = None if failure is None else Reason(*_said(failure, promotion))
    if verdict is None:
        if trouble is None:
            trouble = Reason("evidence_missing", "the gate came to its end without a verdict")
        return Verdict("INCONCLUSIVE", (trouble,))
    if trouble is None:
        return verdict
    kept = failure is not None and failure.error == _CLEAN_UP_FAILED
    committed = promotion is not None and promotion.step == "committed"
    approved_in_vain = verdict.kind == "INCONCLUSIVE" and failure is not None and failure.error == _PROMOTION_REFUSED
    if (verdict.kind == "PASS" or approved_in_vain) and not committed and not kept:
        return Verdict("INCONCLUSIVE", (trouble, *verdict.reasons), verdict.estimates)
    if any(reason.code == trouble.code for reason in verdict.reasons) or _explained(verdict, failure):
        return verdict
    return Verdict(verdict.kind, (*verdict.reasons, trouble), verdict.estimates)


def _explained(verdict: Verdict, failure: Failure | None) -> bool:
    """A deployment that failed wrote its own verdict before it raised."""
    return failure is not None and failure.error == "DeploymentFailedError" and bool(verdict.reasons)


def _said(failure: Failure, promotion: Promotion | None) -> tuple[str, str]:
    if failure.error == _PROMOTION_REFUSED and promotion is not None and promotion.reason:
        return promotion.reason, promotion.message or ""
    if failure.error == _CLEAN_UP_FAILED:
        return "clean_up_failed", "a short-lived runtime could not be deleted yet: sweep_runtimes goes on with it"
    return failure_words(failure)


@dataclass(frozen=True, slots=True)
class Announcer:
    """Tells the bus and people how a gate ended: once, whoever ends it and however often.

    A call that is killed between sending and noting that it sent is repeated, and then sends again: neither EventBridge
    nor SNS can be asked what they have. So the event has an `event_id` and the notification names it; both are the same
    each time, and whoever acts on them acts once.
    """

    environment: str
    bus: EventBus
    notifier: Notifier | None
    once: Once

    def announce(self, row: GateRow, message: str = "") -> None:
        """`message`: the first reason in words, for people."""
        if row.verdict is None:
            raise InvalidRequestError(f"gate {row.gate_id} has no verdict to announce")
        verdict = row.verdict
        detail = {
            "version": 1,
            "event_id": f"verdict-{row.gate_id}",
            "environment": self.environment,
            "gate_id": row.gate_id,
            "execution_arn": row.execution_arn,
            "verdict": verdict,
            "reasons": list(row.against),
            "notes": list(row.notes),
            "promoted": row.promoted,
            "image_digest": row.digest,
            "image_tag": row.tag,
            "trigger": row.trigger,
            "report_key": row.report_key,
        }
        self.once.run(f"{row.gate_id}/event", lambda: self.bus.publish(_EVENT_TYPES[verdict], detail))
        if self.notifier is not None:
            notifier = self.notifier
            subject, text = _letter(self.environment, row, message)
            self.once.run(f"{row.gate_id}/notification", lambda: notifier.notify(subject, text))


def _letter(environment: str, row: GateRow, message: str) -> tuple[str, str]:
    what = _WHAT.get(row.trigger) or row.tag or (row.digest or "image")[:19]
    state = "promoted" if row.promoted else "not promoted"
    lines = [
        f"Gate {row.gate_id} ({environment}): {row.verdict}, {state}.",
        message,
        f"Image: {row.digest or 'unknown'}" + (f" (tag {row.tag})" if row.tag else ""),
        f"Reasons: {', '.join(row.against) or 'none'}",
        f"Notes: {', '.join(row.notes)}" if row.notes else "",
        note.message if (note := settlement_note(row.hold)) else "",
        f"Report: flywheel gate report {row.gate_id}" if row.report_key else f"More: flywheel gate show {row.gate_id}",
        f"Notification verdict-{row.gate_id}: one that comes twice is a repeat.",
    ]
    return f"[{environment}] {row.verdict}: {what}", "\n".join(line for line in lines if line)


class Publisher:
    """Ends a gate. Every step may be repeated; the first outcome on record is the one that is told."""

    def __init__(
        self,
        *,
        repository: str,
        gates: GateStore,
        releases: ReleaseStore,
        evidence: GateEvidence,
        announcer: Announcer,
        render: Render,
        clock: Clock,
        warn: Callable[[str], None],
    ) -> None:
        self._repository = repository
        self._gates = gates
        self._record = ReleaseRecord(gates, releases, evidence, announcer.bus, clock)
        self._evidence = evidence
        self._announcer = announcer
        self._render = render
        self._clock = clock
        self._warn = warn
        self._drift = DriftWatch(evidence, announcer.bus, announcer.once)

    def publish_unplanned(self, event: Mapping[str, Any], execution_arn: str, failure: Failure) -> PublishReply:
        """End a gate whose planning failed for good, so that no push goes without a trace.

        It may have no record yet: whatever broke may have broken before there was one.
        """
        row = opened_unplanned(event, self._repository, execution_arn, self._clock.now())
        if row is None:
            return PublishReply(verdict="INCONCLUSIVE", promoted=False, report_key=None)
        # By execution first: an event that cannot be read may give another id at another time.
        row = self._gates.by_execution(execution_arn) or self._gates.open(row)
        if row.execution_arn != execution_arn:  # another execution carries this event out, and says how it ends
            return PublishReply(verdict=row.verdict or "INCONCLUSIVE", promoted=row.promoted, report_key=row.report_key)
        return self.publish(row.gate_id, failure)

    def publish(self, gate_id: str, failure: Failure | None) -> PublishReply:
        """End the gate, write its report, announce it.

        Raises:
            NotFoundError: there is no such gate.
            TransientError: something that is needed does not answer now.
        """
        row = self._gates.get(gate_id)
        if row is None:
            raise NotFoundError(f"no gate {gate_id}")
        row = self._record.settled(row)
        decided = self._evidence.verdict(gate_id)
        verdict = final_outcome(decided, failure, row.promotion, row.hold)
        plan = self._planned(gate_id)
        notes = [label_note(plan, row.promotion), self._review_note(plan, decided)]
        verdict = Verdict(verdict.kind, (*verdict.reasons, *filter(None, notes)), verdict.estimates)
        if verdict.kind is None:
            raise InvalidRequestError(f"the verdict file of gate {gate_id} holds an open verdict")
        # The record first: whatever happens to the report, the verdict is known.
        row = self._gates.end(
            gate_id,
            verdict=verdict.kind,
            reasons=[reason.code for reason in verdict.reasons],
            promoted=row.promotion is not None and row.promotion.step == "committed",
            ended=self._clock.now(),
            report_key=None,
        )
        if row.verdict != verdict.kind:  # ended before, by somebody else: that outcome stands
            verdict = Verdict(row.verdict, tuple(Reason(code, "") for code in row.reasons))
        if decided is None:  # broke before anything was decided: why is evidence too
            self._evidence.write_failure(gate_id, verdict)
        key = row.report_key or self._report(gate_id, plan, verdict, row)
        row = self._gates.get(gate_id) or row
        first = next((reason.message for reason in verdict.against if reason.message), "")
        self._announcer.announce(row, first)
        ended = row.verdict or verdict.kind or "INCONCLUSIVE"
        drifted = plan is not None and self._drift.look(plan, ended)
        return PublishReply(verdict=ended, promoted=row.promoted, report_key=key, drifted=drifted)

    def _planned(self, gate_id: str) -> GatePlan | None:
        """The plan; None when there is none that can be read, which keeps no gate from its end."""
        try:
            return self._evidence.planned(gate_id)
        except InvalidRequestError as error:
            self._warn(f"the plan of gate {gate_id} cannot be read: {error}")
            return None

    def _review_note(self, plan: GatePlan | None, decided: Verdict | None) -> Reason | None:
        """That people should have been asked about this gate and were not."""
        if plan is None or decided is None or not plan.annotate or decided.kind == "PASS":
            return None
        return failed_note(self._evidence.annotation(plan.gate_id)) if self._evidence.shard_keys(plan.gate_id) else None

    def _report(self, gate_id: str, plan: GatePlan | None, verdict: Verdict, row: GateRow) -> str | None:
        """Write the report if there is a plan to report on; give its key."""
        if plan is None:
            self._warn(f"gate {gate_id} has no plan to report on: no report")
            return None
        try:
            records, _ = self._evidence.results(gate_id)
            data, page = self._render(plan, records, verdict, row)
            self._evidence.write_text(report_key(gate_id, "json"), data, "application/json")
            self._evidence.write_text(report_key(gate_id, "html"), page, "text/html; charset=utf-8")
        except TransientError:
            raise
        except FlywheelError as error:
            self._warn(f"no report of gate {gate_id}: {error}")
            return None
        except Exception as error:  # noqa: BLE001 - a defect of the report must not lose the verdict
            self._warn(f"no report of gate {gate_id}: {type(error).__name__}: {error}")
            return None
        self._gates.attach_report(gate_id, report_key(gate_id, "html"))
        return report_key(gate_id, "html")
