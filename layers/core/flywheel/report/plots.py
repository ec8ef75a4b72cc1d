"""Figures of a report -> geometry of its plots, in units of a paper `WIDTH` wide; templates/plots.html.j2 draws it."""

from collections.abc import Sequence
from dataclasses import dataclass

from flywheel.domain.outcome import Arm
from flywheel.report.model import ItemDifference, MetricRow, Report
from flywheel.report.scales import Scale, histogram, nice_ticks

WIDTH = 360
LEFT, RIGHT = 8.0, 352.0
BINS = 32
ROW_HEIGHT = 56
MOST_BARS = 344
SAME = 0.0005
SECOND_MS = 1_000
WITH_TENTHS_MS = 20_000
NOTHING = "\N{EN DASH}"
# A text at a line turns to the line's other side where it would leave the paper.
TURN = 0.62


@dataclass(frozen=True, slots=True)
class ScoreBar:
    """One row of the score plot; x values are on the paper, None where there is nothing to draw."""

    label: str
    y: float
    candidate: float | None
    candidate_x: float
    incumbent: float | None
    incumbent_x: float
    required: float | None
    required_x: float
    met: bool | None
    trials: int


@dataclass(frozen=True, slots=True)
class ScorePlot:
    bars: tuple[ScoreBar, ...]
    height: float
    ticks: tuple[tuple[float, str], ...]
    summary: str


@dataclass(frozen=True, slots=True)
class Band:
    """One arm of the latency plot: rectangles (x, y, width, height), its 95th percentile and where that lies."""

    arm: Arm
    boxes: tuple[tuple[float, float, float, float], ...]
    p95_ms: int | None
    p95_x: float
    trials: int


@dataclass(frozen=True, slots=True)
class LatencyPlot:
    """`beyond` counts trials over the end of the axis (drawn in the last bin); `budget_x` None: beyond the axis."""

    bands: tuple[Band, ...]
    height: float
    zero_y: float
    bottom_y: float
    ticks: tuple[tuple[float, str], ...]
    budget_ms: int | None
    budget_x: float | None
    budget_turned: bool
    beyond: int
    top_ms: float
    summary: str


@dataclass(frozen=True, slots=True)
class DifferencePlot:
    """Bars (x, y, width, height, kind) from the largest loss to the largest gain."""

    bars: tuple[tuple[float, float, float, float, str], ...]
    worse: int
    same: int
    better: int
    shown: int
    summary: str


def points(value: float | None) -> str:
    """A score for people: three digits, or a dash where there is none."""
    return NOTHING if value is None else f"{value:.3f}"


def seconds(ms: float) -> str:
    """A duration for people: `850 ms`, `3.2 s`, `45 s`."""
    if ms < SECOND_MS:
        return f"{ms:.0f} ms"
    return f"{ms / SECOND_MS:.1f} s" if ms < WITH_TENTHS_MS and ms % SECOND_MS else f"{ms / SECOND_MS:.0f} s"


def score_plot(rows: Sequence[MetricRow], metric: str) -> ScorePlot | None:
    """Means of `metric` over all items and per slice; None when neither arm has any."""
    own = [r for r in rows if r.metric == metric and (r.candidate is not None or r.incumbent is not None)]
    if not own:
        return None
    x = Scale(1.0, LEFT, RIGHT)
    bars = tuple(
        ScoreBar(
            label=row.slice or "all items",
            y=n * ROW_HEIGHT,
            candidate=row.candidate,
            candidate_x=x.at(row.candidate or 0.0),
            incumbent=row.incumbent,
            incumbent_x=x.at(row.incumbent or 0.0),
            required=row.required,
            required_x=x.at(row.required or 0.0),
            met=None if row.required is None or row.candidate is None else row.candidate >= row.required,
            trials=row.candidate_trials,
        )
        for n, row in enumerate(own)
    )
    said = "; ".join(
        f"{b.label}: candidate {points(b.candidate)}"
        + (f", incumbent {points(b.incumbent)}" if b.incumbent is not None else "")
        + (f", required {b.required:.2f}" if b.required is not None else "")
        for b in bars
    )
    ticks = tuple((x.at(t), f"{t:g}") for t in nice_ticks(1.0, 4))
    return ScorePlot(bars, len(bars) * ROW_HEIGHT, ticks, said)


