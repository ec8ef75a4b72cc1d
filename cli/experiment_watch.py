"""An experiment's record, execution and evidence, looked at again and again -> a bar per rung, and how it ended."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from cli.experiment_progress import Progress, ProgressReader, RungProgress
from cli.experiment_view import (
    exit_code,
    fetch_report,
    look_up,
    print_experiment,
    report_of,
    report_to_dict,
    row_to_dict,
    state_word,
    styled,
)
from cli.gate_watch import APPEARS_S, BROKEN_S, POLL_S, REPORT_S
from cli.problems import CommandError
from cli.session import Session
from flywheel.errors import TransientError
from flywheel.ports import ExperimentRow
from flywheel.report.plots import seconds
from flywheel.report.text import one_line

_BAR = 24
_SHOWN_STOPPED = 8


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at an experiment saw. `state` is the state machine's, None when it does not run."""

    row: ExperimentRow
    progress: Progress
    state: str | None
    elapsed_s: float


def watch(
    session: Session,
    experiment_id: str,
    *,
    timeout_s: float,
    as_json: bool,
    attempt: int = 1,
    console: Console | None = None,
) -> int:
    """Show progress until the experiment ended; 0 completed, 1 refused, 2 stopped or broken.

    `attempt`: the record of an earlier one is not what is waited for.

    Raises:
        CommandError: no such experiment appeared, it did not end in time, or broke without anybody noting it.
    """
    console = console or Console(stderr=as_json)
    with _display(console) as show:
        row = _ended(session, experiment_id, timeout_s, attempt, show)
    report = report_of(session, row)
    page = _report(session, row)
    if as_json:
        said = row_to_dict(row) | {"report": report_to_dict(report), "page": None if page is None else str(page)}
        print(json.dumps(said, ensure_ascii=False))
    else:
        print_experiment(console, row, report)
        if page is not None:
            console.print(f"page:   {page}", highlight=False, soft_wrap=True, markup=False)
    return exit_code(row)


def _ended(
    session: Session, experiment_id: str, timeout_s: float, attempt: int, show: Callable[[Look], None]
) -> ExperimentRow:
    row = _appear(session, experiment_id, min(timeout_s, APPEARS_S), attempt)
    started = session.clock.now()
    reader = ProgressReader(session.objects, row.experiment_id)
    over_since = None
    while True:
        over = False
        try:
            # The execution first: whatever it had to write before its end is in the record read after.
            status = session.executions.status(row.execution_arn)
            state = session.executions.state(row.execution_arn) if status == "RUNNING" else None
            row = session.experiments.get(row.experiment_id) or row
            over = status != "RUNNING"
            elapsed = ((row.ended or session.clock.now()) - row.since).total_seconds()
            show(Look(row, reader.read(), state, max(0.0, elapsed)))
        except TransientError as error:
            # A look that failed says nothing about the experiment.
            print(f"cannot look right now: {error}", file=sys.stderr)
        if row.status == "ended" and (row.report_key is not None or _report_is_late(session, row)):
            return row
        over_since = (over_since or session.clock.now()) if over and row.status == "running" else None
        if over_since is not None and session.elapsed(over_since) > timedelta(seconds=BROKEN_S):
            raise CommandError(
                f"experiment {row.experiment_id} broke and nobody noted it: its execution {row.execution_arn} has "
                "ended; its history names the state"
            )
        if session.elapsed(started).total_seconds() > timeout_s:
            raise CommandError(
                f"experiment {row.experiment_id} still runs after {timeout_s:g} s; it goes on without being watched: "
                f"flywheel experiment watch {row.experiment_id} --timeout SECONDS"
            )
        session.sleep(POLL_S[session.target.kind])


def _report_is_late(session: Session, row: ExperimentRow) -> bool:
    return session.elapsed(row.ended or row.started) > timedelta(seconds=REPORT_S)


