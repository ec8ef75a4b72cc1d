"""`flywheel review`: the page on which reviewers judge what waits."""

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from cli.problems import EXIT_NO, CommandError
from flywheel.domain.review_form import GATE_FORM, LIVE_FORM

if TYPE_CHECKING:
    from cli.session import Session
    from flywheel.ports import Queue

_out = Console()


def review(
    ctx: typer.Context,
    queue: Annotated[
        str | None, typer.Option(help="Annotation queue; left out: that of live reviews.", show_default=False)
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Open no browser, say the address only.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable; opens nothing.")] = False,
) -> None:
    """Open the reviewers' page: Langfuse's own, or that of the local stand-in, which needs no mouse.

    Exit code 0: something waits, 1: nothing does, 2: an error.

    Examples:
      flywheel review
      flywheel review --queue "flywheel gate reviews" --no-open
    """
    session: Session = ctx.obj
    found = _queue(session, queue or session.facts.live_queue)
    waiting = len(session.review_queue.waiting(found.queue_id))
    url = f"{found.url}/review" if session.langfuse_stands_in() else found.url
    if as_json:
        typer.echo(json.dumps({"queue": found.name, "url": url, "waiting": waiting}, indent=2))
    else:
        _out.print(f"{escape(found.name)}: {waiting} waiting", highlight=False, soft_wrap=True)
        _out.print(f"review: {escape(url)}", highlight=False, soft_wrap=True)
        if waiting and not no_open and not session.open_page(url):
            _out.print("there is no browser here: open that address where there is one", highlight=False)
    if not waiting:
        raise typer.Exit(EXIT_NO)


def _queue(session: "Session", name: str) -> "Queue":
    """The stack's own queues are made when they are not there yet; others are only looked for."""
    if name == session.facts.live_queue:
        return session.review_queue.ensure(name, LIVE_FORM)
    if name == session.facts.review_queue:
        return session.review_queue.ensure(name, GATE_FORM)
    found = session.review_queue.find(name)
    if found is None:
        known = f"{session.facts.live_queue!r}, {session.facts.review_queue!r}"
        raise CommandError(f"Langfuse has no annotation queue {name!r}; the stack's own are {known}")
    return found
