"""`flywheel gate ...`: the commands; what they do is in the modules named beside them."""

import getpass
import json
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from cli.gate_decide import approve, reject
from cli.gate_options import GateId, JsonFlag
from cli.problems import EXIT_NO, CommandError
from cli.session import Session

if TYPE_CHECKING:
    from flywheel.rollback import RolledBack

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="Judge an image, and look at judgements.")

Timeout = Annotated[float, typer.Option(min=1, help="Seconds to watch at most.")]


@app.command()
def start(
    ctx: typer.Context,
    *,
    image: Annotated[str, typer.Option(help="Image URI, digest or tag; or `production`, what runs there now.")],
    prompt: Annotated[str | None, typer.Option(help="Prompt in Langfuse, `name:version`.")] = None,
    promote: Annotated[bool, typer.Option(help="Put it into production if it passes.")] = True,
    annotate: Annotated[
        bool, typer.Option("--annotate", help="Unless it passes, ask people about the answers that decided it.")
    ] = False,
    baseline: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100,
            help="Ask every item so often and keep the answers, for a cached incumbent or as anchor; promotes nothing.",
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="Judge by this dataset instead of the stack's own; promotes nothing.", show_default=False),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Watch it until its verdict.")] = False,
    timeout: Timeout = 1800,
    as_json: JsonFlag = False,
) -> None:
    """Ask for a gate. Exit code 0 when it was asked for; with --wait that of `gate watch`.

    Examples: `flywheel gate start --image v1.8.0 --prompt docs-agent:4 --wait`,
    `flywheel gate start --image production --baseline 3`
    """
    from cli import gate_start, gate_watch  # noqa: PLC0415 - what `--help` does not need

    session: Session = ctx.obj
    requested = gate_start.request_gate(
        session, image, prompt=prompt, promote=promote, annotate=annotate, baseline=baseline, dataset=dataset
    )
    if wait:
        raise typer.Exit(gate_watch.watch(session, requested.gate_id, timeout_s=timeout, as_json=as_json))
    if as_json:
        print(json.dumps({"gate_id": requested.gate_id, "image": image, "promote": requested.promote}))
        return
    print(f"asked for gate {requested.gate_id}")
    print(f"next: flywheel gate watch {requested.gate_id}")


@app.command()
def watch(
    ctx: typer.Context,
    gate_id: GateId = "latest",
    timeout: Timeout = 1800,
    as_json: JsonFlag = False,
) -> None:
    """Follow a gate until its verdict. Exit code 0 PASS or approved, 1 FAIL, 2 INCONCLUSIVE or an error.

    A gate that is held says until when and how to decide it, and is followed on; with --json in a line of its own.

    A digest names the newest gate of that image; `TAG@digest`, which `flywheel push` prints, that push's gate alone.

    Example: `flywheel gate watch sha256:0123456789ab`
    """
    from cli import gate_watch  # noqa: PLC0415 - what `--help` does not need

    raise typer.Exit(gate_watch.watch(ctx.obj, gate_id, timeout_s=timeout, as_json=as_json))


