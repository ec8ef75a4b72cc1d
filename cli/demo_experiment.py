"""The part of `flywheel demo` that searches: models, prompts and search results, then the winner through the gate."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from cli.demo_pushes import FOLDER, GATE_TIMEOUT_S
from cli.problems import CommandError

if TYPE_CHECKING:
    from cli.session import Session
    from flywheel.ports import ExperimentRow, GateRow
    from flywheel.report.experiment_model import ExperimentReport

FILE = Path("local/demo/experiment.json")
# The sample's own form, with its own model ids.
SAMPLE = Path("local/demo/hpo_config.json")
SUMMARY = FOLDER / "experiment.json"
EXPERIMENT_TIMEOUT_S = 600.0
# How much worse than the full grid's choice the search's may be, by the grid's own figures.
ONE_POINT = 0.01
_ROUNDING = 1e-9

type Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Best:
    """The recommended configuration and what was measured of it; None: not measured."""

    configuration: str
    label: str
    candidate_id: str
    quality: float | None
    cost_per_item_usd: float | None
    latency_p95_ms: float | None


@dataclass(frozen=True, slots=True)
class Promoted:
    """What the gate made of it. `measured`, `released`: ids of the candidate that was chosen, and of production's."""

    gate_id: str
    verdict: str
    promoted: bool
    reasons: list[str]
    measured: str
    released: str | None
    gate_s: float


@dataclass(slots=True)
class Experimented:
    """Content of `build/demo/experiment.json`.

    `rungs`: configurations and trials of each; `stopped`: how many configurations were not asked to the end. With
    `--verify`: `grid_best` is what the full grid recommends, `behind_grid` how much better that is than `best` in the
    grid's figures, and `sample` what the sample's own file led to. `cost_usd`: of the agent's answers.
    """

    experiment_id: str = ""
    configurations: int = 0
    invocations: int = 0
    grid_invocations: int = 0
    rungs: list[dict[str, int]] = field(default_factory=list)
    stopped: int = 0
    best: Best | None = None
    grid_best: Best | None = None
    behind_grid: float | None = None
    sample: dict[str, Any] | None = None
    promotion: Promoted | None = None
    cost_usd: float | None = None
    experiment_s: float = 0.0
    seconds: float = 0.0
    report: str = ""
    runtimes_left: int = 0
    langfuse: dict[str, str] = field(default_factory=dict)

    def write(self, path: Path = SUMMARY) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n")


def run(session: "Session", out: Experimented, console: Console, say: Say, *, verify: bool) -> None:
    """Search, verify against the full grid when that is asked for, promote; `out` is filled as it goes.

    Raises:
        CommandError: an experiment did not complete, or recommends nothing.
    """
    began = time.monotonic()
    say(f"searching: {FILE}")
    row, report = _experiment(session, FILE, console)
    out.experiment_s = round(time.monotonic() - began, 1)
    describe(out, report)
    out.report = str(FOLDER / "experiments" / row.experiment_id / "report.html")
    out.write()
    say(f"report: {out.report}")
    if verify:
        _verify(session, out, console, say)
    out.promotion = _promote(session, row, say)


def describe(out: Experimented, report: "ExperimentReport") -> None:
    """What the report says of the search."""
    out.experiment_id = report.experiment_id
    out.configurations = len(report.configurations)
    out.invocations, out.grid_invocations = report.spent.invocations, report.spent.grid_invocations
    out.rungs = [
        {"rung": rung.rung, "configurations": len(rung.assigned), "trials": sum(rung.assigned.values())}
        for rung in report.rungs
        if rung.assigned
    ]
    out.stopped = len(report.stopped)
    out.cost_usd = report.spent.cost_usd
    out.best = best_of(report)


def best_of(report: "ExperimentReport") -> Best:
    """Raise `CommandError` when nothing is recommended."""
    if report.recommended is None:
        raise CommandError(f"experiment {report.experiment_id} recommends nothing: {report.sentence}")
    it = report.configuration(report.recommended)
    quality, cost, latency = (
        None if figure is None else figure.value for figure in (it.quality, it.cost_per_item_usd, it.latency_p95_ms)
    )
    return Best(it.configuration_id, it.label, it.candidate_id, quality, cost, latency)


def behind(best: Best, grid: "ExperimentReport") -> float:
    """How much quality the grid's choice has over the search's, both measured by the grid; never below 0.

    Raises:
        CommandError: the grid did not measure one of the two.
    """
    ours, theirs = (grid.configuration(one).quality for one in (best.configuration, best_of(grid).configuration))
    if ours is None or theirs is None:
        raise CommandError(f"the full grid {grid.experiment_id} did not measure what is to be compared")
    return max(0.0, theirs.value - ours.value)


def as_grid(text: str) -> str:
    """The same file, searched by the full grid and without an end to its budget."""
    data = json.loads(text)
    data["search"] = {**data.get("search", {}), "strategy": "grid"}
    data.pop("budget", None)
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def check(out: Experimented) -> None:
    """Raise `CommandError` for what the demo is there to show and did not."""
    problems = []
    promotion = out.promotion
    if promotion is None:
        problems.append("no gate was asked")
    elif promotion.verdict != "PASS" or promotion.released != promotion.measured:
        said = ", ".join([promotion.verdict, *promotion.reasons])
        problems.append(f"{promotion.measured} was chosen, {promotion.released} is in production ({said})")
    if out.runtimes_left:
        problems.append(f"{out.runtimes_left} short-lived runtimes are left")
    if out.behind_grid is not None and out.behind_grid > ONE_POINT + _ROUNDING:
        problems.append(f"the full grid's choice is better by {out.behind_grid:.3f}")
    if problems:
        raise CommandError(f"{'; '.join(problems)}: see {SUMMARY}")


