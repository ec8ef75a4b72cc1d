"""What the demo shows when it ends: pushes, the loop, where the reports are."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.demo_pushes import FOLDER, asked, first_reason

if TYPE_CHECKING:
    from cli.demo import Summary
    from cli.demo_loop import Loop


def lines_of(loop: "Loop") -> list[str]:
    """The loop in four lines."""
    traffic = loop.traffic
    rate = loop.estimated_failure_rate
    said = "not known: too few reviews" if rate is None else f"{rate[1]:.1%}, between {rate[0]:.1%} and {rate[2]:.1%}"
    return [
        f"traffic: {traffic['users']} synthetic users, {traffic['turns']} questions, p95 {traffic['p95_ms']} ms",
        f"reviews: {loop.sampled} traces of a budget of {loop.budget}, {loop.reviewed} judged, {loop.flagged} flagged",
        f"dataset: {loop.dataset_before} items, now {loop.dataset_after}; duplicates linked: {loop.duplicates_linked}",
        f"estimated failure rate of production: {said}",
    ]


def show(console: Console, summary: "Summary", *, keep: bool) -> None:
    from cli.gate_view import styled  # noqa: PLC0415

    table = Table(title="what was pushed and what became of it", title_justify="left", box=None, expand=True)
    for column in ("image", "verdict", "in production", "took", "asked", "why"):
        table.add_column(column, overflow="fold", ratio=1 if column == "why" else None)
    shown = ([summary.first] if summary.first else []) + summary.pushes + (summary.loop.pushes if summary.loop else [])
    for pushed in shown:
        table.add_row(
            pushed.name,
            styled(pushed.verdict),
            "yes" if pushed.digest == summary.production_digest else "replaced" if pushed.promoted else "no",
            f"{pushed.gate_s:.0f} s",
            asked(pushed),
            escape(first_reason(pushed)),
        )
    console.print()
    console.print(table)
    if summary.loop is not None:
        for line in lines_of(summary.loop):
            console.print(line, highlight=False, soft_wrap=True)
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
