"""Report of an experiment -> geometry of its plots: quality against cost and latency, effects of the dimensions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Literal

from flywheel.domain.experiment_effects import Effect
from flywheel.domain.item_intervals import Figure
from flywheel.report.evidence_plots import FOREST_ROW, MOST_ROWS, ForestPlot, ForestRow
from flywheel.report.experiment_model import ConfigurationRow, ExperimentReport
from flywheel.report.labels import Box, place
from flywheel.report.plots import LEFT as FOREST_LEFT
from flywheel.report.plots import RIGHT as FOREST_RIGHT
from flywheel.report.plots import seconds
from flywheel.report.render import usd
from flywheel.report.scales import Span, ticks_between
from flywheel.report.text import one_line
from flywheel.report.words import MINUS

WIDTH, HEIGHT = 520.0, 344.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 508.0, 14.0, 300.0
# From this ratio on between the largest and the smallest, an axis is logarithmic.
_LOGARITHMIC = 8.0
_ROOM = 0.09
_LABEL = 30

type PointKind = Literal["recommended", "front", "remaining", "stopped", "breach"]
_ORDER: tuple[PointKind, ...] = ("stopped", "breach", "remaining", "front", "recommended")


@dataclass(frozen=True, slots=True)
class Point:
    """One configuration on the paper. The ends of its intervals are cut off at the edge; None: it has no interval."""

    name: str
    kind: PointKind
    x: float
    y: float
    low_x: float | None
    high_x: float | None
    low_y: float | None
    high_y: float | None
    label: Box | None
    said: str


@dataclass(frozen=True, slots=True)
class ParetoPlot:
    """`front`: an SVG path over what no other beats in these two. `unlabelled`: labels that found no free place."""

    title: str
    points: tuple[Point, ...]
    front: str
    ticks_x: tuple[tuple[float, str], ...]
    ticks_y: tuple[tuple[float, str], ...]
    logarithmic: bool
    unlabelled: int
    summary: str


def cost_plot(report: ExperimentReport) -> ParetoPlot | None:
    """Quality against the cost of an item; None when fewer than two configurations have both."""
    return _pareto(report, "cost of an item", lambda row: row.cost_per_item_usd, usd)


def latency_plot(report: ExperimentReport) -> ParetoPlot | None:
    """Quality against median latency; None when fewer than two configurations have both."""
    return _pareto(report, "median latency", lambda row: row.latency_p50_ms, seconds)


def _pareto(
    report: ExperimentReport,
    what: str,
    figure_of: Callable[[ConfigurationRow], Figure | None],
    shown: Callable[[float], str],
) -> ParetoPlot | None:
    rows = [(row, q, x) for row in report.configurations if (q := row.quality) and (x := figure_of(row))]
    fewest = 2
    if len(rows) < fewest:
        return None
    values = [x.value for _, _, x in rows]
    logarithmic = min(values) > 0 and max(values) / min(values) >= _LOGARITHMIC
    scale: Callable[[float], float] = (lambda v: log10(max(v, 1e-12))) if logarithmic else (lambda v: v)
    across = _span([scale(v) for v in values], LEFT, RIGHT)
    up = _span([*(q.value for _, q, _ in rows), *_ends(rows)], BOTTOM, TOP, most=1.0)
    kinds = {row.configuration_id: _kind(row) for row, _, _ in rows}
    at = {row.configuration_id: (across.at(scale(x.value)), up.at(q.value)) for row, q, x in rows}
    named = sorted(at, key=lambda name: -_ORDER.index(kinds[name]))
    labels = place({name: at[name] for name in named}, Box(LEFT, TOP, RIGHT - LEFT, BOTTOM - TOP))
    points = [
        Point(
            name=row.configuration_id,
            kind=kinds[row.configuration_id],
            x=at[row.configuration_id][0],
            y=at[row.configuration_id][1],
            low_x=None if x.low is None else across.at(scale(x.low)),
            high_x=None if x.high is None else across.at(scale(x.high)),
            low_y=None if q.low is None else up.at(q.low),
            high_y=None if q.high is None else up.at(q.high),
            label=labels.get(row.configuration_id),
            said=f"{row.configuration_id} ({row.label}): quality {q.value * 100:.1f}, {what} {shown(x.value)}",
        )
        for row, q, x in rows
    ]
    points.sort(key=lambda point: _ORDER.index(point.kind))
    ticks = _decades(across.low, across.high) if logarithmic else ticks_between(across.low, across.high, 5)
    return ParetoPlot(
        title=f"Quality against {what}",
        points=tuple(points),
        front=_steps([point for point in points if point.kind != "breach"]),
        ticks_x=tuple((across.at(scale(t)), shown(t)) for t in ticks if t >= 0),
        ticks_y=tuple((up.at(t), f"{t * 100:g}") for t in ticks_between(up.low, up.high, 5)),
        logarithmic=logarithmic,
        unlabelled=len(rows) - len(labels),
        summary="; ".join(point.said for point in reversed(points)),
    )


def _ends(rows: Sequence[tuple[ConfigurationRow, Figure, Figure]]) -> list[float]:
    """Ends of the intervals of those that matter most; the others' may be cut off at the edge."""
    found = [(q.low, q.high) for row, q, _ in rows if row.on_front or row.state == "recommended"]
    return [end for ends in found for end in ends if end is not None]


