"""Report of an experiment -> one HTML file that needs nothing else: no script, no font, no picture, no request."""

from collections.abc import Sequence
from dataclasses import dataclass

from flywheel.domain.experiment_sentences import broken_text, limit_text
from flywheel.domain.golden_item import SLICES
from flywheel.domain.item_intervals import Figure
from flywheel.report import experiment_plots as plots
from flywheel.report.experiment_model import ConfigurationRow, ExperimentReport, RungRow
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
    rungs = [rung for rung in report.rungs if rung.assigned]
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
            limit_text=limit_text,
            cost_plot=plots.cost_plot(report),
            latency_plot=plots.latency_plot(report),
            effects_plot=plots.effects_plot(report.effects),
            rungs=rungs,
            halving=halving_rows(report, rungs),
            most_trials=max((trials for rung in rungs for trials in rung.assigned.values()), default=1),
            pareto_width=plots.WIDTH,
            pareto_height=plots.HEIGHT,
            pareto_left=plots.LEFT,
            pareto_right=plots.RIGHT,
            pareto_bottom=plots.BOTTOM,
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


@dataclass(frozen=True, slots=True)
class HalvingRow:
    """`trials` by rung, None: it was out. `going`: it was not stopped; `ended` says how it ended, in words."""

    name: str
    trials: tuple[int | None, ...]
    going: bool
    ended: str


def halving_rows(report: ExperimentReport, rungs: Sequence[RungRow]) -> list[HalvingRow]:
    """Who went farthest first."""
    stopped = {one.configuration_id: one for one in report.stopped}
    rows = []
    for row in report.configurations:
        name, out = row.configuration_id, stopped.get(row.configuration_id)
        ended = _STATES[row.state]
        if out is not None:
            ended = f"\N{MULTIPLICATION X} {out.code.replace('_', ' ')}" + (
                f" in rung {out.rung}: " if out.rung else ": "
            )
            ended += out.message
        rows.append(HalvingRow(name, tuple(rung.assigned.get(name) for rung in rungs), out is None, ended))
    return sorted(rows, key=lambda row: (not row.going, -sum(t is not None for t in row.trials)))
