"""Commands that are loaded when they are called: `flywheel --help` needs no SDK and takes a moment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from cli.problems import EXIT_ERROR, explain


@dataclass(frozen=True, slots=True)
class Later:
    """Where a command lives: `attribute` of `module` is a Typer app, or a function that is one command."""

    module: str
    attribute: str
    help: str


def load(later: Later) -> TyperCommand | TyperGroup:
    """Import the command."""
    found: Any = getattr(import_module(later.module), later.attribute)
    if not isinstance(found, typer.Typer):
        app = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        app.command()(cast("Callable[..., Any]", found))
        found = app
    return cast("TyperCommand | TyperGroup", typer.main.get_command(found))


class Placeholder(TyperCommand):
    """Stands in the list of commands; becomes the real one when its own arguments are looked at."""

    def __init__(self, name: str, later: Later) -> None:
        super().__init__(name, help=later.help, short_help=later.help)
        self._later = later

    def make_context(self, info_name: Any, args: list[str], parent: Any = None, **extra: Any) -> Any:
        real = load(self._later)
        real.name = self.name
        return real.make_context(info_name, args, parent=parent, **extra)


class LazyGroup(TyperGroup):
    """A group whose commands are named in `later`; errors of theirs end in a message, not in a traceback."""

    later: Mapping[str, Later] = {}

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the base's signature
        return list(self.later)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the base's signature
        found = self.later.get(cmd_name)
        return None if found is None else Placeholder(cmd_name, found)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            if ctx.params.get("debug") or (said := explain(error)) is None:
                raise
            from flywheel.report.text import showable  # noqa: PLC0415 - what `--help` does not need

            # A message may quote what somebody else sent: it must not command the terminal.
            typer.secho(f"error: {showable(said)}", err=True, fg="red")
            raise typer.Exit(EXIT_ERROR) from error