def show(console: Console, out: Experimented, *, keep: bool) -> None:
    """The end of the demo in a few lines."""
    best, promotion = out.best, out.promotion
    console.print()
    for line in lines_of(out):
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    if best is not None and promotion is not None:
        console.print(f"report of the gate: flywheel gate report {promotion.gate_id}", highlight=False)
    console.print(f"report of the experiment: {out.report}", highlight=False, soft_wrap=True)
    console.print(f"Langfuse: {out.langfuse.get('url')} ({out.langfuse.get('kind')} {out.langfuse.get('version')})")
    console.print(f"as data: {SUMMARY}")
    again = "" if keep else "KEEP=1 make demo-experiment; "
    console.print("next: search something of your own:")
    console.print(f"  {again}.venv/bin/flywheel experiment run {FILE} --dry-run", highlight=False)


def lines_of(out: Experimented) -> list[str]:
    """What was found, what it took, what became of it."""
    from flywheel.report.render import usd  # noqa: PLC0415 - jinja2

    share = out.invocations / out.grid_invocations if out.grid_invocations else 0.0
    asked = f"{out.invocations} invocations, {share:.0%} of the full grid's {out.grid_invocations}"
    lines = [
        f"{out.configurations} configurations, {out.stopped} stopped early: {asked}; answers cost {usd(out.cost_usd)}",
        *(f"rung {one['rung']}: {one['configurations']} configurations, {one['trials']} trials" for one in out.rungs),
    ]
    if out.best is not None:
        lines.append(f"recommended: {_figures(out.best)}")
    if out.grid_best is not None and out.behind_grid is not None:
        lines.append(f"the full grid: {_figures(out.grid_best)}; better by {out.behind_grid:.3f} in its own figures")
    if out.sample is not None:
        lines.append(f"the sample's hpo_config.json: {out.sample['outcome']}, {out.sample['recommended']} recommended")
    if out.promotion is not None:
        state = "in production" if out.promotion.released == out.promotion.measured else "not in production"
        lines.append(f"the gate: {out.promotion.verdict} after {out.promotion.gate_s:.0f} s, {state}")
    lines.append(f"short-lived runtimes left: {out.runtimes_left}; {out.seconds:.0f} s in all")
    return lines


def _figures(best: Best) -> str:
    from flywheel.report.render import usd  # noqa: PLC0415 - jinja2

    quality = "not measured" if best.quality is None else f"{best.quality:.3f}"
    cost = "an unknown amount" if best.cost_per_item_usd is None else usd(best.cost_per_item_usd)
    latency = "not measured" if best.latency_p95_ms is None else f"{best.latency_p95_ms:.0f} ms"
    return f"{best.configuration} ({best.label}): quality {quality}, {cost} an item, p95 {latency}"


def _experiment(session: "Session", file: Path, console: Console) -> tuple["ExperimentRow", "ExperimentReport"]:
    """Run one file to its end, shown as it goes."""
    from cli import experiment_input, experiment_start, experiment_view, experiment_watch  # noqa: PLC0415
    from flywheel.report.experiment_model import read_experiment_report  # noqa: PLC0415

    asked = experiment_start.request_experiment(session, experiment_input.read_file(session, str(file)))
    code = experiment_watch.watch(session, asked, timeout_s=EXPERIMENT_TIMEOUT_S, as_json=False, console=console)
    row = experiment_view.find_experiment(session, asked)
    if code != 0:
        why = "; ".join(row.reasons[:3]) or "see flywheel experiment show"
        raise CommandError(f"experiment {row.experiment_id} of {file} is {row.outcome}: {why}")
    _, data = experiment_view.fetch_report(session, row, FOLDER / "experiments")
    return row, read_experiment_report(data.read_bytes())


def _verify(session: "Session", out: Experimented, console: Console, say: Say) -> None:
    grid = FOLDER / "experiment-grid.json"
    grid.write_text(as_grid(FILE.read_text("utf-8")))
    say("verifying: the same configurations by the full grid")
    _, report = _experiment(session, grid, console)
    out.grid_best = best_of(report)
    if out.best is not None:
        out.behind_grid = round(behind(out.best, report), 4)
    out.write()
    say(f"the sample's own form: {SAMPLE}")
    row, sample = _experiment(session, SAMPLE, console)
    out.sample = {
        "experiment_id": row.experiment_id,
        "configurations": len(sample.configurations),
        "invocations": sample.spent.invocations,
        "outcome": row.outcome,
        "recommended": row.recommended,
    }
    out.write()


def _promote(session: "Session", row: "ExperimentRow", say: Say) -> Promoted:
    from cli import experiment_promote  # noqa: PLC0415
    from cli.gate_watch import follow  # noqa: PLC0415

    began = time.monotonic()
    wish = experiment_promote.plan_promotion(session, row, None)
    experiment_promote.send(session, wish)
    say(f"asked for the gate of {wish.configuration.configuration_id} ({wish.configuration.label})")
    gate: GateRow = follow(session, wish.gate_id, timeout_s=GATE_TIMEOUT_S, show=say)
    release = session.releases.head().release
    return Promoted(
        gate_id=gate.gate_id,
        verdict=gate.verdict or "",
        promoted=gate.promoted,
        reasons=list(gate.against),
        measured=wish.configuration.candidate.candidate_id,
        released=None if release is None else release.candidate.candidate_id,
        gate_s=round(time.monotonic() - began, 1),
    )
