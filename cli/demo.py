"""`flywheel demo`: images are pushed on this machine, the loop goes round, or an experiment is run; what came of it."""

import json
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from cli.demo_loop import Loop
from cli.demo_pushes import FOLDER, Pushed
from cli.problems import EXIT_ERROR, CommandError
from flywheel.errors import FlywheelError

if TYPE_CHECKING:
    from cli.demo_loop import Say
    from cli.session import Session
    from local.stack import StackInfo

GOLDEN = Path("dataset/golden.json")

# What is pushed, in this order.
PUSHES = ("good", "regressed", "crashing", "slow", "never_ready")
# What production runs before that: the same agent as `good` under another digest. So `good` has an incumbent to be
# compared with, and shows what a gate of an equal candidate takes.
FIRST = "first"


class Part(StrEnum):
    ALL = "all"
    GATE = "gate"
    LOOP = "loop"
    EXPERIMENT = "experiment"


@dataclass(slots=True)
class Summary:
    """Content of `build/demo/summary.json`."""

    first: Pushed | None = None
    pushes: list[Pushed] = field(default_factory=list)
    loop: Loop | None = None
    production_digest: str | None = None
    ephemeral_runtimes_left: int = 0
    langfuse: dict[str, str] = field(default_factory=dict)
    total_s: float = 0.0

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n")


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack up when the demo ends.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(help=f"Push only these of {', '.join(PUSHES)} (may be repeated), and leave the loop out."),
    ] = None,
    part: Annotated[
        Part,
        typer.Option(
            help="`gate`: pushes only; `loop`: users, reviews and what they teach the gate; `experiment`, which `all` "
            "does not have: a search over models, prompts and parameters, and its winner through the gate."
        ),
    ] = Part.ALL,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="With `--part experiment`: also the full grid, and the sample's own file."),
    ] = False,
) -> None:
    """Start everything on this machine, push good and bad images, let the loop go round, show what came of it.

    Writes build/demo/summary.json, or experiment.json for `--part experiment`, and reports. Ends everything
    again unless --keep. Exit code 0: every push got a verdict, the loop closed, what was chosen is in production.

    Examples:
      flywheel demo
      flywheel demo --keep --only good --only regressed
      flywheel demo --part loop
      flywheel demo --part experiment --verify
    """
    from local import stack  # noqa: PLC0415

    console = Console()
    searches = part is Part.EXPERIMENT
    if (searches and only) or (verify and not searches):
        raise CommandError("--verify goes with --part experiment, --only does not")
    names = () if part is Part.LOOP and not only else tuple(only or PUSHES)
    if unknown := [name for name in names if name not in PUSHES]:
        raise CommandError(f"there is no image {unknown[0]!r} to push; there are: {', '.join(PUSHES)}")
    # Being told to end (a closed terminal, a CI that cancels) ends the stack as Ctrl-C does.
    for told in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(told, signal.default_int_handler)
    try:
        if searches:
            _search(console, keep=keep, verify=verify)
        else:
            _run(console, names, keep=keep, loop=part is not Part.GATE and not only)
    except KeyboardInterrupt:
        console.print("interrupted", style="yellow")
        raise typer.Exit(EXIT_ERROR) from None
    finally:
        if keep:
            console.print("the stack is still up: flywheel gate list; flywheel local down ends it", highlight=False)
        else:
            stack.down()


def _teller(console: Console, started: float) -> "Say":
    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:5.0f} s[/]  {escape(text)}", highlight=False, soft_wrap=True)

    return say


def _ready(say: "Say") -> "tuple[Session, StackInfo, Pushed | None]":
    """Everything up, the dataset imported, an image in production; the push is the one that put it there, if any."""
    from cli import demo_loop, demo_pushes, setup_local  # noqa: PLC0415
    from cli.session import Session  # noqa: PLC0415
    from local import system  # noqa: PLC0415

    say("starting AWS, AgentCore, Langfuse, a model and a docs server on this machine")
    info, _ = system.start(say)
    session = Session(info.stack, "local")
    setup_local.set_up(session, info, say)
    say(f"golden dataset: {_import_dataset(session)}")
    demo_loop.forget(session, say)
    first = demo_pushes.push(session, FIRST, say) if session.releases.head().release is None else None
    _examine(session, say)
    return session, info, first


