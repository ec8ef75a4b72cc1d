"""`flywheel doctor`: account, stack, Langfuse and models looked at; nothing is changed."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cli.doctor_findings import GROUPS, Finding, as_document, exit_code
from cli.problems import CommandError

if TYPE_CHECKING:
    from rich.console import Console

    from cli.session import Session


def doctor(  # noqa: PLR0917 - one option each
    ctx: typer.Context,
    before_deploy: Annotated[
        bool, typer.Option("--before-deploy", help="Look at the account only, as if there were no stack yet.")
    ] = False,
    only: Annotated[str, typer.Option(help=f"Only these groups, comma-separated: {', '.join(GROUPS)}.")] = "",
    show_all: Annotated[bool, typer.Option("--all", help="Show what is in order as well.")] = False,
    timeout: Annotated[float, typer.Option(min=1, max=600, help="Seconds for each check.")] = 30,
    gate: Annotated[
        bool, typer.Option("--gate", help="Then send one small gate of what is in production through everything.")
    ] = False,
    gate_timeout: Annotated[float, typer.Option(min=1, help="With --gate: seconds to follow it at most.")] = 1800,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts: all findings.")] = False,
) -> None:
    """Find what would stop a deployment or a gate, before and after the first deployment. It changes nothing.

    Only --gate does something: it asks three golden questions and promotes nothing; the gate cleans up after itself.

    Each line is `ok`, `wrong` with the command or click that mends it, or `cannot be known` with the reason.
    Exit codes: 0 nothing is wrong, 1 something is, 2 the doctor could not look.

    Examples: `flywheel --target aws doctor --before-deploy`, `flywheel doctor --all`,
    `flywheel doctor --only quotas,langfuse --json`, `flywheel doctor --gate`
    """
    groups = _groups(only)
    findings, when = examine(ctx.obj, before_deploy=before_deploy, groups=groups, timeout_s=timeout)
    if gate and when == "before":
        raise CommandError("--gate needs a deployed stack: leave --before-deploy out, and deploy first")
    if gate:
        from cli import doctor_gate  # noqa: PLC0415 - boto3

        findings.append(doctor_gate.send(ctx.obj, timeout_s=gate_timeout, show=_progress))
    if as_json:
        print(json.dumps(as_document(ctx.obj.target.stack, when, findings), ensure_ascii=False))
    else:
        from rich.console import Console  # noqa: PLC0415 - what `--help` does not need

        show(Console(), findings, show_all=show_all)
    raise typer.Exit(exit_code(findings))


def examine(
    session: "Session", *, before_deploy: bool = False, groups: Sequence[str] = GROUPS, timeout_s: float = 30
) -> tuple[list[Finding], str]:
    """All findings, and whether they are of `before` or `after` the deployment.

    Raises:
        CommandError: there is neither such a stack nor one that samconfig.toml would deploy.
    """
    from cli import doctor_plan, doctor_run  # noqa: PLC0415 - boto3
    from cli.doctor_clients import reading_clients  # noqa: PLC0415

    target = session.target  # first: it says where boto3 goes
    clients, local = reading_clients(), target.kind == "local"
    if before_deploy or not _deployed(session):
        checks = list(doctor_plan.before(target.stack, clients, doctor_plan.planned(target.stack), local=local))
        when = "before"
    else:
        checks, when = list(doctor_plan.after(session, clients)), "after"
    chosen = [check for check in checks if check.group in groups]
    began = _progress if sys.stderr.isatty() else _silent
    return doctor_run.run(chosen, timeout_s=timeout_s, began=began), when


def show(console: "Console", findings: Sequence[Finding], *, show_all: bool) -> None:
    """A table of what is not in order, or of all; then each mend, ready to be copied."""
    from rich.markup import escape  # noqa: PLC0415 - what `--help` does not need
    from rich.table import Table  # noqa: PLC0415

    from flywheel.report.text import showable  # noqa: PLC0415

    shown = [found for found in findings if show_all or found.status != "ok"]
    if shown:
        table = Table("group", "what", "status", "")
        for found in shown:
            style = _STYLES[found.status]
            words = (escape(showable(text)) for text in (found.title, found.detail))
            title, detail = words
            table.add_row(found.group, title, f"[{style}]{found.status}[/]", detail)
        console.print(table)
    for found in findings:
        if found.mend:
            said = f"{found.title}: {found.mend}"
            console.print(escape(showable(said)), highlight=False, soft_wrap=True)
    console.print(summary(findings), highlight=False)


def summary(findings: Sequence[Finding]) -> str:
    """How many are what: `52 ok, 1 wrong, 4 cannot be known`."""
    counts = {status: sum(found.status == status for found in findings) for status in _STYLES}
    return ", ".join(f"{count} {status}" for status, count in counts.items())


_STYLES = {"ok": "green", "wrong": "red", "cannot be known": "yellow"}


def _groups(only: str) -> tuple[str, ...]:
    named = tuple(name.strip() for name in only.split(",") if name.strip())
    if unknown := [name for name in named if name not in GROUPS]:
        raise CommandError(f"--only {unknown[0][:40]!r}: there is no such group; there are: {', '.join(GROUPS)}")
    return named or GROUPS


def _deployed(session: "Session") -> bool:
    try:
        return bool(session.facts.stack)
    except CommandError as error:
        if "there is no stack" not in str(error):
            raise
        return False


def _progress(title: str) -> None:
    print(title, file=sys.stderr)


def _silent(title: str) -> None:
    del title
