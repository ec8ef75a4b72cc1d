"""`flywheel setup ...`: Langfuse made ready for this stack, secrets of its senders, and a check of all of it."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from cli.problems import EXIT_ERROR, EXIT_NO, CommandError
from cli.session import Session
from cli.setup_rows import BROKEN, WANTING, Row

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Make Langfuse ready for this stack, keep secrets of its senders, check all of it.",
)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
NoSchemaFlag = Annotated[
    bool, typer.Option("--no-schema", help="Langfuse need not check the dataset's items against schemas.")
]


@app.command()
def langfuse(
    ctx: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be made; change nothing.")] = False,
    no_schema: NoSchemaFlag = False,
    enable_evaluators: Annotated[
        bool,
        typer.Option("--enable-evaluators", help="Also let Langfuse judge experiments and live traces: costs money."),
    ] = False,
    live_sampling: Annotated[
        float | None,
        typer.Option(min=0.0001, max=1.0, help="Share of live traces that are judged; at first 0.05, then as it is."),
    ] = None,
    live_model: Annotated[
        str | None, typer.Option(help="Model that judges live traces, a smaller one; at first the judge's own.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Make score configs, queues, the dataset and the judge's connection, and say what is left to click.

    Safe to repeat: what is there stays. Exit codes: 0 done, 1 a part was refused or differs, 2 Langfuse did not answer.

    Examples: `flywheel setup langfuse --dry-run`, `flywheel setup langfuse --no-schema --json`,
    `flywheel setup langfuse --enable-evaluators --live-sampling 0.02 --live-model amazon.nova-micro-v1:0`
    """
    from cli import (  # noqa: PLC0415 - what `--help` does not need
        langfuse_reach,
        setup_clicks,
        setup_evaluators,
        setup_local,
        setup_plan,
        setup_rows,
    )

    session: Session = ctx.obj
    if not enable_evaluators and (live_sampling, live_model) != (None, None):
        raise CommandError("--live-sampling and --live-model belong to --enable-evaluators")
    evaluators = setup_evaluators.EvaluatorChoices(live_sampling, live_model) if enable_evaluators else None
    parts = setup_plan.parts(session, setup_plan.Choices(not no_schema, evaluators))
    rows = list(setup_rows.carry_out(parts, dry_run=dry_run))
    local = session.target.kind == "local" and "AWS_ENDPOINT_URL" in os.environ
    address = setup_local.local_address(session) if local else session.facts.webhook_url or ""
    clicks = setup_clicks.clicks(session.facts, address)
    if as_json:
        print(json.dumps({"dry_run": dry_run, "rows": _plain(rows), "by_hand": [asdict(click) for click in clicks]}))
    else:
        _show(rows)
        print("\nTo be clicked by hand in Langfuse, once:")
        for click in clicks:
            print("\n".join(setup_clicks.lines_of(click)))
        for line in langfuse_reach.webhook_notes(session.langfuse_api.host, address):
            print(line)
        print("\nThen `flywheel setup check` proves each of them.")
    if any(row.state in BROKEN for row in rows):
        raise typer.Exit(EXIT_ERROR)
    if any(row.state in WANTING for row in rows):
        raise typer.Exit(EXIT_NO)


@app.command()
def secret(
    ctx: typer.Context,
    sender: Annotated[str, typer.Argument(help="Whose secret; an unknown name gets the list of all.")],
    *,
    only: Annotated[bool, typer.Option("--only", help="The one before is valid no more.")] = False,
    generate: Annotated[bool, typer.Option("--generate", help="Make one, for a header that you fill in.")] = False,
) -> None:
    """Keep the secret of a sender; it is typed unseen or comes on standard input, never as an argument.

    The one before stays valid beside it. Nothing is printed of either. Exit codes: 0 kept, 2 it cannot be a secret.

    Examples: `flywheel setup secret prompt-version`, `flywheel setup secret web-callout --generate`,
    `flywheel setup secret monitor-alert --only < secret.txt`
    """
    from cli import setup_secrets  # noqa: PLC0415 - what `--help` does not need
    from flywheel.deliveries import SENDERS  # noqa: PLC0415

    session: Session = ctx.obj
    if sender not in SENDERS:
        raise CommandError(f"there is no sender {sender!r}; there are: {', '.join(sorted(SENDERS))}")
    text = setup_secrets.generate() if generate else _typed(sender)
    valid = setup_secrets.keep(session.settings, sender, text, only=only)
    print(f"kept; {valid} secret{'s are' if valid > 1 else ' is'} valid for {sender}")
    if generate:
        print(f"To paste it (what stands before a comma): {setup_secrets.read_it(session.facts, sender)}")


@app.command()
def check(
    ctx: typer.Context,
    *,
    no_schema: NoSchemaFlag = False,
    evaluators: Annotated[
        bool, typer.Option("--evaluators", help="Also ask for what `--enable-evaluators` has made.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Ask Langfuse for each part, and send each sender's path one signed and one forged test delivery.

    Test deliveries have no effect. Exit codes: 0 all is there, 1 something is missing, 2 the stack cannot be asked.

    Examples: `flywheel setup check`, `flywheel setup check --evaluators --json`
    """
    from cli import setup_check, setup_evaluators, setup_plan  # noqa: PLC0415 - what `--help` does not need

    wished = setup_evaluators.EvaluatorChoices() if evaluators else None
    rows = setup_check.check(ctx.obj, setup_plan.Choices(not no_schema, wished))
    if as_json:
        print(json.dumps({"complete": setup_check.complete(rows), "rows": _plain(rows)}))
    else:
        _show(rows)
    if not setup_check.complete(rows):
        raise typer.Exit(EXIT_NO)


def _typed(sender: str) -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(f"Secret of {sender}", hide_input=True))
    return sys.stdin.read()


def _plain(rows: Sequence[Row]) -> list[dict[str, str]]:
    return [asdict(row) for row in rows]


def _show(rows: Sequence[Row]) -> None:
    from rich.console import Console  # noqa: PLC0415 - what `--help` does not need
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table("part", "name", "state", "")
    for row in rows:
        table.add_row(row.part, escape(row.name), row.state, escape(row.said))
    console = Console()
    console.print(table)
    for row in rows:
        if row.next_step:
            console.print(escape(f"{row.part} {row.name}: {row.next_step}"), highlight=False, soft_wrap=True)
