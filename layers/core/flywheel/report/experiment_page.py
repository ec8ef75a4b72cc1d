"""Report of an experiment -> one HTML file that needs nothing else: no script, no font, no picture, no request."""

from flywheel.domain.experiment_sentences import broken_text
from flywheel.domain.golden_item import SLICES
from flywheel.domain.item_intervals import Figure
from flywheel.report.experiment_model import ConfigurationRow, ExperimentReport
from flywheel.report.plots import NOTHING
from flywheel.report.render import page_environment
from flywheel.report.words import MINUS

# Which colours of the gate's page the head has; its icon says the same by shape.
_HEAD = {"completed": "PASS", "stopped": "INCONCLUSIVE", "refused": "FAIL", "broken": "FAIL"}
_STATES = {
    "recommended": "\N{BLACK STAR} recommended",
    "remaining": "\N{BLACK CIRCLE} to the end",
    "stopped": "\N{WHITE CIRCLE} stopped early",
    "failed": "\N{MULTIPLICATION X} no runtime",
    "unmeasured": "\N{EN DASH} not measured",
}


def render_experiment(report: ExperimentReport) -> str:
    """The page for people; every text from outside is escaped, and the page forbids itself to load or run anything."""
    present = {one.slice for row in report.configurations for one in row.slices}
    return (
        page_environment()
        .get_template("experiment.html.j2")
        .render(
            r=report,
            head=_HEAD[report.outcome] if report.recommended or report.outcome != "completed" else "INCONCLUSIVE",
            title=_title(report),
            slices=[name for name in SLICES if name in present] + sorted(present - set(SLICES)),
            states=_STATES,
            hundredths=hundredths,
            difference=difference,
            broken=broken,
        )
    )


def hundredths(figure: Figure | None, digits: int = 1) -> str:
    """A score or a share with its interval, in hundredths: `86.2 (81.0 to 90.4)`; a dash for None."""
    if figure is None:
        return NOTHING
    value = f"{figure.value * 100:.{digits}f}"
    if figure.low is None or figure.high is None:
        return value
    return f"{value} ({figure.low * 100:.{digits}f} to {figure.high * 100:.{digits}f})"


def difference(figure: Figure | None) -> str:
    """A difference of scores with its interval, in hundredths, always with its sign."""
    if figure is None:
        return NOTHING
    said = f"{figure.value * 100:+.1f}"
    if figure.low is not None and figure.high is not None:
        said += f" ({figure.low * 100:+.1f} to {figure.high * 100:+.1f})"
    return said.replace("-", MINUS)


def broken(row: ConfigurationRow) -> str:
    """Which constraints it breaks, in words; empty: none."""
    return broken_text(row.breaches)


def _title(report: ExperimentReport) -> str:
    if report.recommended:
        return f"Recommended: {report.recommended}"
    return {
        "completed": "Nothing to recommend",
        "stopped": "Stopped",
        "refused": "Refused",
        "broken": "Broken",
    }[report.outcome]
