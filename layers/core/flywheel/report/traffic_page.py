"""Report of a run of synthetic users -> one HTML file with its response times over time; needs nothing else."""

from dataclasses import dataclass

from flywheel.domain.traffic_report import TrafficReport
from flywheel.report.plots import RIGHT, seconds
from flywheel.report.render import page_environment
from flywheel.report.scales import Scale, nice_ticks

_TOP, _ZERO = 14.0, 150.0
_FIRST = 52.0  # what is left of it names the lines of the grid
_COUNTS_TOP, _COUNTS_ZERO = 178.0, 218.0


@dataclass(frozen=True, slots=True)
class TimePlot:
    """Latency over time: two lines as SVG paths, which break where nothing answered; below them, turns that were due.

    `boxes` are rectangles (x, y, width, height) of replies, `errored` those of errors on top of them.
    """

    p50: str
    p95: str
    boxes: tuple[tuple[float, float, float, float], ...]
    errored: tuple[tuple[float, float, float, float], ...]
    ticks_x: tuple[tuple[float, str], ...]
    ticks_y: tuple[tuple[float, str], ...]
    most_turns: int
    summary: str


def render_traffic(report: TrafficReport) -> str:
    """The page for people; it forbids itself to load or run anything."""
    return page_environment().get_template("traffic.html.j2").render(r=report, plot=time_plot(report))


def time_plot(report: TrafficReport) -> TimePlot | None:
    """None when nothing was sent."""
    moments = report.moments
    if not report.turns:
        return None
    end = moments[-1].to_s
    top = max([1, *(one.p95_ms or 0 for one in moments)])
    most = max(one.turns for one in moments)
    x, y = Scale(end, _FIRST, RIGHT), Scale(top * 1.05, _ZERO, _TOP)
    tall = Scale(most, 0.0, _COUNTS_ZERO - _COUNTS_TOP)
    boxes, errored = [], []
    for one in moments:
        left, wide = x.at(one.from_s), round(x.at(one.to_s) - x.at(one.from_s) - 0.8, 2)
        good, bad = tall.at(one.turns - one.errored), tall.at(one.errored)
        if good:
            boxes.append((left, round(_COUNTS_ZERO - good, 2), wide, good))
        if bad:
            errored.append((left, round(_COUNTS_ZERO - good - bad, 2), wide, bad))
    middles = [x.at((one.from_s + one.to_s) / 2) for one in moments]
    latency = report.latency
    said = f"median {seconds(latency.p50_ms)}, 95th percentile {seconds(latency.p95_ms)}" if latency else "no answer"
    return TimePlot(
        p50=_path(
            [(at, None if one.p50_ms is None else y.at(one.p50_ms)) for at, one in zip(middles, moments, strict=True)]
        ),
        p95=_path(
            [(at, None if one.p95_ms is None else y.at(one.p95_ms)) for at, one in zip(middles, moments, strict=True)]
        ),
        boxes=tuple(boxes),
        errored=tuple(errored),
        ticks_x=tuple((x.at(t), f"{t:g} s") for t in nice_ticks(end, 5)),
        ticks_y=tuple((y.at(t), seconds(t) if t else "0") for t in nice_ticks(top * 1.05, 4)),
        most_turns=most,
        summary=f"{said}; at most {most} turns in {end / len(moments):.1f} s",
    )


def _path(points: list[tuple[float, float | None]]) -> str:
    parts = []
    drawing = False
    for at, value in points:
        if value is None:
            drawing = False
            continue
        # A point alone is drawn as a short stroke.
        parts.append(f"L{at} {value}" if drawing else f"M{at} {value}h1.5")
        drawing = True
    return "".join(parts)
