"""A gate's record, execution and evidence, looked at again and again -> live progress, and the verdict's exit code."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.markup import escape

from cli.gate_progress import Progress, ProgressReader
from cli.gate_view import fetch_report, held_line, look_up, print_gate, row_to_dict, state_word, styled, verdict_of
from cli.problems import EXIT_ERROR, EXIT_NO, CommandError
from cli.session import Session
from flywheel.errors import TransientError
from flywheel.ports import GateRow
from flywheel.report.plots import seconds

EXIT_CODES = {"PASS": 0, "FAIL": EXIT_NO, "INCONCLUSIVE": EXIT_ERROR}
# A push takes a moment to become a gate; a gate's report comes a moment after its end.
APPEARS_S = 60.0
JUDGED_ALREADY_S = 10.0
_NEWEST = 50
REPORT_S = 30.0
# After an execution broke, its status event still ends the gate's record.
BROKEN_S = 60.0
POLL_S = {"local": 0.5, "aws": 2.0}
_BROKEN = frozenset({"FAILED", "ABORTED", "TIMED_OUT"})


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a gate saw. `state` is the state machine's."""

    row: GateRow
    progress: Progress
    state: str | None
    execution: str
    elapsed_s: float


def watch(
    session: Session,
    gate_id: str,
    *,
    timeout_s: float,
    as_json: bool,
    console: Console | None = None,
    since: datetime | None = None,
) -> int:
    """Show progress until the gate ended; the exit code of its verdict.

    `since`: a gate that started earlier is another one, of an earlier push of the same image.

    Raises:
        CommandError: no such gate appeared, it did not end in time, or it broke without a verdict.
    """
    # With --json standard output gets one object when the gate has ended, and one before that if it is held.
    console = console or Console(stderr=as_json)
    with _display(console) as show:
        row = _ended(session, gate_id, timeout_s, _telling_holds(show) if as_json else show, since)
    verdict = verdict_of(session, row)
    page = _report(session, row)
    if as_json:
        said = row_to_dict(row) | {"verdict_detail": verdict, "report": str(page) if page else None}
        print(json.dumps(said, ensure_ascii=False))
    else:
        print_gate(console, row, verdict)
        if page:
            console.print(f"page:   {page}", highlight=False, soft_wrap=True)
    if row.promoted and row.approval is not None:
        return EXIT_CODES["PASS"]
    return EXIT_CODES.get(row.verdict or "", EXIT_ERROR)


def _telling_holds(show: Callable[[Look], None]) -> Callable[[Look], None]:
    """Print a held gate as JSON, once, so that a script can ask a person."""
    told: set[str] = set()

    def show_hold(look: Look) -> None:
        show(look)
        if look.row.held and look.row.gate_id not in told:
            told.add(look.row.gate_id)
            print(json.dumps(row_to_dict(look.row), ensure_ascii=False), flush=True)

    return show_hold


def follow(session: Session, gate_id: str, *, timeout_s: float, show: Callable[[str], None]) -> GateRow:
    """Look until the gate has ended and its report is there; `show` gets a plain line when something happened.

    Raises:
        CommandError: as `watch`.
    """
    return _ended(session, gate_id, timeout_s, _on_change(lambda look: show(plain_line(look))))


def _ended(
    session: Session, gate_id: str, timeout_s: float, show: Callable[[Look], None], since: datetime | None = None
) -> GateRow:
    row = _appear(session, gate_id, min(timeout_s, APPEARS_S), since)
    started = session.clock.now()
    reader = ProgressReader(session.objects, row.gate_id)
    broken_since = None
    while True:
        look = None
        try:
            row = session.gates.get(row.gate_id) or row
            look = _look(session, row, reader)
            show(look)
            if look.execution != "RUNNING":
                # Whatever the execution had to write is written now, perhaps since the record was read.
                row = session.gates.get(row.gate_id) or row
            if look.execution not in _BROKEN or row.status == "ended":
                broken_since = None
            else:
                broken_since = broken_since or session.clock.now()
                _wait_for_end(session, look, broken_since)
        except TransientError as error:
            # A look that failed says nothing about the gate.
            print(f"cannot look right now: {error}", file=sys.stderr)
        if _has_all(session, row, over=look is not None and look.execution != "RUNNING"):
            return row
        if session.elapsed(started).total_seconds() > timeout_s:
            if row.held:
                raise CommandError(f"gate {row.gate_id} is held, and waits {held_line(row)}")
            raise CommandError(
                f"gate {row.gate_id} still runs after {timeout_s:g} s; it goes on without being watched: "
                f"flywheel gate watch {row.gate_id} --timeout SECONDS"
            )
        session.sleep(POLL_S[session.target.kind])


