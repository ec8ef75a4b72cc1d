"""Records of gates -> tables and lines at the terminal; reports -> files."""

import re
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.decision_view import decision_lines, decision_of
from cli.problems import CommandError
from cli.session import Session
from flywheel.domain.verdict import NOTES, Reason, Verdict
from flywheel.errors import NotFoundError
from flywheel.evidence import GateEvidence, report_key, verdict_to_dict
from flywheel.ports import GateRow, Hold, Release, Settlement
from flywheel.report.plots import seconds
from flywheel.report.render import measure
from flywheel.report.text import one_line
from flywheel.report.wording import headline, next_step, wording

STYLES = {
    "PASS": "bold green",
    "FAIL": "bold red",
    "INCONCLUSIVE": "bold magenta",
    "running": "cyan",
    "held": "bold yellow",
}
_SEARCHED = 200
# Of a report, by the names it has in report.json; an older report has no decision.
_TOLD = ("verdict", "headline", "meaning", "next_step", "reasons", "notes", "decision")
_SHORT_ID = 8
# A digest, whole or cut, names the newest gate of an image; with the tag of a push in front, that push's gate alone.
_IMAGE = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}@)?sha256:[0-9a-f]{7,64}")
# Room for a whole id: it is what people copy.
_GATE_ID = 26


def find_gate(session: Session, gate_id: str) -> GateRow:
    """The gate of that id, of the id that ends in it, of that image, or the newest for `latest`.

    Raises:
        CommandError: there is none.
    """
    row = look_up(session, gate_id)
    if row is not None:
        return row
    if gate_id == "latest":
        raise CommandError("there are no gates yet: flywheel push, or flywheel gate start --image TAG")
    raise CommandError(f"there is no gate {gate_id[:80]!r} in this stack: flywheel gate list shows what there is")


def look_up(session: Session, gate_id: str) -> GateRow | None:
    """As `find_gate`, but None when there is none (yet)."""
    if gate_id == "latest":
        return next(iter(session.gates.recent(1)), None)
    if _IMAGE.fullmatch(gate_id):
        tag, _, digest = gate_id.rpartition("@")
        rows = (r for r in session.gates.recent(_SEARCHED) if (r.digest or "").startswith(digest))
        return next((r for r in rows if tag in {"", r.tag}), None)
    row = session.gates.get(gate_id)
    if row is not None:
        return row
    # The last part is the hash of the request, which stays when a bus gives the event a time of its own.
    ending = gate_id.rpartition("-")[2]
    if len(ending) != _SHORT_ID:
        return None
    return next((r for r in session.gates.recent(_SEARCHED) if r.gate_id.endswith(f"-{ending}")), None)


def row_to_dict(row: GateRow) -> dict[str, Any]:
    """The record for scripts; times in ISO 8601, `duration_s` None while it runs."""
    return {
        "gate_id": row.gate_id,
        "status": "held" if row.held else row.status,
        "verdict": row.verdict,
        "promoted": row.promoted,
        "reasons": list(row.against),
        "notes": list(row.notes),
        "digest": row.digest,
        "tag": row.tag,
        "trigger": row.trigger,
        "requested_at": row.requested_at,
        "started": row.started.isoformat(),
        "ended": row.ended.isoformat() if row.ended else None,
        "duration_s": duration_s(row),
        "execution_arn": row.execution_arn,
        "arms": {arm: asdict(it) for arm, it in row.arms.items()},
        "report_key": row.report_key,
        "hold": hold_to_dict(row.hold),
    }


def hold_to_dict(hold: Hold | None) -> dict[str, Any] | None:
    """How long a gate waits or waited for a person, and who settled that; its token is no part of a record."""
    if hold is None:
        return None
    settled = hold.settled
    return {
        "since": hold.since.isoformat(),
        "until": hold.until.isoformat(),
        "settled": None if settled is None else asdict(settled) | {"at": settled.at.isoformat()},
    }


def settled_line(it: Settlement) -> str:
    if it.kind == "timed_out":
        return f"timed out on {it.at:%Y-%m-%d %H:%M} UTC"
    return one_line(f"{it.kind} by {it.name} ({it.by}) on {it.at:%Y-%m-%d %H:%M} UTC: {it.reason}", 900)


def _held_words(row: GateRow, hold: Hold) -> str:
    if hold.settled is not None:
        return settled_line(hold.settled)
    if not row.held:
        return "ended before anybody decided"
    return f"waits for a person until {hold.until:%Y-%m-%d %H:%M} UTC"


def held_line(row: GateRow) -> str:
    """Until when a held gate waits, and what a person can do."""
    until = f"until {row.hold.until:%Y-%m-%d %H:%M} UTC" if row.hold else "for a person"
    return f"{until}: flywheel gate approve {row.gate_id} --reason TEXT, or reject"


def duration_s(row: GateRow, now: datetime | None = None) -> float | None:
    end = row.ended or now
    return None if end is None else round((end - row.started).total_seconds(), 3)


def state_word(row: GateRow) -> str:
    return row.verdict or ("held" if row.held else row.status)


def styled(word: str) -> str:
    style = STYLES.get(word)
    return f"[{style}]{escape(word)}[/]" if style else escape(word)


