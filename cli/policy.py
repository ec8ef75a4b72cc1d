"""`flywheel policy ...`: by which rules the gates of an environment decide."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.problems import EXIT_NO, CommandError
from cli.session import Session

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="What a candidate must reach and a gate may cost: show it, check a file, change it.",
)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
_LARGEST_FILE = 1_000_000


@app.command()
def show(
    ctx: typer.Context,
    changed: Annotated[bool, typer.Option("--changed", help="Only what differs from the packaged policy.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show the policy of the next gate: every value, and whether this environment sets it.

    Exit code 2: the setting is no policy; every problem is named. What a key means: docs/architecture.md.

    Examples: `flywheel policy show`, `flywheel policy show --changed --json`
    """
    from cli import policy_setting  # noqa: PLC0415 - what `--help` does not need
    from flywheel.domain.policy import load_default_policy  # noqa: PLC0415

    session: Session = ctx.obj
    values = policy_setting.flat(policy_setting.effective_policy(session))
    packaged = policy_setting.flat(load_default_policy())
    rows = {name: value for name, value in values.items() if not changed or packaged.get(name) != value}
    if as_json:
        print(json.dumps({"parameter": policy_setting.where(session), "values": rows}, indent=1))
        return
    table = Table("policy", "value", "packaged", box=None, pad_edge=False, header_style="dim")
    for name, value in rows.items():
        own = name not in packaged or packaged[name] != value
        table.add_row(name, json.dumps(value), json.dumps(packaged[name]) if own and name in packaged else "")
    console = Console()
    console.print(table)
    said = f"set in {policy_setting.where(session)}; change it: flywheel policy set NAME=VALUE"
    console.print(said, highlight=False, soft_wrap=True)


@app.command()
def check(
    file: Annotated[
        Path, typer.Argument(help="JSON file of what differs from the packaged policy; `-`: standard input.")
    ],
    as_json: JsonFlag = False,
) -> None:
    """Check a policy file without a stack: unknown keys, wrong values, contradictions, all at once.

    Exit code 1: it is wrong.

    Example: `flywheel policy check policy.json`
    """
    from cli import policy_setting  # noqa: PLC0415 - what `--help` does not need
    from flywheel.errors import InvalidRequestError  # noqa: PLC0415

    try:
        policy_setting.checked(_file(file))
    except InvalidRequestError as error:
        if as_json:
            print(json.dumps({"valid": False, "problem": str(error)}))
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(EXIT_NO) from None
    print(json.dumps({"valid": True}) if as_json else f"{file}: a valid policy")


@app.command("set")
def set_values(
    ctx: typer.Context,
    *,
    values: Annotated[list[str] | None, typer.Argument(help="NAME=VALUE; the value is JSON or text.")] = None,
    unset: Annotated[list[str] | None, typer.Option("--unset", help="Name that gets its packaged value again.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Replace all that this environment sets by a JSON file; `-`: stdin.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and show, change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Change the policy of this environment. The next gate decides by it; gates that run keep theirs.

    What would be no valid policy is refused with every problem, and nothing is changed (exit code 1).

    Examples: `flywheel policy set margin=0.05 minima.correctness=0.8 --dry-run`,
    `flywheel policy set on_inconclusive=hold --unset latency_p95_ms`, `flywheel policy set --file policy.json`
    """
    from cli import policy_setting  # noqa: PLC0415 - what `--help` does not need
    from flywheel.errors import InvalidRequestError  # noqa: PLC0415

    session: Session = ctx.obj
    if not (values or unset or file):
        raise CommandError("nothing to set: give NAME=VALUE, --unset NAME or --file FILE")
    before = {} if file else policy_setting.stored_overrides(session)
    wanted = policy_setting.with_changes(
        _file(file) if file else before, [policy_setting.parse_assignment(v) for v in values or ()], unset or ()
    )
    try:
        after = policy_setting.checked(wanted)
    except InvalidRequestError as error:
        print(f"error: {error}; nothing was changed", file=sys.stderr)
        raise typer.Exit(EXIT_NO) from None
    differences = _differences(session, policy_setting.flat(after))
    text = policy_setting.to_text(wanted)
    console = Console(stderr=as_json)
    for name, (old, new) in differences.items():
        console.print(f"{name}: {json.dumps(old)} -> {json.dumps(new)}", markup=False, highlight=False, soft_wrap=True)
    write = bool(differences) and not dry_run
    if write and not yes and sys.stdin.isatty() and not typer.confirm(f"Write {policy_setting.where(session)}?"):
        console.print("nothing was changed")
        raise typer.Exit(EXIT_NO)
    if write:
        session.settings.put(policy_setting.SETTING, text)
    if as_json:
        changes = {name: {"before": old, "after": new} for name, (old, new) in differences.items()}
        print(json.dumps({"changed": changes, "written": write, "overrides": wanted}))
    elif not differences:
        console.print("nothing differs from what is set; nothing was changed")
    else:
        console.print("nothing was changed (--dry-run)" if dry_run else "written; next: flywheel gate plan")


def _differences(session: Session, after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What the next gate would do otherwise; against the packaged policy where the setting cannot be read."""
    from cli import policy_setting  # noqa: PLC0415 - what `--help` does not need
    from flywheel.domain.policy import load_default_policy  # noqa: PLC0415

    try:
        before = policy_setting.flat(policy_setting.effective_policy(session))
    except CommandError:
        before = policy_setting.flat(load_default_policy()) | {policy_setting.SETTING: "not valid"}
    names = [*before, *(name for name in after if name not in before)]
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


def _file(file: Path) -> dict[str, Any]:
    try:
        text = sys.stdin.read(_LARGEST_FILE) if str(file) == "-" else file.read_text("utf-8")
        found = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise CommandError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise CommandError(f"{file} holds no JSON object of policy keys and values")
    return found
