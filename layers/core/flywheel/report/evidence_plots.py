"""Decision -> geometry of the plots of its evidence: forest of slices, bars of e-values, what it took."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10

from flywheel.report.decision import AnchorEvidence, Certificate, Decision, Interval, SliceEvidence, Spent
from flywheel.report.plots import LEFT, RIGHT
from flywheel.report.scales import Scale, Span, ticks_between
from flywheel.report.text import one_line
from flywheel.report.words import after, evidence_text, interval_text, signed

FOREST_ROW = 50
MOST_ROWS = 60
BAR_WIDTH = 150.0
LEAST_DECADES = 2.0
_STATES = {"refuted": 0, "open": 1, "small": 2, "certified": 3}
_SAID = {
    "certified": "\N{CHECK MARK} certified",
    "refuted": "\N{MULTIPLICATION X} refuted",
    "open": "\N{WHITE CIRCLE} open",
    "small": "\N{WHITE DIAMOND} too small to certify, only refuted",
    "not_asked": "not asked",
}
_LABEL = 26


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One interval; x values are on the paper, None where there is none."""

    label: str
    note: str
    value: str
    state: str
    y: float
    mean_x: float | None
    low_x: float
    high_x: float


@dataclass(frozen=True, slots=True)
class ForestPlot:
    """`limit_x` None: nothing is held against a margin. `omitted` rows are in the table and in report.json."""

    rows: tuple[ForestRow, ...]
    height: float
    zero_x: float
    limit_x: float | None
    limit_text: str
    ticks: tuple[tuple[float, str], ...]
    omitted: int
    summary: str


@dataclass(frozen=True, slots=True)
class EvidenceBar:
    """Evidence for a claim and for its opposite on one logarithmic axis; widths from `LEFT` of its own paper."""

    width: float
    needed_x: float
    against_width: float | None
    against_needed_x: float | None
    reached: bool
    against_reached: bool


@dataclass(frozen=True, slots=True)
class SpentBar:
    label: str
    y: float
    width: float
    value: str
    kind: str


@dataclass(frozen=True, slots=True)
class SpentPlot:
    bars: tuple[SpentBar, ...]
    height: float
    summary: str


def state_text(state: str) -> str:
    """The state with its sign, which does not need colour to be told apart."""
    return _SAID.get(state, state)


def forest_plot(it: Decision) -> ForestPlot | None:
    """Slices, those that are refuted or open first; None when no slice has a difference."""
    slices = sorted(it.slices, key=lambda s: (_STATES.get(s.state, 9), s.slice))
    if not any(s.difference for s in slices):
        return None
    rows = [(s.slice, _slice_note(s), s.difference, str(s.state)) for s in slices[:MOST_ROWS]]
    text = f"slice margin {signed(it.slice_limit, 2)}"
    said = "; ".join(f"{s.slice}: {_interval_said(s.difference)}, {_slice_note(s)}" for s in slices[:MOST_ROWS])
    return _forest(rows, it.slice_limit, text, len(slices) - len(rows), said)


def anchor_plot(it: AnchorEvidence) -> ForestPlot | None:
    """One row: the difference from the anchor release; None before any pair."""
    if it.difference is None:
        return None
    limit = None if it.margin is None else -it.margin
    text = "" if limit is None else f"anchor margin {signed(limit, 3)}"
    note = f"{after(it.difference.pairs)} \N{MIDDLE DOT} {state_text(it.state)}"
    rows = [("candidate \N{MINUS SIGN} anchor", note, it.difference, str(it.state))]
    return _forest(rows, limit, text, 0, f"{_interval_said(it.difference)}, {it.state}; {text}")


def _forest(
    rows: Sequence[tuple[str, str, Interval | None, str]], limit: float | None, text: str, omitted: int, said: str
) -> ForestPlot:
    found = [i for _, _, i, _ in rows if i is not None]
    edges = [0.0] if limit is None else [0.0, limit]
    low = max(-1.0, min([*edges, *(i.low for i in found)]))
    high = min(1.0, max([*edges, *(i.high for i in found)]))
    room = 0.06 * max(high - low, 0.02)
    x = Span(low - room, high + room, LEFT, RIGHT)
    drawn = tuple(
        ForestRow(
            label=one_line(label, _LABEL),
            note=note,
            value="" if i is None else interval_text(i.mean, i.low, i.high),
            state=state,
            y=float(n * FOREST_ROW),
            mean_x=None if i is None else x.at(i.mean),
            low_x=x.at(i.low) if i else LEFT,
            high_x=x.at(i.high) if i else LEFT,
        )
        for n, (label, note, i, state) in enumerate(rows)
    )
    ticks = tuple((x.at(t), signed(t, 2).rstrip("0").rstrip(".") if t else "0") for t in ticks_between(x.low, x.high))
    limit_x = None if limit is None else x.at(limit)
    return ForestPlot(drawn, float(len(drawn) * FOREST_ROW), x.at(0.0), limit_x, text, ticks, omitted, said)


def _slice_note(it: SliceEvidence) -> str:
    state = state_text(it.state)
    if it.group is not None and it.state == "small":
        state = f"{_SAID['small'][0]} small: {it.group_state or 'open'} within {one_line(it.group, _LABEL)}"
    return f"{after(it.pairs)} \N{MIDDLE DOT} {state}"


def _interval_said(it: Interval | None) -> str:
    return "no difference was measured" if it is None else interval_text(it.mean, it.low, it.high)


def evidence_bars(certificates: Sequence[Certificate]) -> tuple[EvidenceBar, ...]:
    """One bar a certificate, all on the axis that the largest threshold needs; evidence of 1 or less has no length."""
    needed = [n for c in certificates for n in (c.needed, c.refuting_needed) if n is not None and n > 1]
    decades = max([LEAST_DECADES, *(log10(n) + 0.5 for n in needed)])
    axis = Scale(decades, 0.0, BAR_WIDTH)

    def at(value: float) -> float:
        return axis.at(log10(value)) if value > 1 else 0.0

    return tuple(
        EvidenceBar(
            width=at(c.evidence),
            needed_x=at(c.needed),
            against_width=None if c.refuting_evidence is None else at(c.refuting_evidence),
            against_needed_x=None if c.refuting_needed is None else at(c.refuting_needed),
            reached=c.state == "certified",
            against_reached=c.state == "refuted",
        )
        for c in certificates
    )


def evidence_said(it: Certificate) -> str:
    """The e-values of one claim in words, for those who cannot see the bars."""
    said = f"evidence for it {evidence_text(it.evidence)}, {evidence_text(it.needed)} needed"
    if it.refuting_evidence is not None and it.refuting_needed is not None:
        said += f"; against it {evidence_text(it.refuting_evidence)}, {evidence_text(it.refuting_needed)} needed"
    return said


def spent_plot(it: Spent) -> SpentPlot:
    """Invocations of this gate beside the fixed design's and the cap."""
    rows = [
        ("this gate", it.invocations, "used"),
        ("fixed-size test", it.fixed_invocations, "fixed"),
        ("cap", it.cap_invocations, "cap"),
    ]
    if not it.fixed_pairs:
        del rows[1]
    x = Scale(float(max(1, *(n for _, n, _ in rows))), 0.0, RIGHT - LEFT)
    bars = tuple(
        SpentBar(label, n * 34.0, max(x.at(float(count)), 1.0), f"{count:,}", kind)
        for n, (label, count, kind) in enumerate(rows)
    )
    said = "; ".join(f"{bar.label}: {bar.value} invocations" for bar in bars)
    return SpentPlot(bars, len(bars) * 34.0, said)
