"""`flywheel`: gates, the golden dataset, the local stack, images; one command for people and for scripts."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.lazy import Later, LazyGroup
from cli.session import Session


class TargetKind(StrEnum):
    LOCAL = "local"
    AWS = "aws"


class Flywheel(LazyGroup):
    later = {  # noqa: RUF012 - the class is made once
        "gate": Later("cli.gate", "app", "Judge an image: start, watch, list, show, report, rollback, plan."),
        "experiment": Later("cli.experiment", "app", "Search configurations: run, watch, show, report, promote."),
        "dataset": Later("cli.dataset", "app", "The golden dataset: import, export, list, remove, mute."),
        "policy": Later("cli.policy", "app", "By which rules gates decide: show, check, set."),
        "review": Later("cli.review", "review", "Open what waits for reviewers, and say how much it is."),
        "traffic": Later("cli.traffic", "app", "Synthetic users against production: run, list, show."),
        "dead-letters": Later("cli.dead_letters", "app", "What could not be handled: list, show, redrive."),
        "sampling": Later("cli.sampling", "app", "Live traces into the review queue: status, run."),
        "harvest": Later("cli.harvest", "app", "Reviews into the golden dataset: status, run, show."),
        "setup": Later("cli.setup", "app", "Langfuse made ready for the stack: langfuse, secret, check."),
        "doctor": Later("cli.doctor", "doctor", "What would stop a deployment or a gate, and how to mend it."),
        "push": Later("cli.push", "push", "Pack the agent and push its image; the push starts a gate."),
        "local": Later("cli.local", "app", "The local stack that stands in for AWS: up, down, status, logs."),
        "demo": Later("cli.demo", "demo", "Start everything, push good and bad images, show what happened."),
    }


app = typer.Typer(
    cls=Flywheel,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def flywheel(
    ctx: typer.Context,
    stack: Annotated[
        str, typer.Option(envvar="FLYWHEEL_STACK", help="CloudFormation stack to work with.")
    ] = "flywheel-dev",
    target: Annotated[
        TargetKind | None,
        typer.Option(
            help="Where the stack is. Default: local while the local stack runs, else aws.", show_default=False
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """An image push decides whether an agent goes to production.

    Exit codes of every command: 0 done or PASS, 1 FAIL or invalid input, 2 INCONCLUSIVE or an error.

    Example: `flywheel gate watch latest`
    """
    del debug  # read by the group, which is what catches errors
    if ctx.obj is None:
        ctx.obj = Session(stack, None if target is None else target.value)


if __name__ == "__main__":
    app()
