"""An undecided gate -> left to a person, on record and announced once; how that ended -> evidence, and what follows.

The record decides, not the task token: a token only wakes the machine early. So a decision that was recorded counts
even when its sender died before waking anybody, and nobody goes on with a gate by having a token alone.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flywheel.domain.verdict import Verdict
from flywheel.errors import ConflictError, NotFoundError
from flywheel.events import SettleReply
from flywheel.evidence import GateEvidence, approval_key
from flywheel.ports import Clock, EventBus, GateRow, GateStore, Hold, Notifier, Once, Settlement

_EVENT_TYPES = {"approved": "GateApproved", "rejected": "GateRejected"}


class Holder:
    """Every call may be repeated: the first hold and the first settlement stand, and each is told once."""

    def __init__(
        self,
        environment: str,
        *,
        gates: GateStore,
        evidence: GateEvidence,
        bus: EventBus,
        notifier: Notifier,
        once: Once,
        clock: Clock,
    ) -> None:
        self._environment = environment
        self._gates = gates
        self._evidence = evidence
        self._bus = bus
        self._notifier = notifier
        self._once = once
        self._clock = clock

    def hold(self, gate_id: str, task_token: str, *, since: datetime, hold_s: int) -> None:
        """Leave the gate to a person for `hold_s` seconds from `since`, when the machine began to wait.

        Raises:
            NotFoundError: there is no such gate, or it was never decided.
            ConflictError: it has ended.
        """
        verdict = self._evidence.verdict(gate_id)
        if verdict is None:
            raise NotFoundError(f"gate {gate_id} has no verdict that a person could settle")
        row = self._gates.hold(gate_id, Hold(since, since + timedelta(seconds=hold_s)), task_token)
        if row.hold is None or row.hold.settled is not None:
            return  # settled between two attempts of this call
        until = row.hold.until
        detail = {
            **self._about(row),
            "event_id": f"held-{gate_id}",
            "until": _iso(until),
            "reasons": list(dict.fromkeys(reason.code for reason in verdict.against)),
            "missing": missing(verdict),
        }
        self._once.run(f"{gate_id}/held/event", lambda: self._bus.publish("GateHeld", detail))
        subject, text = _letter(self._environment, row, verdict, until)
        self._once.run(f"{gate_id}/held/notification", lambda: self._notifier.notify(subject, text))

    def settle(self, gate_id: str, *, timed_out: bool) -> SettleReply:
        """Say how the hold ended; `timed_out`: the machine's time for it is over, which settles what nobody did.

        Raises:
            NotFoundError: there is no such gate.
            ConflictError: the gate is not held, or was woken without a decision on record.
        """
        row = self._gates.get(gate_id)
        if row is None:
            raise NotFoundError(f"no gate {gate_id}")
        settled = row.hold.settled if row.hold else None
        if settled is None:
            if not timed_out:
                raise ConflictError(
                    f"gate {gate_id} was woken without a decision on record: `flywheel gate approve | reject` decide"
                )
            settled = self._gates.settle(gate_id, Settlement("timed_out", self._clock.now()))
        said = {
            "settlement": settled.kind,
            "at": _iso(settled.at),
            "by": settled.by,
            "name": settled.name,
            "reason": settled.reason,
        }
        self._evidence.create_document(approval_key(gate_id), {"version": 1, "gate_id": gate_id, **said})
        if settled.kind in _EVENT_TYPES:
            kind, detail = _EVENT_TYPES[settled.kind], {**self._about(row), "event_id": f"settled-{gate_id}", **said}
            self._once.run(f"{gate_id}/settled/event", lambda: self._bus.publish(kind, detail))
        return SettleReply(settlement=settled.kind)

    def _about(self, row: GateRow) -> Mapping[str, Any]:
        return {
            "version": 1,
            "environment": self._environment,
            "gate_id": row.gate_id,
            "execution_arn": row.execution_arn,
            "image_digest": row.digest,
            "image_tag": row.tag,
        }


def missing(verdict: Verdict) -> list[str]:
    """What the evidence lacks, in words: what the gate itself names, else the messages of its reasons."""
    named = (verdict.estimates or {}).get("missing") or ()
    words = [_what_of(one) for one in named if isinstance(one, dict) and one.get("message")]
    return words or [reason.message for reason in verdict.against if reason.message]


def _what_of(it: Mapping[str, Any]) -> str:
    of = " ".join(str(it[name]) for name in ("certificate", "slice") if it.get(name)).replace("_", " ")
    return f"{of}: {it['message']}" if of else str(it["message"])


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _letter(environment: str, row: GateRow, verdict: Verdict, until: datetime) -> tuple[str, str]:
    lines = [
        f"Gate {row.gate_id} ({environment}) could not decide and waits for a person until {until:%Y-%m-%d %H:%M} UTC.",
        "Its runtimes are gone; production was not touched. After that time it is rejected by itself.",
        f"Image: {row.digest or 'unknown'}" + (f" (tag {row.tag})" if row.tag else ""),
        "What is missing:",
        *(f"- {line}" for line in missing(verdict)),
        f"Look at it: flywheel gate report {row.gate_id}",
        f"Into production: flywheel gate approve {row.gate_id} --reason TEXT",
        f"Leave it out: flywheel gate reject {row.gate_id} --reason TEXT",
    ]
    return f"[{environment}] HELD: {row.tag or (row.digest or 'image')[:19]}", "\n".join(lines)
