"""`flywheel demo`: good and bad images are pushed on this machine; what the gate said of each."""

import json
import secrets
import signal
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.problems import EXIT_ERROR, CommandError

if TYPE_CHECKING:
    from cli.session import Session
    from flywheel.ports import GateRow

FOLDER = Path("build/demo")
GOLDEN = Path("dataset/golden.json")
GATE_TIMEOUT_S = 180.0
APPEARS_S = 30.0

# What is pushed, in this order.
PUSHES = ("good", "regressed", "crashing", "slow", "never_ready")
# What production runs before that: the same agent as `good` under another digest. So `good` has an incumbent to be
# compared with, and shows what a gate of an equal candidate takes.
FIRST = "first"


@dataclass(frozen=True, slots=True)
class Pushed:
    """One push and what became of it; `gate_s` is from the push to the published verdict."""

    name: str
    digest: str
    verdict: str
    reasons: list[dict[str, Any]]
    promoted: bool
    gate_s: float
    items: int
    invocations: int
    invocations_at_the_cap: int | None
    errored: int
    report: str


@dataclass(slots=True)
class Summary:
    """Content of `build/demo/summary.json`."""

    first: Pushed | None = None
    pushes: list[Pushed] = field(default_factory=list)
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
        list[str] | None, typer.Option(help=f"Push only these of {', '.join(PUSHES)} (may be repeated).")
    ] = None,
) -> None:
    """Start everything on this machine, push a good image and several bad ones, show what the gate said.

    Writes build/demo/summary.json and a report of each gate. Ends everything again unless --keep. Exit code 0: every
    push got a verdict.

    Examples:
      flywheel demo
      flywheel demo --keep --only good --only regressed
    """
    from local import stack  # noqa: PLC0415

    console = Console()
    names = tuple(only or PUSHES)
    if unknown := [name for name in names if name not in PUSHES]:
        raise CommandError(f"there is no image {unknown[0]!r} to push; there are: {', '.join(PUSHES)}")
    # Being told to end (a closed terminal, a CI that cancels) ends the stack as Ctrl-C does.
    for told in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(told, signal.default_int_handler)
    try:
        _run(console, names, keep=keep)
    except KeyboardInterrupt:
        console.print("interrupted", style="yellow")
        raise typer.Exit(EXIT_ERROR) from None
    finally:
        if keep:
            console.print("the stack is still up: flywheel gate list; flywheel local down ends it", highlight=False)
        else:
            stack.down()


def _run(console: Console, names: tuple[str, ...], *, keep: bool) -> None:
    from cli.session import Session  # noqa: PLC0415
    from local import system  # noqa: PLC0415

    started = time.monotonic()
    summary = Summary()

    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:5.0f} s[/]  {escape(text)}", highlight=False, soft_wrap=True)

    say("starting AWS, AgentCore, Langfuse, a model and a docs server on this machine")
    info, _ = system.start(say)
    session = Session(info.stack, "local")
    summary.langfuse = {"url": info.langfuse.url, "version": info.langfuse.version, "kind": info.langfuse.kind}
    say(f"golden dataset: {_import_dataset(session)}")
    if session.releases.head().release is None:
        summary.first = _push(session, FIRST, say)
    for name in names:
        pushed = _push(session, name, say)
        summary.pushes.append(pushed)
        summary.write(FOLDER / "summary.json")
    summary.production_digest = _production_digest(session)
    summary.ephemeral_runtimes_left = _runtimes_left(session)
    summary.total_s = round(time.monotonic() - started, 1)
    summary.write(FOLDER / "summary.json")
    _show(console, summary, keep=keep)


def _import_dataset(session: "Session") -> str:
    from cli import dataset_import  # noqa: PLC0415

    items = dataset_import.read_items(GOLDEN)
    found = dataset_import.compare(session, items)
    missing = dataset_import.to_write(found, items)
    if missing:
        dataset_import.write(session, missing, Console(quiet=True))
    return f"{len(items)} items, {len(missing)} of them written now"