def _examine(session: "Session", say: "Say") -> None:
    """What the doctor finds wrong, and how much is in order; the demo goes on all the same."""
    from cli import doctor  # noqa: PLC0415

    try:
        findings, _ = doctor.examine(session)
    except FlywheelError as error:
        say(f"doctor: it could not look: {error}")
        return
    for found in findings:
        if found.status == "wrong":
            say(f"doctor: {found.title}: {found.detail}; {found.mend}")
    say(f"doctor: {doctor.summary(findings)} (flywheel doctor --all shows each)")


def _langfuse(info: "StackInfo") -> dict[str, str]:
    return {"url": info.langfuse.url, "version": info.langfuse.version, "kind": info.langfuse.kind}


def _search(console: Console, *, keep: bool, verify: bool) -> None:
    from cli import demo_experiment  # noqa: PLC0415

    started = time.monotonic()
    say = _teller(console, started)
    session, info, first = _ready(say)
    if first is not None and not first.promoted:
        said = "; ".join(reason["message"] for reason in first.reasons[:2])
        raise CommandError(f"nothing is in production that could be searched: {first.verdict} ({said})")
    out = demo_experiment.Experimented(langfuse=_langfuse(info))
    demo_experiment.run(session, out, console, say, verify=verify)
    out.runtimes_left = _runtimes_left(session)
    out.seconds = round(time.monotonic() - started, 1)
    out.write()
    demo_experiment.show(console, out, keep=keep)
    demo_experiment.check(out)


def _run(console: Console, names: Sequence[str], *, keep: bool, loop: bool) -> None:
    from cli import demo_loop, demo_pushes, demo_view  # noqa: PLC0415

    started = time.monotonic()
    say = _teller(console, started)
    session, info, first = _ready(say)
    summary = Summary(first=first, langfuse=_langfuse(info))
    for name in names:
        summary.pushes.append(demo_pushes.push(session, name, say))
        summary.write(FOLDER / "summary.json")
    if loop:
        summary.loop = demo_loop.run(session, info, lambda name: demo_pushes.push(session, name, say), say)
    summary.production_digest = _production_digest(session)
    summary.ephemeral_runtimes_left = _runtimes_left(session)
    summary.total_s = round(time.monotonic() - started, 1)
    summary.write(FOLDER / "summary.json")
    demo_view.show(console, summary, keep=keep)
    if summary.loop is not None and not (summary.loop.rejected_by_new_item and summary.loop.repaired_promoted):
        raise CommandError("the loop did not close: see the reasons above, and build/demo/summary.json")


def _import_dataset(session: "Session") -> str:
    from cli import dataset_import  # noqa: PLC0415

    items, name = dataset_import.read_items(GOLDEN), session.facts.dataset
    found = dataset_import.compare(session, items, name)
    missing = dataset_import.to_write(found, items)
    if missing:
        dataset_import.write(session, missing, Console(quiet=True), name)
    return f"{len(items)} items, {len(missing)} of them written now"


def _production_digest(session: "Session") -> str | None:
    """Digest behind the production endpoint, asked of AgentCore itself and not of our own record."""
    from cli import aws  # noqa: PLC0415

    return aws.live_digest(session.facts.production_runtime, session.facts.production_endpoint)


def _runtimes_left(session: "Session") -> int:
    from flywheel.adapters.agentcore import AgentCoreRuntimes  # noqa: PLC0415

    prefix = f"fw_{session.facts.environment}_"
    return sum(runtime.name.startswith(prefix) for runtime in AgentCoreRuntimes.from_environment().runtimes())
