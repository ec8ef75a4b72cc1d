"""`flywheel dead-letters`: what could not be handled, and handing it over again."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.letters import Handled, listed
from cli.letters import redrive as hand_over
from cli.problems import EXIT_NO, CommandError
from flywheel.report.text import one_line

if TYPE_CHECKING:
    from cli.session import Session
    from flywheel.domain.dead_letters import Delivery, Letter

app = typer.Typer(no_args_is_help=True, help="What could not be handled after all retries: list, show, redrive.")
_out = Console()
_SHORT = 8


@app.command("list")
def list_letters(
    ctx: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False
) -> None:
    """List the letters of the dead-letter queue. Exit code 0: there are none, 1: there are some.

    Example: flywheel dead-letters list
    """
    session: Session = ctx.obj
    found = listed(session.letter_box, session.addresses)
    if as_json:
        typer.echo(json.dumps([_as_dict(letter, delivery) for letter, delivery in found], indent=2))
    elif found:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for column in ("letter", "since (UTC)", "what", "belongs to", "what went wrong"):
            table.add_column(column, overflow="fold")
        for letter, delivery in found:
            belongs = delivery.target_name or f"nothing: {delivery.why}"
            cells = (delivery.about, belongs, delivery.error)
            short = letter.letter_id[:_SHORT]
            table.add_row(short, f"{letter.sent_at:%m-%d %H:%M}", *(escape(one_line(cell, 120)) for cell in cells))
        _out.print(table)
        _out.print("next: mend the cause, then flywheel dead-letters redrive --all", highlight=False)
    else:
        _out.print("no dead letters")
    if found:
        raise typer.Exit(EXIT_NO)


@app.command()
def show(
    ctx: typer.Context,
    letter_id: Annotated[str, typer.Argument(help="Its id, or the beginning of it.")],
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Show one letter whole, as it lies in the queue.

    Example: flywheel dead-letters show 1f0c7a52
    """
    session: Session = ctx.obj
    found = listed(session.letter_box, session.addresses)
    (letter,) = _chosen([letter for letter, _ in found], letter_id)
    delivery = next(delivery for other, delivery in found if other is letter)
    shown = _as_dict(letter, delivery) | {"attributes": dict(letter.attributes), "body": _body(letter)}
    if as_json:
        typer.echo(json.dumps(shown, indent=2))
        return
    for name, value in shown.items():
        text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
        _out.print(f"{name}: {escape(_printable(text))}", highlight=False, soft_wrap=True)


@app.command()
def redrive(
    ctx: typer.Context,
    letter_id: Annotated[str | None, typer.Argument(help="Its id, or the beginning of it.", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="Every letter, oldest first.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show where each would go; change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Hand letters over again, to where they belong: a function, a state machine, the bus. Mend the cause first.

    A letter leaves the queue after it was taken, not before; one that belongs nowhere stays. Handing the same letter
    over twice has its effect once. Exit code 0: all were taken, 1: some stay, 2: an error.

    Examples:
      flywheel dead-letters redrive 1f0c7a52 --dry-run
      flywheel dead-letters redrive --all
    """
    session: Session = ctx.obj
    if every == (letter_id is not None):
        raise CommandError("name one letter, or say --all: flywheel dead-letters list shows them")
    handled = hand_over(
        session.letter_box,
        session.handover,
        session.addresses,
        choose=lambda letters: letters if letter_id is None else _chosen(letters, letter_id),
        dry_run=dry_run,
    )
    if as_json:
        typer.echo(json.dumps([_handled_as_dict(done) for done in handled], indent=2))
    else:
        for done in handled:
            _out.print(escape(one_line(_line(done), 400)), highlight=False, soft_wrap=True)
        if not handled:
            _out.print("no dead letters")
    if any(done.fate == "kept" for done in handled):
        raise typer.Exit(EXIT_NO)


def _chosen(letters: "list[Letter]", letter_id: str) -> "list[Letter]":
    found = [letter for letter in letters if letter.letter_id.startswith(letter_id)]
    if len(found) != 1:
        several = f"{len(found)} letters begin with" if found else "there is no letter"
        raise CommandError(f"{several} {letter_id!r}: flywheel dead-letters list shows them")
    return found


def _as_dict(letter: "Letter", delivery: "Delivery") -> dict[str, Any]:
    return {
        "id": letter.letter_id,
        "sent_at": letter.sent_at.isoformat(),
        "what": delivery.about,
        "route": delivery.route,
        "belongs_to": delivery.target_name or None,
        "error": delivery.error,
        "why_unknown": delivery.why or None,
    }


def _handled_as_dict(done: Handled) -> dict[str, Any]:
    return _as_dict(done.letter, done.delivery) | {"fate": done.fate, "message": done.message or None}


def _line(done: Handled) -> str:
    short, what = done.letter.letter_id[:_SHORT], done.delivery.about
    if done.fate == "kept":
        return f"{short} {what}: stays: {done.message}"
    verb = "taken by" if done.fate == "taken" else "would go to"
    return f"{short} {what}: {verb} {done.delivery.target_name}"


def _body(letter: "Letter") -> Any:
    try:
        return json.loads(letter.body)
    except (ValueError, RecursionError):
        return letter.body


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
