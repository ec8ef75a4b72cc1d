"""`flywheel harvest ...`: finished reviews of production traces on their way into the golden dataset."""

import json
import sys
from collections import Counter
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from cli.problems import EXIT_NO
from cli.session import Session

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Harvest what reviewers flagged into the golden dataset, and see what became of reviews.",
)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@app.command()
def status(ctx: typer.Context, *, as_json: JsonFlag = False) -> None:
    """Show reviews that are open, what became of the others, and how far scores agree with people.

    Example: `flywheel harvest status`
    """
    from flywheel.harvest_agreement import LATEST, lines_of  # noqa: PLC0415 - what `--help` does not need
    from flywheel.harvest_run import LATEST_RUN  # noqa: PLC0415

    session: Session = ctx.obj
    rows = list(session.live_ledger.open())
    watched = Counter(row.harvest.state for row in rows if row.harvest is not None)
    latest, agreement = _document(session, LATEST_RUN) or {}, _document(session, LATEST) or {}
    said = {
        "open": sum(row.harvest is None for row in rows),
        "watched": dict(watched),
        "slices": latest.get("slices", {}),
        "latest_run": latest.get("run_id"),
        "complete": latest.get("complete"),
        "agreement": agreement.get("metrics", {}),
    }
    if as_json:
        print(json.dumps(said))
        return
    say = _speaker()
    say(f"{said['open']} reviews are open; watched for later edits: {_counts(watched)}")
    say(f"dataset: {_counts(said['slices'])}" if latest else "no run of the harvest is on record")
    for line in lines_of(said["agreement"]):
        say(line)


@app.command()
def run(
    ctx: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be done; change nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Harvest what is finished now, in the stack's own function, without waiting for its schedule.

    Exit code 1: another run is under way, and this one did nothing.

    Examples: `flywheel harvest run`, `flywheel harvest run --dry-run --json`
    """
    session: Session = ctx.obj
    summary = session.harvest_runs.run(dry_run=dry_run)
    if as_json:
        print(json.dumps(summary))
    else:
        _print_run(summary)
    if summary["skipped"]:
        raise typer.Exit(EXIT_NO)


def _print_run(summary: dict[str, Any]) -> None:
    say = _speaker()
    if summary["skipped"]:
        say("another run of the harvest is under way: try again when it is done")
        return
    would = "would become" if summary["dry_run"] else "became"
    say(f"{summary['seen']} reviews looked at, {summary['waiting']} wait for people, {summary['settling']} settle")
    for outcome in summary["outcomes"]:
        item = f" {outcome['item_id']}" if outcome["item_id"] else ""
        say(f"{outcome['trace_id']} {would} {outcome['state']}{item}")
    if summary["unjudged"]:
        say(f"{summary['unjudged']} wait for the judge, which did not answer: the next run asks again")
    if summary["announced"]:
        say(f"announced: {', '.join(summary['announced'])}")
    for line in summary.get("items_left_out", ()):
        say(f"no golden item {line}")
    if not summary["complete"]:
        say("its time ended before the last review: the next run goes on")


@app.command()
def show(
    ctx: typer.Context,
    trace: Annotated[str, typer.Argument(help="Id of a trace that was queued for review.")],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Show why a trace was queued and what became of its review. Exit code 1: it was never queued.

    Example: `flywheel harvest show 4bf92f3577b34da6a3ce929d0e0e4736`
    """
    session: Session = ctx.obj
    row = session.live_ledger.get(trace)
    if row is None:
        print(f"trace {trace} was never queued for review here", file=sys.stderr)
        raise typer.Exit(EXIT_NO)
    harvest = row.harvest
    said: dict[str, Any] = {
        "trace_id": row.trace_id,
        "source": row.source,
        "queue": row.queue_name,
        "queued_at": row.queued_at.isoformat() if row.queued_at else None,
        "inclusion_probability": row.inclusion_probability,
        "reasons": list(row.reasons),
        "state": harvest.state if harvest else "open",
        "item_id": harvest.item_id if harvest else None,
        "failed": harvest.failed if harvest else None,
        "reviewers": list(harvest.reviewers) if harvest else [],
        "message": harvest.message if harvest else "",
        "looked_at": harvest.looked_at.isoformat() if harvest else None,
        "watched_until": harvest.watched_until.isoformat() if harvest and not harvest.closed else None,
    }
    if as_json:
        print(json.dumps(said))
        return
    say = _speaker()
    for name, value in said.items():
        if value not in (None, "", []):
            say(f"{name.replace('_', ' ')}: {', '.join(value) if isinstance(value, list) else value}")


def _document(session: Session, key: str) -> dict[str, Any] | None:
    from flywheel.errors import NotFoundError  # noqa: PLC0415 - what `--help` does not need

    try:
        found: dict[str, Any] = json.loads(session.objects.read(key))
    except NotFoundError:
        return None
    return found


def _counts(counts: Any) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"


def _speaker() -> Any:
    console = Console()
    return lambda text: console.print(escape(text), highlight=False, soft_wrap=True)
