"""One push of the demo: packed, pushed, judged by the gate, described."""

import json
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.problems import CommandError

if TYPE_CHECKING:
    from cli.session import Session
    from flywheel.ports import GateRow

FOLDER = Path("build/demo")
GATE_TIMEOUT_S = 180.0
APPEARS_S = 30.0
# The agent as it is in agent/, without any overlay: what it is called says what it is pushed for.
PLAIN = frozenset({"first", "good", "same_defect"})


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


def push(session: "Session", name: str, say: Any) -> Pushed:
    from cli.gate_watch import follow  # noqa: PLC0415
    from local.images import release  # noqa: PLC0415
    from local.stack import load  # noqa: PLC0415

    info = load()
    if info is None:
        raise CommandError("the local stack went away; flywheel local logs tells why")
    overlay = None if name in PLAIN else release.find_overlay(name)
    image = release.agent_image(None, overlay, labels={"flywheel.demo": name})
    pushed_at = datetime.now(UTC)
    began = time.monotonic()
    # The tag tells people which image it is; neither the agent nor model nor judge ever sees it.
    digest = release.push_to(info, image, session.facts.repository, f"{name}-{secrets.token_hex(3)}")
    say(f"pushed {name}: {digest[:19]}")
    row = follow(session, _gate_of(session, digest, pushed_at), timeout_s=GATE_TIMEOUT_S, show=say)
    gate_s = time.monotonic() - began
    pushed = _describe(session, name, row, gate_s)
    say(f"{name}: {pushed.verdict} after {gate_s:.0f} s - {first_reason(pushed)}")
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


def asked(pushed: Pushed) -> str:
    """Invocations of both arms; how early it ended when it did."""
    cap = pushed.invocations_at_the_cap
    return f"{pushed.invocations} of {cap}" if cap else str(pushed.invocations)


def first_reason(pushed: Pushed) -> str:
    return pushed.reasons[0]["message"] if pushed.reasons else "everything that the policy asks for is met"
