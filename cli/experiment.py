"""`flywheel experiment ...`: the commands; what they do is in the modules named beside them."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.gate_options import JsonFlag
from cli.problems import EXIT_NO, CommandError
from cli.session import Session

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Search models, prompts and parameters before anything is pushed.",
)

Timeout = Annotated[float, typer.Option(min=1, help="Seconds to watch at most.")]
Detach = Annotated[bool, typer.Option("--detach", help="Do not watch it.")]
ExperimentId = Annotated[
    str, typer.Argument(help="An experiment's id or the 8 characters it ends in, or `latest`.", metavar="ID")
]
_TIMEOUT_S = 7200.0


@app.command()
def run(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(help="A file of this machine, or the name of a saved one.", metavar="FILE")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan; start nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, whatever it is expected to cost.")] = False,
    detach: Detach = False,
    timeout: Timeout = _TIMEOUT_S,
    as_json: JsonFlag = False,
) -> None:
    """Check a file, show what it will take, run it, and watch it. The sample's `hpo_config.json` works unchanged.

    Asks first when more is expected than the file's budget, or more than $5 where it has none. Exit code 0 completed, 1
    an invalid file, refused or not agreed to, 2 stopped, broken or an error.

    Examples: `flywheel experiment run dataset/experiment.json --dry-run`,
    `flywheel experiment run hpo_config.json --yes --detach`
    """
    from cli import experiment_input, experiment_plan, experiment_start, experiment_watch  # noqa: PLC0415 - not for --help
    from flywheel.domain.experiment_file import ExperimentFileError  # noqa: PLC0415

    session: Session = ctx.obj
    try:
        given = experiment_input.read_file(session, file)
    except ExperimentFileError as error:
        experiment_input.print_problems(error, as_json=as_json)
        raise typer.Exit(EXIT_NO) from None
    preview = experiment_plan.preview_experiment(session, given.file)
    if not (dry_run and as_json):
        experiment_plan.print_preview(Console(stderr=as_json), preview)
    if dry_run and as_json:
        print(json.dumps(preview.to_dict(), indent=1, ensure_ascii=False))
    if preview.refused:
        raise typer.Exit(EXIT_NO)
    if dry_run:
        return
    if (question := preview.question()) is not None and not yes:
        if not sys.stdin.isatty():
            raise CommandError(f"{question} Say --yes to start it all the same, or change the file.")
        if not typer.confirm(f"{question} Start it?"):
            print("nothing was started", file=sys.stderr)
            raise typer.Exit(EXIT_NO)
    experiment_id = experiment_start.request_experiment(session, given)
    if detach:
        experiment_start.print_started(experiment_id, as_json=as_json)
        return
    raise typer.Exit(experiment_watch.watch(session, experiment_id, timeout_s=timeout, as_json=as_json))


@app.command()
def save(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and hyphens.", metavar="NAME")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE")],
    as_json: JsonFlag = False,
) -> None:
    """Keep a file under a name, for a schedule or Langfuse's button to start it; replaces what had that name.

    Exit code 1: the file is wrong, and nothing was saved.

    Example: `flywheel experiment save nightly dataset/experiment.json`
    """
    from cli import experiment_input  # noqa: PLC0415 - what `--help` does not need
    from flywheel.domain.experiment_file import ExperimentFileError  # noqa: PLC0415

    try:
        saved = experiment_input.save_file(ctx.obj, name, file)
    except ExperimentFileError as error:
        experiment_input.print_problems(error, as_json=as_json)
        raise typer.Exit(EXIT_NO) from None
    print(
        json.dumps({"name": saved.name}) if as_json else f"saved as {saved.name}: flywheel experiment run {saved.name}"
    )


@app.command()
def watch(
    ctx: typer.Context,
    experiment_id: ExperimentId = "latest",
    timeout: Timeout = _TIMEOUT_S,
    as_json: JsonFlag = False,
) -> None:
    """Follow an experiment until its end: a bar for each rung, who was stopped and why, what it cost so far.

    Exit code 0 completed, 1 refused, 2 stopped, broken or an error.

    Example: `flywheel experiment watch latest`
    """
    from cli import experiment_watch  # noqa: PLC0415 - what `--help` does not need

    raise typer.Exit(experiment_watch.watch(ctx.obj, experiment_id, timeout_s=timeout, as_json=as_json))


@app.command("list")
def list_experiments(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest first.")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """Show the newest experiments: outcome, rung, recommended configuration.

    Example: `flywheel experiment list --limit 5 --json`
    """
    from cli import experiment_view  # noqa: PLC0415 - what `--help` does not need

    session: Session = ctx.obj
    rows = session.experiments.recent(limit)
    if as_json:
        print(json.dumps([experiment_view.row_to_dict(row) for row in rows], indent=1))
    elif rows:
        Console().print(experiment_view.experiments_table(rows))
    else:
        print("no experiments yet; next: flywheel experiment run FILE")


@app.command()
def show(ctx: typer.Context, experiment_id: ExperimentId = "latest", as_json: JsonFlag = False) -> None:
    """Show one experiment: the recommended configuration with the reason, the Pareto set, who was stopped and why.

    Example: `flywheel experiment show latest --json`
    """
    from cli import experiment_view  # noqa: PLC0415 - what `--help` does not need

    session: Session = ctx.obj
    row = experiment_view.find_experiment(session, experiment_id)
    report = experiment_view.report_of(session, row)
    if as_json:
        print(
            json.dumps(
                experiment_view.row_to_dict(row) | {"report": experiment_view.report_to_dict(report)},
                indent=1,
                ensure_ascii=False,
            )
        )
    else:
        experiment_view.print_experiment(Console(), row, report)


@app.command()
def report(
    ctx: typer.Context,
    experiment_id: ExperimentId = "latest",
    open_it: Annotated[
        bool | None,
        typer.Option(
            "--open/--no-open", help="Open it in the browser. Default: only at a terminal.", show_default=False
        ),
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder to put `<id>/report.html` and `.json` into.")] = Path(
        "build/reports"
    ),
    as_json: JsonFlag = False,
) -> None:
    """Fetch an experiment's report and open it.

    Example: `flywheel experiment report latest --no-open`
    """
    from cli import experiment_view  # noqa: PLC0415 - what `--help` does not need

    session: Session = ctx.obj
    row = experiment_view.find_experiment(session, experiment_id)
    page, data = experiment_view.fetch_report(session, row, output)
    if as_json:
        print(json.dumps({"experiment_id": row.experiment_id, "html": str(page), "json": str(data)}))
    else:
        print(page)
    if sys.stdout.isatty() if open_it is None else open_it:
        typer.launch(page.resolve().as_uri())


@app.command()
def stop(
    ctx: typer.Context,
    experiment_id: ExperimentId,
    reason: Annotated[str, typer.Option(help="Why; kept with the execution.")] = "by hand",
    as_json: JsonFlag = False,
) -> None:
    """Stop an experiment. What was measured is kept, its runtimes are deleted, and it can be resumed.

    Example: `flywheel experiment stop latest`
    """
    from cli import experiment_start, experiment_view  # noqa: PLC0415 - what `--help` does not need

    session: Session = ctx.obj
    row = experiment_view.find_experiment(session, experiment_id)
    experiment_start.stop(session, row, reason)
    if as_json:
        print(json.dumps({"experiment_id": row.experiment_id, "stopped": True}))
        return
    print(f"stopped experiment {row.experiment_id}; its runtimes are deleted, what it measured is kept")
    print(f"next: flywheel experiment resume {row.experiment_id}")


@app.command()
def resume(
    ctx: typer.Context,
    experiment_id: ExperimentId = "latest",
    detach: Detach = False,
    timeout: Timeout = _TIMEOUT_S,
    as_json: JsonFlag = False,
) -> None:
    """Go on with an experiment that was stopped or broke: its plan stands, and what it measured. Exit codes as `watch`.

    Example: `flywheel experiment resume 0123abcd`
    """
    from cli import experiment_start, experiment_view, experiment_watch  # noqa: PLC0415 - what `--help` does not need

    session: Session = ctx.obj
    row = experiment_view.find_experiment(session, experiment_id)
    attempt = experiment_start.resume(session, row)
    if detach:
        experiment_start.print_started(row.experiment_id, as_json=as_json)
        return
    found = experiment_watch.watch(session, row.experiment_id, timeout_s=timeout, as_json=as_json, attempt=attempt)
    raise typer.Exit(found)


@app.command()
def promote(
    ctx: typer.Context,
    experiment_id: ExperimentId = "latest",
    *,
    configuration: Annotated[
        str | None, typer.Option(help="Another than the recommended one, such as `c07`.", show_default=False)
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Ask the gate although the experiment speaks against it.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what the gate would be asked; ask nothing.")] = False,
    watch_it: Annotated[bool, typer.Option("--watch", help="Follow the gate until its verdict.")] = False,
    timeout: Timeout = 1800,
    as_json: JsonFlag = False,
) -> None:
    """Ask the gate for what the experiment chose: the gate decides, not the search.

    Exit code 0 when it was asked for, 1 when the experiment speaks against it (see --force); with --watch that of
    `gate watch`.

    Examples: `flywheel experiment promote latest --watch`, `flywheel experiment promote 0123abcd --configuration c07`
    """
    from cli import experiment_promote, experiment_view, gate_watch  # noqa: PLC0415 - what `--help` does not need

    session: Session = ctx.obj
    row = experiment_view.find_experiment(session, experiment_id)
    it = experiment_promote.plan_promotion(session, row, configuration)
    for doubt in it.doubts:
        print(f"against it: {doubt}", file=sys.stderr)
    if it.doubts and not force:
        print("nothing was asked; --force asks the gate all the same", file=sys.stderr)
        raise typer.Exit(EXIT_NO)
    if not dry_run:
        experiment_promote.send(session, it)
    if watch_it and not dry_run:
        raise typer.Exit(gate_watch.watch(session, it.gate_id, timeout_s=timeout, as_json=as_json))
    if as_json:
        print(json.dumps(it.to_dict() | {"asked": not dry_run}, ensure_ascii=False))
        return
    print(f"{it.configuration.configuration_id}: {it.configuration.label}")
    print("nothing was asked (--dry-run)" if dry_run else f"asked for gate {it.gate_id}")
    if not dry_run:
        print(f"next: flywheel gate watch {it.gate_id}")
