"""`flywheel local`: the stack on this machine - start, stop, look."""

import json
import time
from collections import deque
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(
    no_args_is_help=True,
    help="The whole system on this machine: AWS, AgentCore, Langfuse, a model and a docs server, all on 127.0.0.1.",
)
_out = Console()
_err = Console(stderr=True)


def _fail(error: Exception) -> typer.Exit:
    _err.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
    return typer.Exit(1)


@app.command()
def up(
    port: Annotated[
        list[str] | None,
        typer.Option(help="name=N with name one of aws, agentcore, langfuse, model, mcp; or FLYWHEEL_PORT_<NAME>."),
    ] = None,
    deploy: Annotated[bool, typer.Option(help="Deploy the template to it, unless it is up to date.")] = True,
) -> None:
    """Start what is not running, wait until it answers, and deploy the template. Safe to repeat.

    With LANGFUSE_HOST, LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY set, that Langfuse is used; with MODEL_BASE_URL,
    that model; with MCP_URL, that MCP server.

    Example: flywheel local up --port aws=4566
    """
    from local import stack, system  # noqa: PLC0415
    from local.ports import configured_ports  # noqa: PLC0415

    started = time.monotonic()

    def report(line: str) -> None:
        _out.print(f"  {line}", markup=False, highlight=False)

    try:
        ports = configured_ports(port or ())
        info = system.start(report, ports=ports)[0] if deploy else stack.up(ports=ports, report=report)
    except stack.LocalStackError as error:
        raise _fail(error) from None
    _out.print(f"up in {time.monotonic() - started:.1f} s", style="green")
    _out.print(f"  AWS        {info.aws.url}", highlight=False)
    _out.print(f"  AgentCore  {info.agentcore_url}", highlight=False)
    _out.print(f"  Langfuse   {info.langfuse.url} ({info.langfuse.kind} {info.langfuse.version})", highlight=False)
    _out.print(f"  model      {info.model_url}", highlight=False)
    _out.print(f"  MCP        {info.mcp_url}", highlight=False)
    _out.print(
        'next: eval "$(flywheel local env)" points AWS tools at it; flywheel local down ends it', highlight=False
    )


@app.command()
def down() -> None:
    """End every process of the stack, with all that they started. Traces and datasets are kept.

    Example: flywheel local down
    """
    from local import stack  # noqa: PLC0415

    ended = stack.down()
    _out.print(f"ended {ended} processes" if ended else "nothing was running")


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False) -> None:
    """Show each process. Exit code 0: all answer; 1: some do not, or the stack is down.

    Example: flywheel local status --json
    """
    from dataclasses import asdict  # noqa: PLC0415

    from local import stack  # noqa: PLC0415

    found = stack.status()
    if as_json:
        typer.echo(json.dumps([asdict(process) for process in found], indent=2))
    elif found:
        table = Table("process", "state", "port", "pid", "log", box=None)
        for process in found:
            state = "answers" if process.healthy else "does not answer" if process.running else "ended"
            table.add_row(process.name, state, str(process.port), str(process.pid), process.log)
        _out.print(table)
    else:
        _out.print("down; flywheel local up starts it")
    if not (found and all(process.healthy for process in found)):
        raise typer.Exit(1)


@app.command()
def logs(
    name: Annotated[str | None, typer.Argument(help="Process; all of them when left out.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it is written, until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Lines from the end.")] = 20,
) -> None:
    """Show the processes' output; the agents' own is under their runtime's id.

    Example: flywheel local logs -f agentcore
    """
    from local.tools import STATE  # noqa: PLC0415

    found = {path.stem: path for path in sorted((STATE / "logs").glob("*.log"))}
    agents = {path.stem: path for path in sorted((STATE / "agentcore" / "logs").glob("*.log"))}
    chosen = found if name is None else {key: path for key, path in (found | agents).items() if key == name}
    if not chosen:
        known = ", ".join([*found, *agents]) or "none; the stack was never started (flywheel local up)"
        raise _fail(ValueError(f"there is no log {name or ''!r}; there are: {known}"))
    for key, path in chosen.items():
        for line in _tail(path, lines):
            _line(key, line, alone=len(chosen) == 1)
    if follow:
        _follow(chosen)


def _tail(path: Path, lines: int) -> list[str]:
    with path.open(errors="replace") as log:
        return [line.rstrip("\n") for line in deque(log, lines)]


def _line(key: str, line: str, *, alone: bool) -> None:
    _out.print(line if alone else f"{key:>10} | {line}", markup=False, highlight=False, soft_wrap=True)


def _follow(chosen: dict[str, Path]) -> None:
    handles = {key: path.open(errors="replace") for key, path in chosen.items()}
    try:
        for handle in handles.values():
            handle.seek(0, 2)
        while True:
            quiet = True
            for key, handle in handles.items():
                while line := handle.readline():
                    quiet = False
                    _line(key, line.rstrip("\n"), alone=len(handles) == 1)
            if quiet:
                time.sleep(0.3)
    except KeyboardInterrupt:
        return
    finally:
        for handle in handles.values():
            handle.close()


@app.command()
def env() -> None:
    """Print the variables with which boto3, the AWS CLI, Langfuse and OpenAI clients find the stack.

    Example: eval "$(flywheel local env)"
    """
    import shlex  # noqa: PLC0415

    from local import stack  # noqa: PLC0415

    info = stack.load()
    if info is None:
        raise _fail(ValueError("the stack is down; start it: flywheel local up"))
    for name, value in info.environment().items():
        typer.echo(f"export {name}={shlex.quote(value)}")
