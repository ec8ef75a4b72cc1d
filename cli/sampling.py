"""`flywheel sampling ...`: production traces on their way to the people who review them."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from cli.problems import EXIT_NO
from cli.session import Session

if TYPE_CHECKING:
    from flywheel.live_figures import LiveFigures

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Sample production traces for review, and see what the reviews say of production.",
)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def found(session: Session) -> "LiveFigures":
    """What is on record now: budget, reasons, what waits, the estimated failure rate."""
    from flywheel.domain.sampling_settings import parse_sampling  # noqa: PLC0415 - what `--help` does not need
    from flywheel.live_figures import figures  # noqa: PLC0415

    settings = parse_sampling(session.settings.text("sampling"))
    return figures(settings, ledger=session.live_ledger, store=session.sampling_store, clock=session.clock)


def to_dict(now: "LiveFigures") -> dict[str, Any]:
    """The figures for scripts. `failure_rate` None: nobody has judged anything that was drawn."""
    rate = now.failure_rate.estimate
    return {
        "budget": now.budget.budget,
        "budget_used": now.budget.used,
        "reserve": now.budget.reserve,
        "reserve_used": now.budget.reserve_used,
        "reasons": {name: round(share, 4) for name, share in now.reasons.items()},
        "waiting": now.waiting,
        "oldest_waiting_h": round(now.oldest_waiting_h, 2),
        "failure_rate": None if rate is None else [round(part, 4) for part in (rate.low, rate.rate, rate.high)],
        "reviews": now.failure_rate.reviews,
        "days": now.failure_rate.days,
        "enough_reviews": now.failure_rate.enough,
        "watermark_lag_s": None if now.watermark_lag_s is None else round(now.watermark_lag_s),
    }


@app.command()
def status(ctx: typer.Context, *, as_json: JsonFlag = False) -> None:
    """Show today's budget, why traces were drawn, what waits, and how often production is wrong by its reviews.

    Example: `flywheel sampling status`
    """
    now = found(ctx.obj)
    if as_json:
        print(json.dumps(to_dict(now)))
        return
    budget, rate = now.budget, now.failure_rate
    say = Console(highlight=False, soft_wrap=True).print
    say(f"budget       {budget.used} of {budget.budget} reviews of today, {budget.reserve_used} for alerts")
    shares = ", ".join(f"{name} {share:.0%}" for name, share in now.reasons.items())
    say(f"reasons      {escape(shares) or 'nothing was drawn today'}")
    say(f"waiting      {now.waiting}, the oldest for {now.oldest_waiting_h:.1f} h")
    if rate.estimate is None:
        say("failure rate not known: no trace that was drawn is reviewed yet")
    else:
        few = "" if rate.enough else ", fewer than the settings ask for"
        say(
            f"failure rate {rate.estimate.rate:.1%}, between {rate.estimate.low:.1%} and {rate.estimate.high:.1%} "
            f"(95 %; {rate.reviews} reviews of {rate.days} days{few})"
        )
    lag = now.watermark_lag_s
    say("looked at    nothing yet" if lag is None else f"looked at    everything up to {lag / 60:.0f} minutes ago")


@app.command()
def run(
    ctx: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be drawn; queue nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Look at the traffic since the last run, in the stack's own function, without waiting for its schedule.

    Exit code 1: another run is under way, and this one did nothing.

    Examples: `flywheel sampling run --dry-run`, `flywheel sampling run --json`
    """
    session: Session = ctx.obj
    told = session.sampling_runs.run(dry_run=dry_run)
    if as_json:
        print(json.dumps(told))
    else:
        _print_run(told, dry_run=dry_run)
    if told["state"] == "busy":
        raise typer.Exit(EXIT_NO)


_WHY = {
    "nothing": "there is no traffic to look at since the last run",
    "waiting": "the pace of the day's budget allows no review yet: these traces wait for the next run",
    "unfinished": "time was over before the window was read: the next run takes a shorter one",
    "busy": "another run is under way: try again when it is done",
    "off": "the budget is 0: nothing is sampled",
}


def _print_run(told: dict[str, Any], *, dry_run: bool) -> None:
    say = Console(highlight=False, soft_wrap=True).print
    if told["state"] != "drawn":
        print(_WHY.get(told["state"], told["state"]), file=sys.stderr if told["state"] == "busy" else sys.stdout)
        return
    would = "would wait" if dry_run else "wait"
    queued = len(told["drawn"]) if dry_run else told["queued"]
    say(f"{queued} of {told['eligible']} traces {would} for review, within a budget of {told['budget']}")
    for why, count in told.get("unreadable", {}).items():
        say(escape(f"{count} left out, no question in the input can be read: {why}"))
    for line in told.get("items_left_out", ()):
        say(escape(f"no golden item {line}"))
    for one in told["drawn"]:
        chance = one["inclusion_probability"]
        drawn = "" if chance is None else f", chance {chance:.2f}"
        say(escape(f"{one['trace_id']}  {', '.join(one['reasons'])}  risk {one['risk']:.2f}{drawn}  {one['queue']}"))
