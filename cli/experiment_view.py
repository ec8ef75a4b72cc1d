"""Records and reports of experiments -> tables and lines at the terminal; reports -> files."""

import json
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
_FIGURES = ("quality", "cost_per_item_usd", "latency_p95_ms")


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


def report_of(session: Session, row: ExperimentRow) -> dict[str, Any] | None:
    """What `show` tells of the report; None: there is none (yet)."""
    try:
        report = json.loads(session.objects.read(experiment_report_key(row.experiment_id, "json")))
    except NotFoundError:
        return None
    return {name: report.get(name) for name in _TOLD}


def print_experiment(console: Console, row: ExperimentRow, report: dict[str, Any] | None) -> None:
    """Everything about one experiment that fits a terminal."""
    said = report or {}
    took = "still running" if row.ended is None else seconds((row.ended - row.started).total_seconds() * 1000)
    lines = [
        *_texts([said.get("sentence")]),
        f"file         {one_line(file_name(row), 60)}, attempt {row.attempt}, {row.trigger}",
        f"took         {took}, {row.rung} rung{'' if row.rung == 1 else 's'}",
        *_texts(row.reasons, "reason       "),
        *_texts([f"{name}: {it.failed}" for name, it in row.runtimes.items() if it.failed], "no runtime   "),
    ]
    _say(console, Text.assemble(styled(state_word(row)), f"  {row.experiment_id}"))
    _say(console, *lines)
    rows = said.get("configurations") or ()
    if best := [one for one in rows if one.get("on_front") or one.get("state") == "recommended"]:
        _say(console, "the best, each in its own way (Pareto set):")
        console.print(_front(best))
    _say(console, *_rest(row, said))


def _rest(row: ExperimentRow, said: dict[str, Any]) -> list[str]:
    """Whom it stopped, what it spent, what to do next."""
    out = [
        f"{o.get('configuration_id')} in rung {o.get('rung')}: {o.get('message')}" for o in said.get("stopped") or ()
    ]
    lines = _texts(out, "stopped      ")
    if spent := said.get("spent"):
        share = f"{spent.get('invocations')} invocations of {spent.get('grid_invocations')} in the full grid"
        lines.append(f"spent        {share}, {_money(spent)}")
    lines += _texts(said.get("notes") or (), "note         ")
    if row.report_key:
        lines.append(f"report: flywheel experiment report {row.experiment_id}")
    if row.recommended:
        lines.append(f"next: flywheel experiment promote {row.experiment_id}")
    elif row.outcome in ("stopped", "broken"):
        lines.append(f"next: flywheel experiment resume {row.experiment_id}")
    return lines


def _texts(found: Iterable[Any], title: str = "") -> list[str]:
    return [f"{title}{one_line(str(text), 300)}" for text in found if text]


def _say(console: Console, *lines: str | Text) -> None:
    for line in lines:
        console.print(Text(line) if isinstance(line, str) else line, highlight=False, soft_wrap=True)


def _money(spent: dict[str, Any]) -> str:
    cost = spent.get("cost_usd")
    return "cost not known" if cost is None else usd(cost)


def _front(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("", "configuration", "", "quality", "cost an item", "p95"):
        table.add_column(column, overflow="fold", justify="left" if column in {"", "configuration"} else "right")
    for one in rows:
        quality, cost, latency = (_value(one.get(name)) for name in _FIGURES)
        table.add_row(
            Text("recommended" if one.get("state") == "recommended" else ""),
            Text(str(one.get("configuration_id"))),
            Text(one_line(str(one.get("label")), 80)),
            "" if quality is None else f"{quality:.3f}",
            "" if cost is None else usd(cost),
            "" if latency is None else seconds(latency),
        )
    return table


def _value(figure: Any) -> float | None:
    """The figure itself, without its interval."""
    value = figure.get("value") if isinstance(figure, dict) else figure
    return value if isinstance(value, int | float) else None


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
