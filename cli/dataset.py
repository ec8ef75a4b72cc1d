"""`flywheel dataset ...`: the commands; reading and writing are in the modules named beside them."""

import json
import sys
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.problems import EXIT_NO, CommandError
from cli.session import Session

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="The golden dataset in Langfuse.")

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
DatasetName = Annotated[
    str | None,
    typer.Option("--dataset", help="Dataset in Langfuse; the stack's own when left out.", show_default=False),
]


@app.command("import")
def import_file(
    ctx: typer.Context,
    *,
    file: Annotated[Path, typer.Argument(help="JSON file of golden items, or `-` for standard input.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and show, change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dataset: DatasetName = None,
    as_json: JsonFlag = False,
) -> None:
    """Check a file, show the difference to what is stored, then add and change items. Nothing is ever deleted.

    The same file again changes nothing. Exit code 1: the file is wrong (all its errors are shown), nothing changed.
    A dataset that does not exist yet is made. `flywheel dataset remove` takes items out.

    Examples: `flywheel dataset import dataset/golden.json --dry-run`,
    `flywheel dataset import holidays.json --dataset holidays`
    """
    from cli import dataset_import, dataset_view  # noqa: PLC0415 - what `--help` does not need
    from flywheel.domain.golden import DatasetError  # noqa: PLC0415

    console = Console(stderr=as_json)
    try:
        wanted = dataset_import.read_items(file)
    except DatasetError as error:
        dataset_import.print_problems(error, as_json=as_json)
        raise typer.Exit(EXIT_NO) from None
    session: Session = ctx.obj
    name = dataset or session.facts.dataset
    found = dataset_import.compare(session, wanted, name)
    dataset_import.print_diff(console, found, name)
    todo = dataset_import.to_write(found, wanted)
    warning = dataset_import.too_few(session, found, name)
    if warning:
        console.print(f"warning: {warning}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    if todo and not dry_run:
        if not yes and sys.stdin.isatty() and not typer.confirm(f"Write {len(todo)} items?"):
            console.print("nothing was changed")
            raise typer.Exit(EXIT_NO)
        dataset_import.write(session, todo, console, name)
    written = 0 if dry_run else len(todo)
    if as_json:
        print(json.dumps(dataset_import.summary(found, written=written, dry_run=dry_run, warning=warning)))
    elif dry_run:
        console.print("nothing was changed (--dry-run)")
    else:
        console.print(f"written: {written} items; next: flywheel gate plan{dataset_view.option(session, dataset)}")


@app.command()
def export(
    ctx: typer.Context,
    output: Annotated[Path | None, typer.Option(help="File to write; standard output when left out.")] = None,
    dataset: DatasetName = None,
) -> None:
    """Write the dataset as a file that `import` reads back. Items stand in the order of their ids.

    Example: `flywheel dataset export --output golden.json`
    """
    from cli import dataset_view  # noqa: PLC0415 - what `--help` does not need

    items = dataset_view.stored(ctx.obj, dataset)
    text = dataset_view.to_file(items)
    if output is None:
        sys.stdout.write(text)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    print(f"{len(items)} items written to {output}", file=sys.stderr)


@app.command("list")
def list_items(
    ctx: typer.Context,
    where: Annotated[str | None, typer.Option("--slice", help="Only items of this slice.")] = None,
    dataset: DatasetName = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the items: id, slice, origin, question, whether they are muted.

    Example: `flywheel dataset list --slice adversarial --json`
    """
    from cli import dataset_mutes, dataset_view  # noqa: PLC0415 - what `--help` does not need
    from flywheel.domain.golden import SLICES  # noqa: PLC0415

    if where is not None and where not in SLICES:
        raise CommandError(f"there is no slice {where[:80]!r}: expected one of {', '.join(SLICES)}")
    session: Session = ctx.obj
    items = [i for i in dataset_view.stored(session, dataset) if where in (None, i.slice)]
    muted = {m.item_id: m for m in dataset_mutes.read(session)}
    if as_json:
        print(json.dumps([dataset_view.to_row(i, muted.get(i.item_id)) for i in items], indent=1, ensure_ascii=False))
    else:
        dataset_view.print_items(Console(), items, muted, dataset or session.facts.dataset)


@app.command()
def remove(
    ctx: typer.Context,
    items: Annotated[list[str], typer.Argument(help="Ids of items.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and show, change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dataset: DatasetName = None,
    as_json: JsonFlag = False,
) -> None:
    """Take items out of the dataset: later gates do not ask them. Langfuse archives them, and keeps their history.

    `flywheel dataset import` of the same item brings it back. Exit code 1: there is no such item; nothing was changed.

    Example: `flywheel dataset remove faq-012 faq-013 --dry-run`
    """
    from cli import dataset_removal  # noqa: PLC0415 - what `--help` does not need

    session: Session = ctx.obj
    console = Console(stderr=as_json)
    name = dataset or session.facts.dataset
    plan = dataset_removal.plan(session, name, items)
    dataset_removal.print_plan(console, plan)
    if plan.unknown:
        raise typer.Exit(EXIT_NO)
    if not dry_run and not yes and sys.stdin.isatty() and not typer.confirm(f"Archive {len(plan.item_ids)} items?"):
        console.print("nothing was changed")
        raise typer.Exit(EXIT_NO)
    if not dry_run:
        session.dataset.archive(name, plan.item_ids)
    if as_json:
        print(json.dumps({"removed": plan.item_ids, "dry_run": dry_run, "warning": plan.warning}))
    else:
        console.print("nothing was changed (--dry-run)" if dry_run else f"removed: {len(plan.item_ids)} items")


@app.command()
def mute(
    ctx: typer.Context,
    item: Annotated[str, typer.Argument(help="Id of a regression test (an item of origin production).")],
    until: Annotated[str, typer.Option(help="Last day of the mute, YYYY-MM-DD, in UTC.")],
    reason: Annotated[str, typer.Option(help="Why; part of every gate's evidence.")],
    as_json: JsonFlag = False,
) -> None:
    """Let a regression test fail until a date. Every gate records it; muting again replaces date and reason.

    Example: `flywheel dataset mute prod-0042 --until 2026-12-24 --reason "tool is being replaced"`
    """
    from cli import dataset_mutes  # noqa: PLC0415 - what `--help` does not need

    try:
        day = date.fromisoformat(until)
    except ValueError as error:
        raise CommandError(f"--until {until[:40]!r} is no date: expected YYYY-MM-DD") from error
    muted = dataset_mutes.mute(ctx.obj, item, day, reason)
    if as_json:
        print(json.dumps({"item_id": muted.item_id, "until": muted.until, "reason": muted.reason}))
    else:
        print(f"{muted.item_id} may fail until {muted.until}; next: flywheel dataset unmute {muted.item_id} ends it")


@app.command()
def unmute(
    ctx: typer.Context, item: Annotated[str, typer.Argument(help="Id of a muted item.")], as_json: JsonFlag = False
) -> None:
    """Make a muted regression test count again. Unmuting what is not muted changes nothing.

    Example: `flywheel dataset unmute prod-0042`
    """
    from cli import dataset_mutes  # noqa: PLC0415 - what `--help` does not need

    was_muted = dataset_mutes.unmute(ctx.obj, item)
    if as_json:
        print(json.dumps({"item_id": item, "was_muted": was_muted}))
    else:
        print(f"{item} counts again" if was_muted else f"{item} was not muted")
