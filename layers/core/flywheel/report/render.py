"""Report -> one HTML file that needs nothing else: no script, no font, no picture, no request."""

from functools import cache
from math import floor, log10
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from flywheel.report import path_plot
from flywheel.report.decision import Certificate, Decision
from flywheel.report.evidence_plots import (
    BAR_WIDTH,
    anchor_plot,
    evidence_bars,
    evidence_said,
    forest_plot,
    spent_plot,
    state_text,
)
from flywheel.report.model import Report
from flywheel.report.plots import (
    LEFT,
    NOTHING,
    RIGHT,
    WIDTH,
    difference_plot,
    latency_plot,
    points,
    score_plot,
    seconds,
)
from flywheel.report.text import showable
from flywheel.report.words import MINUS, after, evidence_text, figure_text, interval_text, signed

TABLE_ROWS = 200
SHOWN_CLAIMS = 12


@cache
def page_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("flywheel.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters.update(
        points=points,
        seconds=seconds,
        percent=percent,
        usd=usd,
        span=span,
        measure=measure,
        count=count,
        signed=signed,
        coded=coded,
        observed=observed,
        pairs=after,
        saving=saving,
        state_text=state_text,
        evidence_text=evidence_text,
        evidence_said=evidence_said,
    )
    environment.globals.update(width=WIDTH, left=LEFT, right=RIGHT, table_rows=TABLE_ROWS, shown_claims=SHOWN_CLAIMS)
    environment.globals.update(
        path_left=path_plot.LEFT,
        path_top=path_plot.TOP,
        path_bottom=path_plot.BOTTOM,
        path_height=path_plot.HEIGHT,
        marks_at=path_plot.MARKS_AT,
        bar_width=BAR_WIDTH,
        figure_text=figure_text,
        interval_text=interval_text,
    )
    return environment


def render_html(report: Report) -> str:
    """The page for people; every text from outside is escaped, and the page forbids itself to load or run anything."""
    incumbent = report.identity("incumbent") is not None
    decision = report.decision
    certificates = decision.certificates if decision else ()
    return (
        page_environment()
        .get_template("report.html.j2")
        .render(
            r=report,
            candidate=report.identity("candidate"),
            ours=report.figures("candidate"),
            theirs=report.figures("incumbent"),
            two=incumbent,
            primary=next((m for m in report.metrics if m.metric == report.primary_metric and m.slice is None), None),
            score_plot=score_plot(report.metrics, report.primary_metric),
            latency_plot=latency_plot(report),
            difference_plot=difference_plot(report.differences),
            path_plot=path_plot.path_plot(decision) if decision else None,
            forest_plot=forest_plot(decision) if decision else None,
            anchor_plot=anchor_plot(decision.anchor) if decision and decision.anchor else None,
            spent_plot=spent_plot(decision.spent) if decision else None,
            certificates=list(zip(certificates, evidence_bars(certificates), strict=True)),
        )
    )


def _shown(value: Any) -> Any:
    return showable(value) if type(value) is str else value


def coded(text: str) -> Markup:
    """Our own words with `commands` in backticks: the commands set as code, everything escaped."""
    parts = (
        Markup("<code>{}</code>").format(part) if n % 2 else escape(part) for n, part in enumerate(text.split("`"))
    )
    return Markup("").join(parts)


def percent(share: float | None) -> str:
    """`0.2` -> `20.0 %`; a dash for None."""
    return NOTHING if share is None else f"{share * 100:.1f} %"


def usd(amount: float | None) -> str:
    """Money with as many digits as say something; a dash for None."""
    if amount is None:
        return NOTHING
    if amount >= 1 or amount == 0:
        return f"${amount:,.2f}"
    # Two digits that are no zeros, or cents: the cheapest model's answer costs thousandths of a cent.
    places = max(4, 1 - floor(log10(amount)))
    whole, _, cents = f"{amount:.{places}f}".partition(".")
    return f"${whole}.{cents.rstrip('0').ljust(2, '0')}"


def span(duration_s: float) -> str:
    """`75.2` -> `1 min 15 s`; under ten seconds with one decimal."""
    if duration_s < 10:  # noqa: PLR2004 - see above
        return f"{duration_s:.1f} s"
    minutes, rest = divmod(round(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(minutes) + [f"{rest} s"] * bool(rest)
    return " ".join(parts)


def count(number: int | None) -> str:
    """Thousands apart; a dash for None."""
    return NOTHING if number is None else f"{number:,}"


def measure(value: float | None, metric: str | None) -> str:
    """A reason's figure in the unit that its metric's name ends in."""
    if value is None:
        return NOTHING
    name = metric or ""
    if name.endswith("_ms"):
        return seconds(value)
    if "usd" in name:
        return usd(value)
    if name.endswith("_rate"):
        return percent(value)
    text = f"{value:.0f}" if float(value).is_integer() and abs(value) > 1 else f"{value:.3f}"
    return text.replace("-", MINUS)


def observed(it: Certificate) -> str:
    """What was observed of a claim: a share of errors, a mean that is held against a minimum, or a difference."""
    if it.observed is None:
        return NOTHING
    if it.name == "error_rate":
        return percent(it.observed)
    return points(it.observed) if it.threshold > 0 else signed(it.observed)


def saving(decision: Decision) -> str:
    """What was saved against a test of fixed size, or what it took on top; one that settled nothing saved nothing."""
    it = decision.spent
    if not it.fixed_invocations:
        return "There is no fixed-size test to compare it with."
    if not decision.settled and it.saved > 0:
        return "It ended before anything was settled: nothing was saved."
    share = f"{abs(it.saved) * 100:.0f} %"
    against = "a fixed-size test with the same error rates"
    if share == "0 %":
        return f"It took as many invocations as {against}."
    if it.saved > 0:
        return f"It saved {share} of the invocations of {against}."
    if it.saved > -1:
        return f"It took {share} more invocations than {against}."
    return f"It took {1 - it.saved:.1f} times the invocations of {against}."