def _span(values: Sequence[float], start: float, end: float, most: float | None = None) -> Span:
    low, high = min(values), max(values)
    room = _ROOM * (high - low) or abs(high) * _ROOM or _ROOM
    top = high + room
    return Span(low - room, top if most is None else min(top, most + 0.02), start, end)


def _kind(row: ConfigurationRow) -> PointKind:
    if row.state == "recommended":
        return "recommended"
    if row.breaches:
        return "breach"
    if row.on_front:
        return "front"
    return "stopped" if row.state == "stopped" else "remaining"


def _steps(points: Sequence[Point]) -> str:
    """From the cheapest on, a step up wherever more is to be had for more."""
    path, best = "", BOTTOM + 1
    for point in sorted(points, key=lambda point: (point.x, point.y)):
        if point.y < best:
            path += f"H{point.x}V{point.y}" if path else f"M{point.x} {BOTTOM}V{point.y}"
            best = point.y
    return f"{path}H{RIGHT}" if path else ""


def _decades(low: float, high: float) -> list[float]:
    """1, 2 and 5 of each decade; the powers alone when that is too many."""
    powers = range(floor(low), floor(high) + 1)
    ticks = [m * 10.0**p for p in powers for m in (1, 2, 5) if low <= log10(m * 10.0**p) <= high]
    many = 7
    return ticks if len(ticks) <= many else [t for t in ticks if log10(t).is_integer()] or ticks[::2]


def effects_plot(effects: Sequence[Effect]) -> ForestPlot | None:
    """One row for each value that is held against the first one of its dimension; None when nothing varies."""
    if not effects:
        return None
    ends = [
        end for e in effects if e.quality for end in (e.quality.low, e.quality.high, e.quality.value) if end is not None
    ]
    reach = max(0.02, *(abs(end) for end in ends), 0.0) * 1.08
    x = Span(-reach, reach, FOREST_LEFT, FOREST_RIGHT)
    rows = [_effect_row(effect, n * FOREST_ROW, x) for n, effect in enumerate(effects[:MOST_ROWS])]
    return ForestPlot(
        rows=tuple(rows),
        height=len(rows) * FOREST_ROW,
        zero_x=x.at(0.0),
        limit_x=None,
        limit_text="",
        ticks=tuple(
            (x.at(t), f"{t * 100:+g}".replace("-", MINUS) if t else "0") for t in ticks_between(-reach, reach, 4)
        ),
        omitted=len(effects) - len(rows),
        summary="; ".join(f"{row.label} {row.note}: {row.value}" for row in rows),
    )


def _effect_row(effect: Effect, y: float, x: Span) -> ForestRow:
    label = one_line(f"{effect.dimension}: {effect.value}", _LABEL)
    note = f"against {one_line(effect.reference, 20)}"
    figure = effect.quality
    if figure is None:
        return ForestRow(label, f"{note}; nothing is alike in everything else", "not known", "open", y, None, 0.0, 0.0)
    note += f"; {effect.pairs} pair{'' if effect.pairs == 1 else 's'}, {effect.items} items"
    for name, ratio in (("latency", effect.latency_ratio), ("cost", effect.cost_ratio)):
        note += "" if ratio is None else f"; {name} \N{MULTIPLICATION SIGN}{ratio:.2g}"
    value = f"{figure.value * 100:+.1f}"
    low, high = figure.low, figure.high
    if low is None or high is None:
        return ForestRow(
            label,
            note,
            value.replace("-", MINUS),
            "open",
            y,
            x.at(figure.value),
            x.at(figure.value),
            x.at(figure.value),
        )
    value += f" ({low * 100:+.1f} to {high * 100:+.1f})"
    state = "certified" if low > 0 else "refuted" if high < 0 else "open"
    return ForestRow(label, note, value.replace("-", MINUS), state, y, x.at(figure.value), x.at(low), x.at(high))
