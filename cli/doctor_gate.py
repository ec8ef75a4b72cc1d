"""`flywheel doctor --gate`: one small gate of what is in production, through everything; where it broke, if it did."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from cli import gate_start, gate_watch
from cli.doctor_findings import Finding
from cli.gate_progress import Progress, ProgressReader
from cli.problems import CommandError

if TYPE_CHECKING:
    from cli.session import Session
    from flywheel.ports import GateRow

GROUP = "gate"
_ITEMS = 3
# Verdicts about the agent. Every other reason is about the way there: something on it did not work.
_ABOUT_THE_AGENT = frozenset(
    {
        "minimum", "slice_minimum", "regression", "slice_regression", "anchor_regression", "tool_errors",
        "latency_p95_ms", "cost_per_item_usd", "must_pass", "reliability", "too_few_items", "undecided",
    }
)  # fmt: skip


def send(session: "Session", *, timeout_s: float, show: Callable[[str], None]) -> Finding:
    """Ask for a gate of the incumbent over a few items, without promotion, and follow it to its end.

    It cleans up after itself, as every gate does. It costs the answers to these items and their judgement.
    """
    title = "a small gate of the incumbent"
    if session.releases.head().release is None:
        return Finding(GROUP, title, "cannot be known", "nothing is in production yet: push an image first")
    items = [item.item_id for item in session.dataset.snapshot(session.facts.dataset).items if item.item_id]
    if not items:
        mend = "flywheel dataset import dataset/golden.json"
        return Finding(GROUP, title, "wrong", f"the dataset {session.facts.dataset} has no items", mend)
    asked = gate_start.request_gate(
        session, "production", prompt=None, promote=False, item_ids=tuple(sorted(items)[:_ITEMS]), reason="doctor"
    )
    try:
        row = gate_watch.follow(session, asked.gate_id, timeout_s=timeout_s, show=show)
    except CommandError as error:
        return Finding(GROUP, title, "wrong", str(error), _mend(asked.gate_id))
    failed = session.executions.failed_at(row.execution_arn)
    return ended(title, row, ProgressReader(session.objects, row.gate_id).read(), failed, session.facts.environment)


def ended(
    title: str, row: "GateRow", seen: Progress, failed: tuple[str, str] | None = None, environment: str = "dev"
) -> Finding:
    """What the end of the gate says of everything on its way; `failed`: state and error of its last failed call."""
    finding = _judged(title, row, seen)
    if finding.status != "wrong" or failed is None:
        return finding
    state, error = failed
    function = state.lower().replace(" ", "_")
    group = f"/aws/lambda/flywheel-{environment}-{function.replace('_', '-')}"
    logs = f"flywheel gate show {row.gate_id} says more; the traceback is in the log group {group}"
    return Finding(GROUP, title, "wrong", f"it broke at {state} ({function}): {error}. {finding.detail}", logs)


def _judged(title: str, row: "GateRow", seen: Progress) -> Finding:
    if row.refused:
        said = f"refused at Plan Gate: {'; '.join(row.refused)}"
        return Finding(GROUP, title, "wrong", said, _mend(row.gate_id))
    against = ", ".join(row.against) or "no reason on record"
    if seen.done == 0:
        said = f"{row.verdict}, and no question was answered: {against}"
        return Finding(GROUP, title, "wrong", said, _mend(row.gate_id))
    if seen.errored or row.verdict is None or set(row.against) - _ABOUT_THE_AGENT:
        said = f"{seen.errored} of {seen.done} trials errored; {row.verdict}: {against}"
        return Finding(GROUP, title, "wrong", said, _mend(row.gate_id))
    return Finding(GROUP, title, "ok", f"{row.gate_id}: {seen.done} trials went through everything; {row.verdict}")


def _mend(gate_id: str) -> str:
    return f"flywheel gate show {gate_id} says stage and cause; the log group of that function has the rest"