def latency_plot(report: Report) -> LatencyPlot | None:
    """Distribution of the agent's own duration, the candidate above the line, the incumbent below it."""
    arms = [f for f in report.arms if f.latencies_ms]
    if not arms:
        return None
    budget = report.latency_budget_ms
    top = _latency_top([v for f in arms for v in f.latencies_ms], budget)
    x = Scale(top, LEFT, RIGHT)
    counts = {f.arm: histogram(f.latencies_ms, top, BINS) for f in arms}
    # Shares, not counts: an arm with fewer trials must not look faster.
    shares = {f.arm: [c / len(f.latencies_ms) for c in counts[f.arm]] for f in arms}
    tallest = max(max(s) for s in shares.values())
    half, zero_y = 62.0, 88.0
    step = (RIGHT - LEFT) / BINS
    bands = tuple(
        Band(
            arm=f.arm,
            boxes=tuple(
                (
                    round(LEFT + n * step + 0.5, 2),
                    round(zero_y - share / tallest * half if f.arm == "candidate" else zero_y + 1, 2),
                    round(step - 1, 2),
                    round(share / tallest * half, 2),
                )
                for n, share in enumerate(shares[f.arm])
                if share
            ),
            p95_ms=f.latency_p95_ms,
            p95_x=x.at(f.latency_p95_ms or 0),
            trials=len(f.latencies_ms),
        )
        for f in arms
    )
    bottom = zero_y + (half + 6 if any(f.arm == "incumbent" for f in arms) else 2)
    budget_x = x.at(budget) if budget is not None and budget <= top else None
    said = "; ".join(
        f"{f.arm}: median {seconds(f.latency_p50_ms or 0)}, 95th percentile {seconds(f.latency_p95_ms or 0)}, "
        f"longest {seconds(f.latency_max_ms or 0)}"
        for f in arms
    )
    return LatencyPlot(
        bands=bands,
        height=bottom + 22,
        zero_y=zero_y,
        bottom_y=bottom,
        ticks=tuple((x.at(t), seconds(t) if t else "0") for t in nice_ticks(top, 5)),
        budget_ms=budget,
        budget_x=budget_x,
        budget_turned=budget_x is not None and budget_x > WIDTH * TURN,
        beyond=sum(v > top for f in arms for v in f.latencies_ms),
        top_ms=top,
        summary=said + (f"; budget for the 95th percentile {seconds(budget)}" if budget is not None else ""),
    )


def _latency_top(values: Sequence[int], budget: int | None) -> float:
    """End of the axis: all values, unless a few of them would squeeze the rest flat; the budget when it is near."""
    ordered = sorted(values)
    most = float(max(ordered[-1], 1))
    bulk = float(max(ordered[int(len(ordered) * 0.95) - 1] if len(ordered) > 1 else ordered[0], 1))
    end = min(most, 3 * bulk)
    if budget is not None and end < budget <= 3 * end:
        end = float(budget)
    return end * 1.06


def difference_plot(rows: Sequence[ItemDifference]) -> DifferencePlot | None:
    """Difference of each item's score; None without an incumbent. Of very many items an even choice is drawn."""
    if not rows:
        return None
    shown = list(rows)
    if len(shown) > MOST_BARS:
        shown = [rows[round(n * (len(rows) - 1) / (MOST_BARS - 1))] for n in range(MOST_BARS)]
    step = (RIGHT - LEFT) / len(shown)
    width = max(0.6, min(14.0, step * 0.8))
    zero, half = 72.0, 62.0
    bars = []
    for n, row in enumerate(shown):
        x = round(LEFT + n * step + (step - width) / 2, 2)
        kind = _kind(row.difference)
        height = round(min(1.0, abs(row.difference)) * half, 2)
        y, height = (zero - 1, 2.0) if kind == "same" else (zero if kind == "worse" else zero - height, height)
        bars.append((x, round(y, 2), round(width, 2), height, kind))
    kinds = [_kind(r.difference) for r in rows]
    worse, same, better = (kinds.count(k) for k in ("worse", "same", "better"))
    said = f"Of {len(rows)} items the candidate is worse on {worse}, the same on {same}, better on {better}"
    return DifferencePlot(tuple(bars), worse, same, better, len(shown), said)


def _kind(difference: float) -> str:
    if abs(difference) < SAME:
        return "same"
    return "worse" if difference < 0 else "better"