@app.command("list")
def list_gates(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest first.")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """Show the newest gates: image, verdict, first reason, whether it went to production.

    Example: `flywheel gate list --limit 5 --json`
    """
    from cli import gate_view  # noqa: PLC0415 - what `--help` does not need

    session: Session = ctx.obj
    rows = session.gates.recent(limit)
    if as_json:
        print(json.dumps([gate_view.row_to_dict(row) for row in rows], indent=1))
    elif rows:
        Console().print(gate_view.gates_table(rows))
    else:
        print("no gates yet; next: flywheel push, or flywheel gate start --image TAG")


@app.command()
def show(ctx: typer.Context, gate_id: GateId = "latest", as_json: JsonFlag = False) -> None:
    """Show one gate: what was tested, its verdict with every reason, where the report is.

    Example: `flywheel gate show latest --json`
    """
    from cli import gate_reviews, gate_view  # noqa: PLC0415 - what `--help` does not need

    session: Session = ctx.obj
    row = gate_view.find_gate(session, gate_id)
    verdict = gate_view.verdict_of(session, row)
    asked = gate_reviews.standing(session, row.gate_id)
    if as_json:
        said = gate_view.row_to_dict(row) | {"verdict_detail": verdict, "reviews": asked}
        print(json.dumps(said, indent=1, ensure_ascii=False))
        return
    gate_view.print_gate(Console(), row, verdict)
    if asked is not None:
        print(gate_reviews.standing_line(row.gate_id, asked))


@app.command()
def report(
    ctx: typer.Context,
    gate_id: GateId = "latest",
    open_it: Annotated[
        bool | None,
        typer.Option(
            "--open/--no-open", help="Open it in the browser. Default: only at a terminal.", show_default=False
        ),
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder to put `<gate id>/report.html` and `.json` into.")] = Path(
        "build/reports"
    ),
    as_json: JsonFlag = False,
) -> None:
    """Fetch a gate's report and open it.

    Example: `flywheel gate report latest --no-open`
    """
    from cli import gate_view  # noqa: PLC0415 - what `--help` does not need

    session: Session = ctx.obj
    row = gate_view.find_gate(session, gate_id)
    page, data = gate_view.fetch_report(session, row, output)
    if as_json:
        print(json.dumps({"gate_id": row.gate_id, "html": str(page), "json": str(data)}))
    else:
        print(page)
    if sys.stdout.isatty() if open_it is None else open_it:
        typer.launch(page.resolve().as_uri())


@app.command()
def annotate(ctx: typer.Context, gate_id: GateId = "latest", as_json: JsonFlag = False) -> None:
    """Ask people about the answers that decided a gate, in an annotation queue of Langfuse; each is asked about once.

    Of a gate that passed, a random share is asked about: it shows how far the judge can be trusted.

    Example: `flywheel gate annotate latest`
    """
    from cli import gate_reviews, gate_view  # noqa: PLC0415 - what `--help` does not need

    session: Session = ctx.obj
    row = gate_view.find_gate(session, gate_id)
    asked = gate_reviews.annotate(session, row)
    if as_json:
        print(json.dumps(gate_reviews.annotation_to_dict(row.gate_id, asked), indent=1, ensure_ascii=False))
    else:
        gate_reviews.print_annotation(Console(), row.gate_id, asked)


@app.command()
def reviews(
    ctx: typer.Context,
    gate_id: GateId = "latest",
    wait: Annotated[bool, typer.Option("--wait", help="Wait until no answer of the gate waits for a person.")] = False,
    timeout: Timeout = 1800,
    as_json: JsonFlag = False,
) -> None:
    """Bring back what people said of a gate's answers: into its evidence, and as the verdict that would follow.

    The verdict stays. Exit code 0 when nothing is open, 1 while answers wait, 2 when nobody was asked.

    Example: `flywheel gate reviews latest --wait --json`
    """
    from cli import gate_reviews, gate_view  # noqa: PLC0415 - what `--help` does not need

    session: Session = ctx.obj
    row = gate_view.find_gate(session, gate_id)
    if wait:
        gate_reviews.wait(session, row, timeout)
    collected = gate_reviews.collect(session, row)
    if as_json:
        print(json.dumps(gate_reviews.collected_to_dict(collected, row), indent=1, ensure_ascii=False))
    else:
        gate_reviews.print_collected(Console(), collected, row)
    if collected.open:
        raise typer.Exit(EXIT_NO)


@app.command()
def rollback(
    ctx: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would happen, change nothing.")] = False,
    reason: Annotated[str, typer.Option(help="Why; recorded with the release.")] = "by hand",
    as_json: JsonFlag = False,
) -> None:
    """Move production back to the release before. Shows from and to first. Exit code 1: not done.

    Example: `flywheel gate rollback --dry-run`
    """
    from cli import gate_view  # noqa: PLC0415 - what `--help` does not need
    from flywheel.rollback import plan_rollback  # noqa: PLC0415

    session: Session = ctx.obj
    said = sys.stderr if as_json else sys.stdout
    if not dry_run and (finished := session.finish_rollback()):
        print("a rollback before was cut off after production had moved: announced now, no other made", file=said)
        _rolled_back(finished, {}, as_json=as_json)
        return
    plan = plan_rollback(session.releases)
    print(f"from {gate_view.release_line(plan.current)}", file=said)
    print(f"to   {gate_view.release_line(plan.target)}", file=said)
    outcome = {"from_release": plan.current.release_no, "to_digest": plan.target.candidate.image_digest}
    if dry_run:
        print(json.dumps(outcome | {"done": False}) if as_json else "nothing was changed (--dry-run)")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise CommandError("a rollback asks before it changes production: say --yes to do it from a script")
        if not typer.confirm("Move production back?"):
            print("nothing was changed", file=said)
            raise typer.Exit(EXIT_NO)
    done = session.roll_back(plan, by=f"{getpass.getuser()}@{socket.gethostname()}", reason=reason)
    _rolled_back(done, outcome, as_json=as_json)


def _rolled_back(done: "RolledBack", outcome: dict[str, Any], *, as_json: bool) -> None:
    from cli import gate_view  # noqa: PLC0415 - what `--help` does not need

    if as_json:
        told = {"done": True, "release": done.release.release_no, "label_trouble": done.label_trouble}
        print(json.dumps(outcome | told))
    else:
        print(f"done: {gate_view.release_line(done.release)}")
    if done.label_trouble is not None:
        print(
            f"the label production in Langfuse did not follow: {done.label_trouble}; give it to that version by hand",
            file=sys.stderr,
        )


@app.command()
def anchor(
    ctx: typer.Context,
    *,
    release: Annotated[int | None, typer.Option(min=1, help="Hold candidates against this release.")] = None,
    oldest: Annotated[bool, typer.Option("--oldest", help="Against the oldest whose answers can be used.")] = False,
    off: Annotated[bool, typer.Option("--off", help="Against none.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be set, change nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show or move the anchor: the release that no candidate may be worse than, however many small steps there were.

    Who moved it, and when, is recorded with it. How much worse it may be is `anchor_margin` of the policy.

    Example: `flywheel gate anchor --release 12`
    """
    from cli import gate_anchor  # noqa: PLC0415 - what `--help` does not need

    session: Session = ctx.obj
    wanted = [one for one in (release, "oldest" if oldest else None, "off" if off else None) if one is not None]
    if len(wanted) > 1:
        raise CommandError("say one of --release, --oldest and --off")
    if not wanted:
        view = gate_anchor.read(session)
        print(json.dumps(view.to_dict(), indent=1) if as_json else "\n".join(gate_anchor.lines(view)))
        return
    by = f"{getpass.getuser()}@{socket.gethostname()}"
    setting = gate_anchor.set_anchor(session, wanted[0], by=by, dry_run=dry_run)
    if as_json:
        print(json.dumps({"anchor": setting.model_dump(), "done": not dry_run}))
    else:
        print(f"anchor  {gate_anchor.in_words(setting)}")
        print("nothing was changed (--dry-run)" if dry_run else "from the next gate on")


@app.command()
def plan(
    ctx: typer.Context,
    dataset: Annotated[
        str | None, typer.Option(help="Dataset in Langfuse; the stack's own when left out.", show_default=False)
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what a gate would do now: invocations and cost, for today's dataset, policy and production.

    Examples: `flywheel gate plan --json`, `flywheel gate plan --dataset holidays`
    """
    from cli import gate_plan  # noqa: PLC0415 - what `--help` does not need

    preview = gate_plan.preview_gate(ctx.obj, dataset)
    if as_json:
        print(json.dumps(preview.to_dict(), indent=1))
    else:
        gate_plan.print_preview(Console(), preview)


app.command()(approve)
app.command()(reject)
