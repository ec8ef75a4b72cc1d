"""`flywheel gate approve` and `reject`: a person decides a held gate."""

import getpass
import socket
from typing import Annotated

import typer

from cli.gate_options import GateId, JsonFlag

Reason = Annotated[str, typer.Option(help="Why; kept in the record, the evidence and the events.")]
By = Annotated[
    str | None, typer.Option(help="Who decides, for people to read. Default: user@host.", show_default=False)
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would happen, change nothing.")]


def approve(
    ctx: typer.Context,
    gate_id: GateId,
    *,
    reason: Reason,
    by: By = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: JsonFlag = False,
) -> None:
    """Put the candidate of a held gate into production. Shows the evidence first. Exit code 1: not approved.

    Example: `flywheel gate approve 0123abcd --reason "I read the answers of both"`
    """
    from cli import gate_hold  # noqa: PLC0415 - what `--help` does not need

    name = by or f"{getpass.getuser()}@{socket.gethostname()}"
    raise typer.Exit(
        gate_hold.decide(
            ctx.obj, gate_id, "approved", name=name, reason=reason, yes=yes, dry_run=dry_run, as_json=as_json
        )
    )


def reject(
    ctx: typer.Context,
    gate_id: GateId,
    *,
    reason: Reason,
    by: By = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: JsonFlag = False,
) -> None:
    """Leave the candidate of a held gate out of production, without waiting for its time to be over.

    Example: `flywheel gate reject 0123abcd --reason "too slow for us" --yes`
    """
    from cli import gate_hold  # noqa: PLC0415 - what `--help` does not need

    name = by or f"{getpass.getuser()}@{socket.gethostname()}"
    raise typer.Exit(
        gate_hold.decide(
            ctx.obj, gate_id, "rejected", name=name, reason=reason, yes=yes, dry_run=dry_run, as_json=as_json
        )
    )
