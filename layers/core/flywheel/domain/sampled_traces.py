"""Traces with risk and topic -> what a sampler knows of them: checked columns, totals of the population, weights.

The chance that a trace is reviewed follows its weight, a mixture of three: half by risk, three tenths alike for every
trace, two tenths alike for every topic. Risk finds failures; the equal part bounds how heavy an unseen failure can be,
so that the failure rate can be estimated even when the risk is wrong; the topics find what is rare and silent.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flywheel.domain.json_words import shown
from flywheel.errors import InvalidRequestError

type Trace = tuple[str, float, str]

RISK_SHARE, UNIFORM_SHARE, TOPIC_SHARE = 0.5, 0.3, 0.2
# Risks are counted in whole units: sums of integers are the same in any order and over any shards.
_RISK_UNITS = 2.0**53


@dataclass(frozen=True, slots=True)
class Totals:
    """What the weights need of the whole population; totals of disjoint parts add up.

    `risk_units`: the sum of all risks, in units of 2^-53. `topics`: how many traces each topic has.
    """

    traces: int
    risk_units: int
    topics: Mapping[str, int]

    def __add__(self, other: "Totals") -> "Totals":
        topics = Counter(self.topics)
        topics.update(other.topics)
        return Totals(self.traces + other.traces, self.risk_units + other.risk_units, dict(topics))


@dataclass(frozen=True, slots=True)
class Columns:
    """Checked traces, each once, by column: a hundred thousand are handled a column at a time."""

    trace_ids: Sequence[str]
    risks: Sequence[float]
    topics: Sequence[str]
    risk_units: Sequence[int]

    def totals(self) -> Totals:
        return Totals(len(self.trace_ids), sum(self.risk_units), dict(Counter(self.topics)))


@dataclass(frozen=True, slots=True)
class Weighing:
    """The parts of a trace's weight, for a population of which all weights sum to 1.

    Where no trace has any risk, its share goes to the equal part: there is nothing else to go by.
    """

    by_risk_unit: float
    uniform: float
    by_topic: Mapping[str, float]

    def parts(self, risk_units: int, topic: str) -> dict[str, float]:
        return {"risk": self.by_risk_unit * risk_units, "uniform": self.uniform, "topic": self.by_topic[topic]}

    def weights(self, columns: Columns) -> list[float]:
        by_risk, uniform = self.by_risk_unit, self.uniform
        floor = {topic: uniform + part for topic, part in self.by_topic.items()}
        return [by_risk * units + floor[topic] for units, topic in zip(columns.risk_units, columns.topics, strict=True)]


def weighing(totals: Totals) -> Weighing:
    """How the traces of a population with these totals are weighed; it has at least one trace."""
    uniform = UNIFORM_SHARE if totals.risk_units else UNIFORM_SHARE + RISK_SHARE
    return Weighing(
        by_risk_unit=RISK_SHARE / totals.risk_units if totals.risk_units else 0.0,
        uniform=uniform / totals.traces,
        by_topic={topic: TOPIC_SHARE / (len(totals.topics) * count) for topic, count in totals.topics.items()},
    )


def columns(traces: Iterable[Trace]) -> Columns:
    """Check traces. Of a trace that is there several times, the entry with the highest risk counts, and of equal risks
    the first topic by name: the last signals to arrive are usually the worse ones, and no order can change it.

    Raises:
        InvalidRequestError: a trace is not (id, risk, topic) with an id that is not empty and a risk in [0, 1]; it says
            which one.
    """
    rows = list(traces)
    split = _split(rows) if set(map(type, rows)) <= {tuple} and set(map(len, rows)) <= {3} else None
    if split is None or not _all_fine(*split):
        for position, row in enumerate(rows):
            _check(position, row)
        split = _split(rows)
    if len(set(split[0])) < len(rows):
        split = _split(_once(rows))
    trace_ids, risks, topics = split
    return Columns(trace_ids, risks, topics, [int(risk * _RISK_UNITS) for risk in risks])


def _split(rows: Sequence[Trace]) -> tuple[list[str], list[float], list[str]]:
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]


def _all_fine(trace_ids: Sequence[Any], risks: Sequence[Any], topics: Sequence[Any]) -> bool:
    """Whether all values are what they should be: the usual case, decided a column at a time.

    False says only that each trace has to be looked at.
    """
    if set(map(type, trace_ids)) != {str} or set(map(type, topics)) != {str} or set(map(type, risks)) != {float}:
        return False
    # A NaN anywhere makes the sum NaN, and no comparison with NaN is true.
    return all(trace_ids) and min(risks) >= 0 and max(risks) <= 1 and sum(risks) >= 0


def _check(position: int, row: Any) -> None:
    if not isinstance(row, tuple | list) or len(row) != 3:  # noqa: PLR2004 - id, risk, topic
        raise InvalidRequestError(f"trace {position} is {shown(row)}; expected (id, risk, topic)")
    trace_id, risk, topic = row
    if not isinstance(trace_id, str) or not trace_id:
        raise InvalidRequestError(f"the id of trace {position} is {shown(trace_id)}; expected text")
    if isinstance(risk, bool) or not isinstance(risk, int | float) or not 0 <= risk <= 1:
        raise InvalidRequestError(f"the risk of trace {shown(trace_id)} is {shown(risk)}; expected a number in [0, 1]")
    if not isinstance(topic, str):
        raise InvalidRequestError(f"the topic of trace {shown(trace_id)} is {shown(topic)}; expected text")


def _once(rows: Sequence[Trace]) -> list[Trace]:
    kept: dict[str, Trace] = {}
    for row in rows:
        other = kept.get(row[0])
        if other is None or (-row[1], row[2]) < (-other[1], other[2]):
            kept[row[0]] = row
    return list(kept.values())