def gates_table(rows: list[GateRow]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("gate", "asked by", "image", "verdict", "live", "took", "first reason"):
        table.add_column(name, overflow="fold", min_width=_GATE_ID if name == "gate" else None)
    for row in rows:
        took = duration_s(row)
        codes = row.against
        table.add_row(
            row.gate_id,
            escape(one_line(row.trigger, 40)),
            escape(one_line(row.tag or short_digest(row.digest), 40)),
            styled(state_word(row)),
            "yes" if row.promoted else "no",
            "" if took is None else seconds(took * 1000),
            escape(wording(codes[0]).title) if codes else "",
        )
    return table


def short_digest(digest: str | None) -> str:
    """`sha256:` and 12 digits, enough for people; a question mark where none is known."""
    return digest[:19] if digest else "?"


def verdict_of(session: Session, row: GateRow) -> dict[str, Any] | None:
    """The verdict with its reasons: of the report when there is one, else as it was decided; None: none yet."""
    evidence = GateEvidence(session.objects)
    if (report := evidence.document(report_key(row.gate_id, "json"))) is not None:
        return {name: report.get(name) for name in _TOLD}
    verdict = evidence.ended_with(row.gate_id)
    if verdict is None:
        # Stopped before there was any evidence: the record has the codes.
        verdict = Verdict(row.verdict, tuple(Reason(code, wording(code).title) for code in row.against))
    if verdict.kind is None:
        return None
    plain = verdict_to_dict(verdict)["reasons"]
    return {
        "verdict": verdict.kind,
        "headline": headline(verdict),
        "next_step": held_line(row) if row.held else next_step(verdict, promoted=row.promoted),
        "reasons": [reason for reason in plain if reason["code"] not in NOTES],
        "notes": [reason for reason in plain if reason["code"] in NOTES],
        "decision": decision_of(verdict, evidence.planned(row.gate_id)),
    }


def reasons_table(reasons: list[dict[str, Any]]) -> Table:
    """One row a reason; its whole message is in the report."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("reason", "metric", "slice", "observed", "required", "items"):
        number = name in {"observed", "required"}
        table.add_column(name, overflow="fold", justify="right" if number else "left", no_wrap=number)
    for reason in reasons:
        items = list(reason.get("items") or ())
        more = len(items) - 3 + int(reason.get("items_omitted") or 0)
        metric = reason.get("metric")
        table.add_row(
            escape(wording(str(reason.get("code"))).title),
            escape(one_line(str(metric or ""), 40)),
            escape(one_line(str(reason.get("slice") or "all"), 40)),
            measure(reason.get("observed"), metric or reason.get("code")),
            measure(reason.get("required"), metric or reason.get("code")),
            escape(", ".join(one_line(str(i), 40) for i in items[:3])) + (f" and {more} more" if more > 0 else ""),
        )
    return table


def print_gate(console: Console, row: GateRow, verdict: dict[str, Any] | None) -> None:
    """Everything about one gate that fits a terminal."""

    def say(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True)

    say(f"{styled(state_word(row))}  {row.gate_id}")
    reasons = list((verdict or {}).get("reasons") or ())
    if said := (verdict or {}).get("headline"):
        say(escape(one_line(str(said), 300)))
    took = duration_s(row)
    say(f"image       {escape(row.tag or '-')}  {row.digest or '?'}")
    say(f"trigger     {escape(row.trigger)}, requested {row.requested_at}")
    say(f"took        {'still running' if took is None else seconds(took * 1000)}")
    say(f"production  {'yes, this image' if row.promoted else 'not changed'}")
    if row.hold is not None:
        say(f"held        {escape(_held_words(row, row.hold))}")
    if reasons:
        console.print(reasons_table(reasons))
    if decision := (verdict or {}).get("decision"):
        for line in decision_lines(decision):
            say(escape(line))
    for note in (verdict or {}).get("notes") or ():
        say(f"for the record: {escape(one_line(str(note.get('message')), 300))}")
    if verdict and verdict.get("next_step"):
        say(f"next: {escape(str(verdict['next_step']))}")
    if row.report_key:
        say(f"report: flywheel gate report {row.gate_id}")


def fetch_report(session: Session, row: GateRow, folder: Path) -> tuple[Path, Path]:
    """Write `report.html` and `report.json` below `folder`/<gate id>; gives both paths.

    Raises:
        CommandError: the gate has no report yet.
    """
    goal = folder / row.gate_id
    paths = []
    made = _report_of_held(session, row) if row.held else {}
    for kind in ("html", "json"):
        try:
            body = made.get(kind) or session.objects.read(report_key(row.gate_id, kind))
        except NotFoundError as error:
            running = row.status == "running"
            why, instead = ("still runs", "watch") if running else ("has no report", "show")
            raise CommandError(f"gate {row.gate_id} {why}: flywheel gate {instead} {row.gate_id}") from error
        goal.mkdir(parents=True, exist_ok=True)
        path = goal / f"report.{kind}"
        path.write_bytes(body)
        paths.append(path)
    return paths[0], paths[1]


def _report_of_held(session: Session, row: GateRow) -> dict[str, bytes]:
    """The report that a person decides by: made here from the evidence, as its own is written when the gate ends."""
    from flywheel.report import Promotion, build_report, render_html, report_to_json  # noqa: PLC0415

    evidence = GateEvidence(session.objects)
    plan, verdict = evidence.planned(row.gate_id), evidence.verdict(row.gate_id)
    if plan is None or verdict is None:
        return {}
    records, _ = evidence.results(row.gate_id)
    now = session.clock.now()
    waits = Promotion("not_promoted", f"It waits for a person {held_line(row)}.")
    report = build_report(plan, records, verdict, promoted=False, started=row.started, ended=now, promotion=waits)
    return {"html": render_html(report).encode(), "json": report_to_json(report).encode()}


def release_line(release: Release) -> str:
    it = release.candidate
    return (
        f"release {release.release_no}: {short_digest(it.image_digest)} with {it.model_id}, "
        f"runtime version {release.runtime_version}, gate {release.gate_id}"
    )
