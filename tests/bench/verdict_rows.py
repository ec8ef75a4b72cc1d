"""Figures of the simulated worlds -> rows: what was observed, held against its limit, beside the naive rules; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.bench.goals import Bound, within
from tests.bench.simulation import Figures, Setting


@dataclass(frozen=True, slots=True)
class Limit:
    """One quantity of one world. `figure` names a field of `Figures`."""

    setting: Setting
    quantity: str
    figure: str
    bound: Bound
    limit: float


@dataclass(frozen=True, slots=True)
class Row:
    """`naive`: the same world under other rules, in the unit that its keys say (share promoted, unless said)."""

    world: str
    quantity: str
    observed: float
    bound: Bound
    limit: float
    naive: Mapping[str, float]

    @property
    def holds(self) -> bool:
        return within(self.observed, self.bound, self.limit)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"naive": dict(self.naive), "holds": self.holds}


def _passes(world: str, bound: Bound, limit: float) -> Limit:
    return Limit(Setting(world), "PASS share", "passed", bound, limit)


def _fails(world: str, limit: float) -> Limit:
    return Limit(Setting(world), "FAIL share", "failed", "at most", limit)


def _costs(world: str, limit: float, wave: int | None = None) -> Limit:
    setting = Setting(world) if wave is None else Setting(world, wave)
    words = "mean invocations" if wave is None else f"mean invocations, {wave} pairs a look"
    return Limit(setting, words, "invocations", "at most", limit)


WAVE = 50
LIMITS = (
    _passes("equal", "at least", 0.95),
    _fails("equal", 0.05),
    _costs("equal", 310),
    Limit(Setting("equal"), "95th percentile of invocations", "invocations_p95", "at most", 620),
    _costs("equal", 380, WAVE),
    _passes("plus-5", "at least", 0.99),
    _passes("minus-10", "at most", 0.05),
    _passes("minus-10-proportional", "at most", 0.05),
    _passes("scattered", "at most", 0.05),
    _passes("half-of-a-slice", "at most", 0.05),
    _passes("slice-by-half", "at most", 0.05),
    _passes("broken-slice", "at most", 0.01),
    _costs("broken-slice", 240),
    _passes("candidate-errs", "at most", 0.05),
    _passes("both-err", "at most", 0.05),
    _fails("both-err", 0.25),
    _fails("coin-flips", 0.05),
    _costs("cached-equal", 135),
    _passes("cached-minus-10", "at most", 0.05),
    _fails("cached-drift", 0.05),
    _passes("deterministic", "at least", 0.95),
    _fails("deterministic", 0.05),
)


def observed(limit: Limit, found: Figures) -> float:
    return float(getattr(found, limit.figure))


HEADINGS = ("world", "quantity", "observed", "limit", "", "the same world under other rules (gates: share promoted)")


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line a row: world, quantity, observed, limit, met or MISSED, and the naive figures where they change."""
    cells = [HEADINGS]
    before = None
    for row in rows:
        naive = "  ".join(f"{name}: {shown(value)}" for name, value in row["naive"].items())
        limit = f"{row.get('bound', '')} {shown(row['limit'])}".strip()
        met = "met" if row["holds"] else "MISSED"
        cells.append(
            (row["world"], row["quantity"], shown(row["observed"]), limit, met, "" if naive == before else naive)
        )
        before = naive
    widths = [max(len(line[column]) for line in cells) for column in range(6)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def shown(value: Any) -> str:
    """A share or a change of the mean with four digits, a count without any."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.4g}"