def _appear(session: Session, experiment_id: str, within_s: float, attempt: int) -> ExperimentRow:
    asked = session.clock.now()
    while (row := look_up(session, experiment_id)) is None or row.attempt < attempt:
        if session.elapsed(asked).total_seconds() > within_s:
            raise CommandError(
                f"no experiment {experiment_id!r} appeared within {within_s:g} s: flywheel experiment list shows what "
                "there is; whether the request arrived, the bus's rules and dead-letter queue tell"
            )
        session.sleep(POLL_S[session.target.kind])
    return row


def _report(session: Session, row: ExperimentRow) -> Path | None:
    if not row.report_key:
        return None
    try:
        return fetch_report(session, row, Path("build/reports"))[0]
    except (CommandError, OSError) as error:
        print(f"the report could not be fetched: {error}", file=sys.stderr)
        return None


def head_line(look: Look) -> Text:
    """How far the experiment is, in one line."""
    it, row = look.progress, look.row
    parts = ["", row.experiment_id]
    if row.status == "running":
        parts.append(look.state or "ended, waiting for its record")
    if row.runtimes and not it.rungs:
        settled = sum(state.ready or state.failed is not None for state in row.runtimes.values())
        parts.append(f"runtimes {settled}/{len(row.runtimes)}")
    if it.rungs:
        parts.append(f"remaining {len(it.remaining)}")
        unknown = f" and {it.unpriced} of unknown cost" if it.unpriced else ""
        parts.append(f"answers ${it.cost_usd:.2f}{unknown}")
    parts.append(seconds(look.elapsed_s * 1000))
    return Text.assemble(styled(state_word(row)), "  ".join(parts))


def rung_line(rung: RungProgress) -> Text:
    """One rung: a bar, trials done, configurations in it."""
    full = _BAR if not rung.trials else min(_BAR, rung.done * _BAR // rung.trials)
    errored = f", {rung.errored} errored" if rung.errored else ""
    return Text.assemble(
        f"rung {rung.rung:<3} ",
        ("█" * full, "cyan"),
        ("░" * (_BAR - full), "dim"),
        f" {rung.done}/{rung.trials} trials of {rung.configurations} configurations{errored}",
    )


def stopped_lines(progress: Progress, already: int = 0) -> list[Text]:
    """Who was stopped and why, after the first `already` of them."""
    lines = [
        Text(f"stopped  {one.get('configuration')} in rung {one.get('rung')}: {one_line(str(one.get('message')), 160)}")
        for one in progress.stopped[already:]
    ]
    more = len(lines) - _SHOWN_STOPPED
    return [*lines[:_SHOWN_STOPPED], Text(f"stopped  {more} more")] if more > 0 else lines


def _whole(look: Look) -> Text:
    rungs = [rung_line(rung) for rung in look.progress.rungs]
    return Text("\n").join([head_line(look), *rungs, *stopped_lines(look.progress)])


def _on_change(say: Callable[[Text], None]) -> Callable[[Look], None]:
    """A plain line when something happened: the head, the rung under way, and whoever was stopped since."""
    seen: list[object] = [None]
    told = [0]

    def show(look: Look) -> None:
        settled = sum(state.ready or state.failed is not None for state in look.row.runtimes.values())
        now = (state_word(look.row), look.state, settled, look.progress)
        if now == seen[0]:
            return
        seen[0] = now
        say(head_line(look))
        if look.progress.rungs and look.row.status == "running":
            say(rung_line(look.progress.rungs[-1]))
        for line in stopped_lines(look.progress, told[0]):
            say(line)
        told[0] = len(look.progress.stopped)

    return show


@contextmanager
def _display(console: Console) -> Iterator[Callable[[Look], None]]:
    """A block that changes at a terminal; elsewhere new lines when something happened."""
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            yield lambda look: live.update(_whole(look))
        return
    yield _on_change(lambda line: console.print(line, highlight=False, soft_wrap=True))