def _wait_for_end(session: Session, look: Look, broken_since: datetime) -> None:
    """An execution that broke is ended by its status event; only when that does not come, it is an error."""
    if session.elapsed(broken_since) > timedelta(seconds=BROKEN_S):
        raise CommandError(
            f"gate {look.row.gate_id} broke without a verdict: its execution {look.row.execution_arn} is "
            f"{look.execution}; its history names the state. Start it again: flywheel gate start"
        )


def _has_all(session: Session, row: GateRow, *, over: bool) -> bool:
    """Ended with its report, or without one for good (`over`: nobody writes it any more, or not in time)."""
    if row.status != "ended":
        return False
    late = session.elapsed(row.ended or row.started) > timedelta(seconds=REPORT_S)
    return row.report_key is not None or over or late


def _appear(session: Session, gate_id: str, within_s: float, since: datetime | None) -> GateRow:
    asked = session.clock.now()
    while (row := look_up(session, gate_id)) is None or (since is not None and row.started < since):
        if since is not None and session.elapsed(asked).total_seconds() > JUDGED_ALREADY_S:
            judging = _judging(session, gate_id.rpartition("@")[2])
            if judging is not None:
                print(f"gate {judging.gate_id} judges this image already: following it", file=sys.stderr)
                return judging
        if session.elapsed(asked).total_seconds() > within_s:
            raise CommandError(
                f"no gate {gate_id!r} appeared within {within_s:g} s: flywheel gate list shows what there is; "
                "whether the push arrived, the bus's rules and dead-letter queue tell"
            )
        session.sleep(POLL_S[session.target.kind])
    return row


def _judging(session: Session, digest: str) -> GateRow | None:
    """The gate that runs for this image: a further tag of it starts none."""
    return next(
        (row for row in session.gates.recent(_NEWEST) if row.digest == digest and row.status == "running"), None
    )


def _look(session: Session, row: GateRow, reader: ProgressReader) -> Look:
    status = session.executions.status(row.execution_arn)
    state = session.executions.state(row.execution_arn) if status == "RUNNING" else None
    elapsed = ((row.ended or session.clock.now()) - row.started).total_seconds()
    return Look(row, reader.read(), state, status, max(0.0, elapsed))


def _report(session: Session, row: GateRow) -> Path | None:
    if not row.report_key:
        return None
    try:
        return fetch_report(session, row, Path("build/reports"))[0]
    except (CommandError, OSError) as error:
        print(f"the report could not be fetched: {error}", file=sys.stderr)
        return None


def plain_line(look: Look) -> str:
    """One look in one line: how far the gate is."""
    it = look.progress
    parts = [state_word(look.row), look.row.gate_id]
    if look.row.held:
        return f"{parts[0]}  {parts[1]}  {held_line(look.row)}"
    if look.row.status == "running":
        parts.append(look.state or look.execution.lower())
    if it.shards:
        parts.append(f"wave {it.wave}")
        parts.append(f"trials {it.done}/{it.trials}")
    if it.errored:
        parts.append(f"errored {it.errored}")
    parts.append(seconds(look.elapsed_s * 1000))
    return "  ".join(parts)


def line(look: Look) -> str:
    """The same with the verdict's colour, as markup."""
    word, _, rest = plain_line(look).partition("  ")
    return f"{styled(word)}  {escape(rest)}"


def _on_change(show: Callable[[Look], None]) -> Callable[[Look], None]:
    """Pass on only looks that differ from the one before in more than the time."""
    seen: list[object] = [None]

    def show_change(look: Look) -> None:
        # The state is told of a running gate only: the record of a gate ends shortly before its execution.
        state = look.state if look.row.status == "running" else None
        now = (state_word(look.row), state, look.progress)
        if now != seen[0]:
            seen[0] = now
            show(look)

    return show_change


@contextmanager
def _display(console: Console) -> Iterator[Callable[[Look], None]]:
    """One line that changes at a terminal; elsewhere a new line when something happened."""
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            yield lambda look: live.update(line(look))
        return
    yield _on_change(lambda look: console.print(line(look), highlight=False, soft_wrap=True))
