"""Report of a run of synthetic users -> table and bars at the terminal, and the page with its plot."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flywheel.domain.traffic_report import TrafficReport
from flywheel.report.plots import seconds
from flywheel.report.text import showable

_BLOCKS = "▁▂▃▄▅▆▇█"
_NOTHING = "\N{EN DASH}"


def bars(values: list[int | None], top: int | None = None) -> str:
    """One character a value, the tallest for `top`, else for the largest; a blank where there is none."""
    top = max((value for value in values if value), default=0) if top is None else top
    if not top:
        return " " * len(values)
    return "".join(
        " " if value is None else _BLOCKS[min(len(_BLOCKS) - 1, value * len(_BLOCKS) // (top + 1))] for value in values
    )


def print_report(console: Console, report: TrafficReport) -> None:
    """The figures, what each persona met, and response times over time."""
    facts = report.facts
    console.print(Text(f"run         {facts.run_id} in {facts.environment}, {facts.started_at}"))
    console.print(Text(f"load        {facts.profile}, {facts.parts} part{'' if facts.parts == 1 else 's'}"))
    console.print(figures(report))
    if report.personas:
        console.print(personas(report))
    if report.latency is not None:
        top = max(one.p95_ms or 0 for one in report.moments)
        end = report.moments[-1].to_s
        console.print(Text(f"p50         {bars([one.p50_ms for one in report.moments], top)}"))
        console.print(Text(f"p95         {bars([one.p95_ms for one in report.moments], top)}  at most {seconds(top)}"))
        console.print(Text(f"turns       {bars([one.turns or None for one in report.moments])}  in {end:.0f} s"))
        console.print(Text(f"measured from the {report.measured_from}"))
    for line in remarks(report):
        console.print(Text(line))


def figures(report: TrafficReport) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    wait, own = report.latency, report.service
    if wait is not None and own is not None:
        table.add_row("latency", f"p50 {seconds(wait.p50_ms)}, p95 {seconds(wait.p95_ms)}, p99 {seconds(wait.p99_ms)}")
        table.add_row("agent alone", f"p50 {seconds(own.p50_ms)}, p95 {seconds(own.p95_ms)}, p99 {seconds(own.p99_ms)}")
    share = _NOTHING if report.success_rate is None else f"{100 * report.success_rate:.1f} %"
    table.add_row("success", f"{share} of {report.turns} turns")
    errors = ", ".join(f"{count} {showable(kind)}" for kind, count in report.errors.items())
    table.add_row("errors", errors or "none")
    table.add_row("harmful", f"{report.harmful_refused} refused, {report.harmful_answered} answered")
    unknown = f", {report.unpriced} turns without a known cost" if report.unpriced else ""
    table.add_row("cost", f"${report.cost_usd:.4f}{unknown}")
    came = f"{report.arrivals} due, {report.conversations} came"
    table.add_row("users", f"{came}, {report.turned_away} turned away, {report.unsent} not sent")
    return table


def personas(report: TrafficReport) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("persona")
    for name in ("turns", "errors", "refused", "p95"):
        table.add_column(name, justify="right")
    for one in report.personas:
        p95 = _NOTHING if one.p95_ms is None else seconds(one.p95_ms)
        table.add_row(Text(one.persona), str(one.turns), str(one.errored), str(one.refused), p95)
    return table


def remarks(report: TrafficReport) -> list[str]:
    """What a reader must know beside the figures."""
    said = []
    if report.facts.stand_ins:
        names = ", ".join(showable(name) for name in report.facts.stand_ins)
        said.append(f"stood in for a real service: {names}; no figure here is one of AWS, Langfuse or a language model")
    stopped = [name for name in report.stopped_by if name != "finished"]
    if stopped:
        words = {
            "cost": "its cost bound",
            "cancelled": "somebody",
            "out_of_time": "the end of its time",
            "killed": "a worker that was killed",
        }
        said.append("stopped early by " + ", ".join(words.get(name, name) for name in stopped))
    if report.missing_parts:
        said.append(f"incomplete: parts {', '.join(map(str, report.missing_parts))} left no result")
    if report.sessions_left:
        said.append(f"{report.sessions_left} sessions could not be ended; they idle out by themselves")
    if report.facts.failure:
        said.append(f"broke off: {showable(report.facts.failure)}")
    return said


def write_page(report: TrafficReport, folder: Path) -> Path:
    """Write the page with the plot; gives its path."""
    from flywheel.report.traffic_page import render_traffic  # noqa: PLC0415 - jinja

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report.facts.run_id}.html"
    path.write_text(render_traffic(report), "utf-8")
    return path


def runs_table(reports: list[TrafficReport | str]) -> Table:
    """Runs, the newest first; a run without a report is only its id."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("run", no_wrap=True)
    table.add_column("load", no_wrap=True)
    for name in ("turns", "success", "p95", "harm", "cost"):
        table.add_column(name, justify="right")
    for one in reports:
        if isinstance(one, str):
            table.add_row(one, "no report (yet)")
            continue
        share = _NOTHING if one.success_rate is None else f"{100 * one.success_rate:.1f} %"
        p95 = _NOTHING if one.latency is None else seconds(one.latency.p95_ms)
        cells = [
            one.facts.run_id,
            one.facts.profile.split(" a minute")[0],
            str(one.turns),
            share,
            p95,
            str(one.harmful_answered),
        ]
        table.add_row(*cells, f"${one.cost_usd:.2f}")
    return table
