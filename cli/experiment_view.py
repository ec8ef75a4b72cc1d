"""Records and reports of experiments -> tables and lines at the terminal; reports -> files."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.problems import EXIT_ERROR, EXIT_NO, CommandError
from cli.session import Session
from flywheel.errors import NotFoundError
from flywheel.experiment_evidence import experiment_report_key
from flywheel.ports import ExperimentRow
from flywheel.report.experiment_model import ConfigurationRow, ExperimentReport, read_experiment_report
from flywheel.report.plots import seconds
from flywheel.report.render import usd
from flywheel.report.text import one_line

EXIT_CODES = {"completed": 0, "refused": EXIT_NO}
STYLES = {
    "completed": "bold green",
    "refused": "bold red",
    "broken": "bold red",
    "stopped": "yellow",
    "running": "cyan",
}
_SEARCHED = 200
_SHORT_ID = 8
_HASH = 64
_ID_WIDTH = 26
# Of a report, by the names it has in report.json.
_TOLD = ("recommended", "sentence", "notes", "next_step", "configurations", "stopped", "spent")


def exit_code(row: ExperimentRow) -> int:
    return EXIT_CODES.get(row.outcome or "", EXIT_ERROR)


def find_experiment(session: Session, experiment_id: str) -> ExperimentRow:
    """The experiment of that id, of the id that ends in it, or the newest for `latest`.

    Raises:
        CommandError: there is none.
    """
    row = look_up(session, experiment_id)
    if row is not None:
        return row
    if experiment_id == "latest":
        raise CommandError("there are no experiments yet: flywheel experiment run FILE")
    shown = experiment_id[:80]
    raise CommandError(f"there is no experiment {shown!r} in this stack: flywheel experiment list shows what there is")


def look_up(session: Session, experiment_id: str) -> ExperimentRow | None:
    """As `find_experiment`, but None when there is none (yet)."""
    if experiment_id == "latest":
        return next(iter(session.experiments.recent(1)), None)
    row = session.experiments.get(experiment_id)
    if row is not None:
        return row
    # The last part is the hash of the request, which stays when a bus gives the event a time of its own.
    ending = experiment_id.rpartition("-")[2]
    if len(ending) != _SHORT_ID:
        return None
    return next((r for r in session.experiments.recent(_SEARCHED) if r.experiment_id.endswith(f"-{ending}")), None)


def row_to_dict(row: ExperimentRow) -> dict[str, Any]:
    """The record for scripts; times in ISO 8601, `duration_s` None while it runs."""
    return asdict(row) | {
        "runtimes": {name: asdict(state) for name, state in row.runtimes.items()},
        "reasons": list(row.reasons),
        "started": row.started.isoformat(),
        "resumed": None if row.resumed is None else row.resumed.isoformat(),
        "ended": None if row.ended is None else row.ended.isoformat(),
        "duration_s": None if row.ended is None else round((row.ended - row.started).total_seconds(), 3),
    }


def state_word(row: ExperimentRow) -> str:
    return row.outcome or row.status


def styled(word: str) -> Text:
    return Text(word, style=STYLES.get(word, ""))


def file_name(row: ExperimentRow) -> str:
    """The name of its file; of one that is kept by its content the beginning of the hash."""
    return row.name[:12] if len(row.name) == _HASH else row.name


def experiments_table(rows: list[ExperimentRow]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("experiment", "file", "outcome", "rung", "recommended", "took", "first reason"):
        table.add_column(name, overflow="fold", min_width=_ID_WIDTH if name == "experiment" else None)
    for row in rows:
        table.add_row(
            row.experiment_id,
            Text(one_line(file_name(row), 40)),
            styled(state_word(row)),
            str(row.rung),
            row.recommended or "",
            "" if row.ended is None else seconds((row.ended - row.started).total_seconds() * 1000),
            Text(one_line(row.reasons[0], 80) if row.reasons else ""),
        )
    return table


def report_of(session: Session, row: ExperimentRow) -> ExperimentReport | None:
    """The report of an experiment; None: there is none (yet).

    Raises:
        InvalidRequestError: it is of another version of flywheel.
    """
    try:
        return read_experiment_report(session.objects.read(experiment_report_key(row.experiment_id, "json")))
    except NotFoundError:
        return None


def report_to_dict(report: ExperimentReport | None) -> dict[str, Any] | None:
    """What scripts are told of a report; the whole is in `report.json`."""
    return None if report is None else {name: value for name, value in asdict(report).items() if name in _TOLD}


def print_experiment(console: Console, row: ExperimentRow, report: ExperimentReport | None) -> None:
    """Everything about one experiment that fits a terminal."""
    took = "still running" if row.ended is None else seconds((row.ended - row.started).total_seconds() * 1000)
    lines = [
        *([] if report is None else [one_line(report.sentence, 500)]),
        f"file         {one_line(file_name(row), 60)}, attempt {row.attempt}, {row.trigger}",
        f"took         {took}, {row.rung} rung{'' if row.rung == 1 else 's'}",
        *_titled("reason", row.reasons),
        *_titled("no runtime", [f"{name}: {it.failed}" for name, it in row.runtimes.items() if it.failed]),
    ]
    _say(console, Text.assemble(styled(state_word(row)), f"  {row.experiment_id}"), *lines)
    if report is not None:
        if best := [one for one in report.configurations if one.on_front or one.state == "recommended"]:
            _say(console, "the best, each in its own way (Pareto set):")
            console.print(_front(best))
        _say(console, *_found(report))
    _say(console, *_next(row))


def _found(report: ExperimentReport) -> list[str]:
    """Whom it stopped, what it spent, what qualifies it."""
    spent = report.spent
    cost = "cost not known" if spent.cost_usd is None else usd(spent.cost_usd)
    share = f"{spent.invocations} invocations of {spent.grid_invocations} in the full grid, {cost}"
    return [
        *_titled("stopped", [f"{it.configuration_id} in rung {it.rung}: {it.message}" for it in report.stopped]),
        *_titled("spent", [share]),
        *_titled("note", report.notes),
    ]


def _next(row: ExperimentRow) -> list[str]:
    lines = [f"report: flywheel experiment report {row.experiment_id}"] if row.report_key else []
    if row.recommended:
        lines.append(f"next: flywheel experiment promote {row.experiment_id}")
    elif row.outcome in ("stopped", "broken"):
        lines.append(f"next: flywheel experiment resume {row.experiment_id}")
    return lines


def _titled(title: str, texts: Iterable[str]) -> list[str]:
    return [f"{title:<13}{one_line(text, 300)}" for text in texts]


def _say(console: Console, *lines: str | Text) -> None:
    for line in lines:
        console.print(Text(line) if isinstance(line, str) else line, highlight=False, soft_wrap=True)


def _front(rows: list[ConfigurationRow]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("", "configuration", "", "quality", "cost an item", "p95"):
        table.add_column(column, overflow="fold", justify="left" if column in {"", "configuration"} else "right")
    for one in rows:
        table.add_row(
            "recommended" if one.state == "recommended" else "",
            one.configuration_id,
            Text(one_line(one.label, 80)),
            "" if one.quality is None else f"{one.quality.value:.3f}",
            "" if one.cost_per_item_usd is None else usd(one.cost_per_item_usd.value),
            "" if one.latency_p95_ms is None else seconds(one.latency_p95_ms.value),
        )
    return table


def fetch_report(session: Session, row: ExperimentRow, folder: Path) -> tuple[Path, Path]:
    """Write `report.html` and `report.json` below `folder`/<experiment id>; gives both paths.

    Raises:
        CommandError: the experiment has no report yet.
    """
    goal = folder / row.experiment_id
    paths = []
    for kind in ("html", "json"):
        try:
            body = session.objects.read(experiment_report_key(row.experiment_id, kind))
        except NotFoundError as error:
            running = row.status == "running"
            why, instead = ("still runs", "watch") if running else ("has no report", "show")
            said = f"experiment {row.experiment_id} {why}: flywheel experiment {instead} {row.experiment_id}"
            raise CommandError(said) from error
        goal.mkdir(parents=True, exist_ok=True)
        path = goal / f"report.{kind}"
        path.write_bytes(body)
        paths.append(path)
    return paths[0], paths[1]
