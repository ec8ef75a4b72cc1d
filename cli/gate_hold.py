"""A person's decision of a held gate: shown, asked for, put on record once."""

import json
import sys
from dataclasses import asdict

import typer
from rich.console import Console

from cli.gate_view import find_gate, print_gate, settled_line, short_digest, verdict_of
from cli.problems import EXIT_NO, CommandError
from cli.session import Session
from flywheel.approval import Approver, Decided, Decision, HeldGate
from flywheel.evidence import GateEvidence
from flywheel.report.text import one_line

_LONGEST_REASON = 500
_LONGEST_NAME = 200


def approver_of(session: Session) -> Approver:
    return Approver(
        gates=session.gates,
        releases=session.releases,
        evidence=GateEvidence(session.objects),
        callbacks=session.callbacks,
        clock=session.clock,
    )


def decide(
    session: Session,
    gate_id: str,
    decision: Decision,
    *,
    name: str,
    reason: str,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Show the gate and what would happen, ask, decide; exit code 1: something else was decided, or nothing.

    Raises:
        CommandError: there is nobody to ask, or the decision could not be carried out.
        FlywheelError: the gate does not wait for this, or not any more.
    """
    reason = _checked(reason)
    approver = approver_of(session)
    gate = approver.look(find_gate(session, gate_id).gate_id)
    approver.check(gate, decision)
    by = session.identity()
    said = Console(stderr=as_json)
    print_gate(said, gate.row, verdict_of(session, gate.row))
    standing = gate.hold.settled
    if standing is not None and standing.kind != decision:
        return _told(gate, decision, Decided(standing, own=False, woken=False), as_json=as_json)
    if standing is None:
        for line in _what_follows(gate, decision, by, name, reason):
            said.print(line, highlight=False, soft_wrap=True, markup=False)
    if dry_run:
        if as_json:
            print(json.dumps({"gate_id": gate.row.gate_id, "decision": decision, "done": False}))
        else:
            print("nothing was changed (--dry-run)")
        return 0
    if standing is None and not yes and not _confirmed(decision):
        said.print("nothing was changed")
        return EXIT_NO
    done = approver.decide(gate.row.gate_id, decision, by=by, name=name[:_LONGEST_NAME], reason=reason)
    return _told(gate, decision, done, as_json=as_json)


def _checked(reason: str) -> str:
    plain = one_line(reason, _LONGEST_REASON).strip()
    if not plain:
        raise CommandError("--reason must say why: it is kept with the release")
    return plain


def _confirmed(decision: Decision) -> bool:
    if not _at_terminal():
        raise CommandError("this asks before it decides: say --yes to do it from a script")
    return typer.confirm("Put it into production?" if decision == "approved" else "Leave it out of production?")


def _at_terminal() -> bool:
    return sys.stdin.isatty()


def _what_follows(gate: HeldGate, decision: Decision, by: str, name: str, reason: str) -> list[str]:
    image = short_digest(gate.row.digest)
    if decision == "approved":
        before = gate.plan.incumbent_release
        instead = "as the first release" if before is None else f"in place of release {before}"
        what = f"approve: {image} goes to production {instead}, after a smoke test of its new version"
    else:
        what = f"reject: {image} does not go to production; the gate ends INCONCLUSIVE"
    return [what, f"on record: {name} ({by}): {reason}"]


def _told(gate: HeldGate, decision: Decision, done: Decided, *, as_json: bool) -> int:
    it, gate_id = done.settlement, gate.row.gate_id
    if as_json:
        told = asdict(it) | {"at": it.at.isoformat()}
        print(
            json.dumps({"gate_id": gate_id, "decision": decision, "done": it.kind == decision, "own": done.own} | told)
        )
    else:
        print(settled_line(it) if done.own else f"it was decided before: {settled_line(it)}")
        if it.kind == decision:
            print(f"next: flywheel gate watch {gate_id}")
    if it.kind != decision:
        return EXIT_NO
    if done.own and not done.woken:
        raise CommandError(
            f"the decision is on record, but gate {gate_id} could not be woken for it: run the same command again, "
            f"and see with flywheel gate show {gate_id} how it ended"
        )
    return 0
