"""`flywheel traffic ...`: synthetic users against production; what is done is in the modules named beside them."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli.problems import EXIT_ERROR, EXIT_NO, CommandError
from cli.session import Session

if TYPE_CHECKING:
    from cli.traffic_run import Preview
    from flywheel.domain.traffic_report import TrafficReport

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Send synthetic users to production, and look at their runs.",
)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Output = Annotated[Path, typer.Option(help="Folder for the page with the plot.")]
_PAGES = Path("build/traffic")


class Profile(StrEnum):
    CONSTANT = "constant"
    RAMP = "ramp"
    BURST = "burst"


@app.command()
def run(
    ctx: typer.Context,
    *,
    profile: Annotated[Profile | None, typer.Option(help="How the rate goes.", show_default=False)] = None,
    rate: Annotated[float | None, typer.Option(help="Users a minute (of a ramp: at its end).")] = None,
    duration: Annotated[float | None, typer.Option(help="Seconds, 600 at most.")] = None,
    users: Annotated[
        list[str] | None,
        typer.Option(
            help="Personas file, or a load_config.json; may be repeated, a later persona replaces one of its name. "
            "`default` is the packaged file."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="The same seed sends the same users at the same times.")
    ] = None,
    max_usd: Annotated[float | None, typer.Option(help="No turn begins that could cost more than this in all.")] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Conversations at once; who comes then is turned away and counted.")
    ] = None,
    think: Annotated[float | None, typer.Option(min=0, help="Seconds that a person reads before asking on.")] = None,
    fan_out: Annotated[
        int | None, typer.Option(min=1, max=40, help="Send from so many workers of the stack instead of this machine.")
    ] = None,
    wait: Annotated[bool, typer.Option(help="With --fan-out: wait for the report.")] = True,
    max_p95_ms: Annotated[
        int | None, typer.Option(min=1, help="Exit code 1 when the 95th percentile is above.")
    ] = None,
    min_success: Annotated[
        float | None, typer.Option(min=0, max=1, help="Exit code 1 when the success rate is below.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent and cost; send nothing.")] = False,
    output: Output = _PAGES,
    as_json: JsonFlag = False,
) -> None:
    """Send synthetic users to the agent in production; open loop: a slow agent does not slow them down.

    What is not given here comes from the SSM parameter `traffic`, else from the package. Exit code 0 done, 1 a limit
    was not met, 2 an error or stopped by Ctrl-C. Their traces carry the tag `synthetic` and the run's own.

    Examples: `flywheel traffic run --rate 30 --duration 60 --max-usd 0.5`,
    `flywheel traffic run --profile ramp --rate 120 --duration 300 --fan-out 4 --max-p95-ms 8000`,
    `flywheel traffic run --users load_config.json --dry-run`
    """
    from cli import traffic_run, traffic_view  # noqa: PLC0415 - what `--help` does not need

    session: Session = ctx.obj
    typed = {
        "profile": None if profile is None else profile.value,
        "rate_per_minute": rate,
        "duration_s": duration,
        "seed": seed,
        "max_usd": max_usd,
        "concurrency": concurrency,
        "think_s": think,
    }
    overrides = {name: value for name, value in typed.items() if value is not None}
    given = traffic_run.read_users(users or [])
    settings = traffic_run.settings_for(session, overrides, parts=fan_out)
    if dry_run:
        _print_preview(traffic_run.preview(session, settings, given), as_json=as_json)
        return
    if fan_out is not None:
        run_id, report = traffic_run.fan_out(session, settings, overrides, given, wait=wait)
        if report is None:
            print(json.dumps({"run_id": run_id}) if as_json else f"started {run_id}")
            print(f"next: flywheel traffic show {run_id}", file=sys.stderr)
            return
    else:
        report = traffic_run.run_here(session, settings, overrides, given)
    page = traffic_view.write_page(report, output)
    _print_report(report, page, as_json=as_json)
    if "cancelled" in report.stopped_by or report.missing_parts or report.facts.failure:
        raise typer.Exit(EXIT_ERROR)
    problems = missed(report, max_p95_ms, min_success)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        raise typer.Exit(EXIT_NO)


@app.command("list")
def list_runs(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, the newest first.")] = 10,
    as_json: JsonFlag = False,
) -> None:
    """Show the newest runs: load, turns, success, response time, harmful questions answered, cost.

    Example: `flywheel traffic list --limit 5`
    """
    from cli import traffic_view  # noqa: PLC0415 - what `--help` does not need
    from flywheel.domain.traffic_report import dump_report  # noqa: PLC0415
    from flywheel.errors import NotFoundError  # noqa: PLC0415
    from flywheel.traffic.reporting import read_report, run_ids  # noqa: PLC0415

    session: Session = ctx.obj
    found: list[TrafficReport | str] = []
    for run_id in run_ids(session.objects)[:limit]:
        try:
            found.append(read_report(session.objects, run_id))
        except NotFoundError:
            found.append(run_id)
    if as_json:
        print(json.dumps([{"run_id": one} if isinstance(one, str) else json.loads(dump_report(one)) for one in found]))
    elif found:
        Console().print(traffic_view.runs_table(found))
    else:
        print("no runs yet; next: flywheel traffic run --dry-run")


@app.command()
def show(
    ctx: typer.Context,
    run_id: Annotated[str, typer.Argument(help="A run's id, or `latest`.")] = "latest",
    output: Output = _PAGES,
    as_json: JsonFlag = False,
) -> None:
    """Show one run, and write its page with response times over time.

    Example: `flywheel traffic show latest`
    """
    from cli import traffic_view  # noqa: PLC0415 - what `--help` does not need
    from flywheel.errors import NotFoundError  # noqa: PLC0415
    from flywheel.traffic.reporting import read_report, run_ids  # noqa: PLC0415

    session: Session = ctx.obj
    if run_id == "latest":
        known = run_ids(session.objects)
        if not known:
            raise CommandError("no runs yet; next: flywheel traffic run --dry-run")
        run_id = known[0]
    try:
        report = read_report(session.objects, run_id)
    except NotFoundError as error:
        raise CommandError(f"{run_id} has no report: it still runs, or never was; `flywheel traffic list`") from error
    _print_report(report, traffic_view.write_page(report, output), as_json=as_json)


def missed(report: "TrafficReport", max_p95_ms: int | None, min_success: float | None) -> list[str]:
    """Limits that the run did not keep; a run without answers keeps none."""
    problems = []
    p95 = None if report.latency is None else report.latency.p95_ms
    if max_p95_ms is not None and (p95 is None or p95 > max_p95_ms):
        problems.append(f"95th percentile: {'no answer' if p95 is None else f'{p95} ms'}, allowed {max_p95_ms} ms")
    share = report.success_rate
    if min_success is not None and (share is None or share < min_success):
        problems.append(f"success: {'nothing sent' if share is None else f'{share:.4f}'}, required {min_success:g}")
    return problems


def _print_report(report: "TrafficReport", page: Path, *, as_json: bool) -> None:
    from cli import traffic_view  # noqa: PLC0415 - what `--help` does not need
    from flywheel.domain.traffic_report import dump_report  # noqa: PLC0415

    if as_json:
        print(json.dumps(json.loads(dump_report(report)) | {"page": str(page)}, indent=1))
        return
    traffic_view.print_report(Console(), report)
    print(f"page        {page}")


def _print_preview(preview: "Preview", *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(preview.to_dict(), indent=1))
        return
    cost = "not known: its model has no price" if preview.cost_usd is None else f"about ${preview.cost_usd:.4f}"
    print(f"load        {preview.profile}; seed {preview.seed}")
    print(f"users       {preview.arrivals}, at most {preview.concurrency} at once")
    print(f"turns       at most {preview.turns}; {preview.harmful} conversations begin with a harmful question")
    for line in preview.notes:
        print(f"            {line}")
    print(f"cost        {cost} with {preview.model_id or 'no agent in production'}; stops at ${preview.max_usd:g}")
    for name, count in preview.by_persona.items():
        print(f"            {count:5} {name}")
    print("nothing was sent (--dry-run)")
