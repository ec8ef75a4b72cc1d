"""Decision -> geometry of the plot of the difference and its confidence sequence over the number of pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from flywheel.report.decision import Certificate, Decision, PathPoint
from flywheel.report.plots import RIGHT, TURN, WIDTH
from flywheel.report.scales import Span, nice_ticks, ticks_between
from flywheel.report.words import after, interval_text, signed

LEFT = 44.0
TOP, BOTTOM = 24.0, 168.0
HEIGHT = 208.0
# Early confidence sequences are wider than anything that matters: the axis ends where the later ones do.
LATER = 0.34
MARKS_AT = 178.0


@dataclass(frozen=True, slots=True)
class Line:
    """A level that the difference is held against, with its name. `kind`: `zero`, or `limit` for what is required."""

    kind: Literal["zero", "limit"]
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Claims that were settled alike after the same number of pairs."""

    x: float
    pairs: int
    state: str
    said: str


@dataclass(frozen=True, slots=True)
class MeanMark:
    """Where the mean itself was settled; `turned`: the text stands to the left of its line."""

    x: float
    pairs: int
    state: str
    turned: bool


@dataclass(frozen=True, slots=True)
class PathPlot:
    """`band` is an outline, `lines_of_mean` are its unbroken parts, both as points of a polyline.

    The last interval is drawn by itself (`last_x`, from `low_y` to `high_y`): with a single look there is no band.
    """

    band: str
    mean: tuple[str, ...]
    last_x: float
    last_y: float
    low_y: float
    high_y: float
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]
    mean_mark: MeanMark | None
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    summary: str


def path_plot(it: Decision) -> PathPlot | None:
    """None when no pair was scored."""
    points = it.path
    if not points and it.difference is not None:
        points = (PathPoint(it.difference.pairs, it.difference.mean, it.difference.low, it.difference.high),)
    if not points:
        return None
    last = points[-1]
    x = Span(0.0, float(max(last.pairs, it.spent.pairs, 1)), LEFT, RIGHT)
    y = _vertical(it, points)
    upper = [f"{x.at(p.pairs)},{y.at(p.high)}" for p in points]
    lower = [f"{x.at(p.pairs)},{y.at(p.low)}" for p in reversed(points)]
    return PathPlot(
        band=" ".join([*upper, *lower]) if len(points) > 1 else "",
        mean=tuple(_unbroken(points, x, y)),
        last_x=x.at(last.pairs),
        last_y=y.at(last.mean),
        low_y=y.at(last.low),
        high_y=y.at(last.high),
        lines=_lines(it, y),
        marks=_marks(it.certificates, x),
        mean_mark=_mean_mark(it.certificates, x),
        x_ticks=tuple((x.at(t), f"{t:,.0f}") for t in nice_ticks(x.high, 4) if float(t).is_integer()),
        y_ticks=tuple((y.at(t), signed(t, 2) if t else "0") for t in ticks_between(y.low, y.high, 4)),
        summary=_said(it, last),
    )


def _vertical(it: Decision, points: Sequence[PathPoint]) -> Span:
    later = points[int(len(points) * LATER) :]
    values = [0.0, it.limit, *(p.low for p in later), *(p.high for p in later), *(p.mean for p in later)]
    # With few points the first of the later ones may still be wide; the last interval and the lines always fit.
    last = points[-1]
    widest = 2.5 * max(last.high - last.low, 0.04)
    low = max(min(values), min(last.low, it.limit, last.mean) - widest)
    high = min(max(values), max(last.high, 0.0, last.mean) + widest)
    low, high = max(low, -1.0), min(high, 1.0)
    room = 0.08 * max(high - low, 0.02)
    return Span(low - room, high + room, BOTTOM, TOP)


def _unbroken(points: Sequence[PathPoint], x: Span, y: Span) -> list[str]:
    """The line of the mean, broken where it leaves the axis: a line along the edge would be a false figure."""
    parts: list[list[str]] = [[]]
    for point in points:
        if y.holds(point.mean):
            parts[-1].append(f"{x.at(point.pairs)},{y.at(point.mean)}")
        elif parts[-1]:
            parts.append([])
    return [" ".join(part) for part in parts if len(part) > 1]


def _lines(it: Decision, y: Span) -> tuple[Line, ...]:
    if it.design == "one_sample":
        return (Line("limit", y.at(0.0), "minimum" if it.minimum is None else f"minimum {it.minimum:.2f}"),)
    return (
        Line("zero", y.at(0.0), "no difference"),
        Line("limit", y.at(it.limit), f"margin {signed(it.limit, 3)}"),
    )


def _marks(certificates: Sequence[Certificate], x: Span) -> tuple[Mark, ...]:
    settled: dict[tuple[int, str], list[str]] = {}
    for certificate in certificates:
        if certificate.at_pairs is not None and certificate.state in ("certified", "refuted"):
            name = certificate.claim if certificate.slice is None else f"{certificate.slice}: {certificate.claim}"
            settled.setdefault((certificate.at_pairs, certificate.state), []).append(name)
    return tuple(
        Mark(x.at(pairs), pairs, state, f"{state} after {after(pairs)}: {'; '.join(names)}")
        for (pairs, state), names in sorted(settled.items())
    )


def _mean_mark(certificates: Sequence[Certificate], x: Span) -> MeanMark | None:
    for it in certificates:
        if it.name == "mean" and it.at_pairs is not None and it.state in ("certified", "refuted"):
            at = x.at(it.at_pairs)
            return MeanMark(at, it.at_pairs, it.state, at > WIDTH * TURN)
    return None


def _said(it: Decision, last: PathPoint) -> str:
    what = "candidate minus minimum" if it.design == "one_sample" else "candidate minus incumbent"
    said = f"After {after(last.pairs)} {what} is {interval_text(last.mean, last.low, last.high)}"
    if it.design != "one_sample":
        said += f"; the margin is {signed(it.limit, 3)}"
    for certificate in it.certificates:
        if certificate.name == "mean" and certificate.at_pairs is not None:
            said += f"; the mean was {certificate.state} after {after(certificate.at_pairs)}"
    return said