def _push(session: "Session", name: str, say: Any) -> Pushed:
    from cli.gate_watch import follow  # noqa: PLC0415
    from local.images import release  # noqa: PLC0415
    from local.stack import load  # noqa: PLC0415

    info = load()
    if info is None:
        raise CommandError("the local stack went away; flywheel local logs tells why")
    overlay = None if name in {FIRST, "good"} else release.find_overlay(name)
    image = release.agent_image(None, overlay, labels={"flywheel.demo": name})
    pushed_at = datetime.now(UTC)
    began = time.monotonic()
    # The tag tells people which image it is; neither the agent nor model nor judge ever sees it.
    digest = release.push_to(info, image, session.facts.repository, f"{name}-{secrets.token_hex(3)}")
    say(f"pushed {name}: {digest[:19]}")
    row = follow(session, _gate_of(session, digest, pushed_at), timeout_s=GATE_TIMEOUT_S, show=say)
    gate_s = time.monotonic() - began
    pushed = _describe(session, name, row, gate_s)
    say(f"{name}: {pushed.verdict} after {gate_s:.0f} s - {_first_reason(pushed)}")
    return pushed


def _gate_of(session: "Session", digest: str, pushed_at: datetime) -> str:
    deadline = time.monotonic() + APPEARS_S
    while time.monotonic() < deadline:
        for row in session.gates.recent(5):
            if row.digest == digest and row.started >= pushed_at:
                return row.gate_id
        time.sleep(0.2)
    raise CommandError(f"no gate of {digest[:19]} started within {APPEARS_S:.0f} s: flywheel local logs ministack")


def _describe(session: "Session", name: str, row: "GateRow", gate_s: float) -> Pushed:
    from cli.gate_view import fetch_report  # noqa: PLC0415

    fetched, data = fetch_report(session, row, FOLDER / "gates")
    report = json.loads(data.read_text())
    page = FOLDER / f"{name}.html"
    page.write_bytes(fetched.read_bytes())
    return Pushed(
        name=name,
        digest=row.digest or "",
        verdict=row.verdict or "",
        reasons=report["reasons"],
        promoted=row.promoted,
        gate_s=round(gate_s, 1),
        items=report["dataset_items"],
        invocations=report["invocations"],
        invocations_at_the_cap=report["estimates"].get("cap_invocations"),
        errored=report["errored"],
        report=str(page),
    )


def _production_digest(session: "Session") -> str | None:
    """Digest behind the production endpoint, asked of AgentCore itself and not of our own record."""
    from cli import aws  # noqa: PLC0415

    return aws.live_digest(session.facts.production_runtime, session.facts.production_endpoint)


def _runtimes_left(session: "Session") -> int:
    from flywheel.adapters.agentcore import AgentCoreRuntimes  # noqa: PLC0415

    prefix = f"fw_{session.facts.environment}_"
    return sum(runtime.name.startswith(prefix) for runtime in AgentCoreRuntimes.from_environment().runtimes())


def _asked(pushed: Pushed) -> str:
    """Invocations of both arms; how early it ended when it did."""
    cap = pushed.invocations_at_the_cap
    return f"{pushed.invocations} of {cap}" if cap else str(pushed.invocations)


def _first_reason(pushed: Pushed) -> str:
    return pushed.reasons[0]["message"] if pushed.reasons else "everything that the policy asks for is met"


def _show(console: Console, summary: Summary, *, keep: bool) -> None:
    from cli.gate_view import styled  # noqa: PLC0415

    table = Table(title="what was pushed and what became of it", title_justify="left", box=None, expand=True)
    for column in ("image", "verdict", "in production", "took", "asked", "why"):
        table.add_column(column, overflow="fold", ratio=1 if column == "why" else None)
    shown = ([summary.first] if summary.first else []) + summary.pushes
    for pushed in shown:
        table.add_row(
            pushed.name,
            styled(pushed.verdict),
            "yes" if pushed.digest == summary.production_digest else "replaced" if pushed.promoted else "no",
            f"{pushed.gate_s:.0f} s",
            _asked(pushed),
            escape(_first_reason(pushed)),
        )
    console.print()
    console.print(table)
    console.print(
        f"production runs {(summary.production_digest or 'nothing')[:19]}; short-lived runtimes left: "
        f"{summary.ephemeral_runtimes_left}; {summary.total_s:.0f} s in all",
        highlight=False,
    )
    for pushed in shown:
        console.print(f"report of {pushed.name}: {pushed.report}", highlight=False, soft_wrap=True)
    console.print(f"Langfuse: {summary.langfuse['url']} ({summary.langfuse['kind']} {summary.langfuse['version']})")
    console.print(f"as data: {FOLDER / 'summary.json'}")
    console.print("next: open a report in a browser; or change something in agent/ and push it yourself:")
    console.print(f"  {'' if keep else 'KEEP=1 make demo; '}.venv/bin/flywheel push --watch", highlight=False)
