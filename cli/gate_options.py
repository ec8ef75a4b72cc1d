"""Arguments and options that several commands of `flywheel gate` take."""

from typing import Annotated

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
GateId = Annotated[
    str,
    typer.Argument(help="A gate's id or the 8 characters it ends in, an image's digest or `TAG@digest`, or `latest`."),
]
