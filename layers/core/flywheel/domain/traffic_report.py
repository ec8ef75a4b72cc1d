"""Rows of all workers -> the report of a run. Merging is exact: the report is made of all values, not of summaries."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from flywheel.domain.quantile import percentile
from flywheel.domain.strict import STRICT, first_problems
from flywheel.domain.traffic_results import PartResult, TurnResult
from flywheel.errors import InvalidRequestError

BUCKETS = 40
_MOST_TRACES = 20
# Such a turn took at least as long as was waited for it, so it counts among the response times.
WAITED_FOR = frozenset({"timeout", "abandoned"})
MEASURED_FROM = "intended arrival: a wait before sending counts, so coordinated omission is excluded"


@dataclass(frozen=True, slots=True)
class Latency:
    """Nearest-rank percentiles in ms."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    p50_ms: int
    p95_ms: int
    p99_ms: int
    max_ms: int
    count: int


@dataclass(frozen=True, slots=True)
class Moment:
    """A part of the run's time: turns that were due in it. Percentiles are None when nothing answered."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    from_s: float
    to_s: float
    turns: int
    errored: int
    p50_ms: int | None
    p95_ms: int | None


@dataclass(frozen=True, slots=True)
class OfPersona:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    persona: str
    turns: int
    errored: int
    refused: int
    p95_ms: int | None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run was, beside its results. `profile` is in words; `stand_ins`: what stood in for a real service."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    run_id: str
    environment: str
    started_at: str
    seed: int
    profile: str
    duration_s: float
    parts: int
    candidate_id: str = ""
    failure: str = ""
    stand_ins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrafficReport:
    """`latency`: from the intended time; `service`: from sending; None when no turn had a response time.

    `success_rate`: replies, refusals among them, per turn sent; None when none was. `arrivals` = `conversations` +
    `turned_away` + `unsent`. `refused_other` are refusals of what need not be refused. `cost_usd` sums what is known;
    `unpriced` turns have no known cost. `missing_parts` left no result.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    facts: RunFacts
    arrivals: int
    conversations: int
    turned_away: int
    unsent: int
    cut_short: int
    sessions_left: int
    turns: int
    success_rate: float | None
    errors: dict[str, int]
    harmful: int
    harmful_refused: int
    harmful_answered: int
    refused_other: int
    cost_usd: float
    unpriced: int
    stopped_by: dict[str, int]
    missing_parts: tuple[int, ...]
    latency: Latency | None
    service: Latency | None
    moments: tuple[Moment, ...]
    personas: tuple[OfPersona, ...]
    harmful_answered_traces: tuple[str, ...] = ()
    measured_from: str = MEASURED_FROM
    synthetic: bool = True


def build_report(facts: RunFacts, parts: Sequence[PartResult]) -> TrafficReport:
    """The same whatever the order of the parts, and whether the rows came in one part or in many."""
    turns = sorted((turn for part in parts for turn in part.turns), key=lambda one: (one.arrival, one.turn))
    replies = [one for one in turns if one.outcome != "errored"]
    harmful = [one for one in replies if one.must_refuse]
    answered = [one for one in harmful if one.outcome == "answered"]
    return TrafficReport(
        facts=facts,
        arrivals=sum(part.arrivals for part in parts),
        conversations=sum(part.conversations for part in parts),
        turned_away=sum(part.turned_away for part in parts),
        unsent=sum(part.unsent for part in parts),
        cut_short=sum(part.cut_short for part in parts),
        sessions_left=sum(part.sessions_left for part in parts),
        turns=len(turns),
        success_rate=len(replies) / len(turns) if turns else None,
        errors=dict(sorted(Counter(one.error for one in turns if one.outcome == "errored").items())),
        harmful=sum(one.must_refuse for one in turns),
        harmful_refused=len(harmful) - len(answered),
        harmful_answered=len(answered),
        refused_other=sum(one.outcome == "refused" and not one.must_refuse for one in turns),
        # In whole millionths, so that no order of adding changes it.
        cost_usd=sum(round((one.cost_usd or 0.0) * 1_000_000) for one in turns) / 1_000_000,
        unpriced=sum(one.cost_usd is None for one in turns),
        stopped_by=dict(sorted(Counter(part.stopped_by for part in parts).items())),
        missing_parts=tuple(sorted(set(range(facts.parts)) - {part.part for part in parts})),
        latency=_latency([one.latency_ms for one in timed(turns)]),
        service=_latency([one.service_ms for one in timed(turns)]),
        moments=_moments(turns, facts.duration_s),
        personas=_personas(turns),
        harmful_answered_traces=tuple(one.trace_id for one in answered if one.trace_id)[:_MOST_TRACES],
    )


def timed(turns: Sequence[TurnResult]) -> list[TurnResult]:
    """Turns with a response time: replies, and those that were waited for in vain. A quick error has none."""
    return [one for one in turns if one.outcome != "errored" or one.error in WAITED_FOR]


def _latency(values: Sequence[int]) -> Latency | None:
    if not values:
        return None
    p50, p95, p99 = (round(percentile(values, share)) for share in (0.5, 0.95, 0.99))
    return Latency(p50, p95, p99, max(values), len(values))


def _moments(turns: Sequence[TurnResult], duration_s: float) -> tuple[Moment, ...]:
    # Follow-ups are due after the last arrival, too.
    end = max([duration_s, *(one.at_s for one in turns)])
    width = end / BUCKETS
    buckets: list[list[TurnResult]] = [[] for _ in range(BUCKETS)]
    for one in turns:
        buckets[min(BUCKETS - 1, max(0, int(one.at_s / width)))].append(one)
    found = []
    for number, bucket in enumerate(buckets):
        values = [one.latency_ms for one in timed(bucket)]
        found.append(
            Moment(
                from_s=round(number * width, 3),
                to_s=round((number + 1) * width, 3),
                turns=len(bucket),
                errored=sum(one.outcome == "errored" for one in bucket),
                p50_ms=round(percentile(values, 0.5)) if values else None,
                p95_ms=round(percentile(values, 0.95)) if values else None,
            )
        )
    return tuple(found)


def _personas(turns: Sequence[TurnResult]) -> tuple[OfPersona, ...]:
    rows: dict[str, list[TurnResult]] = {}
    for one in turns:
        rows.setdefault(one.persona, []).append(one)
    return tuple(
        OfPersona(
            persona=name,
            turns=len(own),
            errored=sum(one.outcome == "errored" for one in own),
            refused=sum(one.outcome == "refused" for one in own),
            p95_ms=round(percentile(values, 0.95)) if (values := [one.latency_ms for one in timed(own)]) else None,
        )
        for name, own in sorted(rows.items())
    )


_REPORT: TypeAdapter[TrafficReport] = TypeAdapter(TrafficReport)


def dump_report(report: TrafficReport) -> bytes:
    """The file of a report; `load_report` reverses it."""
    return _REPORT.dump_json(report, indent=1)


def load_report(text: str | bytes) -> TrafficReport:
    """Raise `InvalidRequestError` when it is no report of traffic."""
    try:
        return _REPORT.validate_json(text)
    except ValidationError as error:
        raise InvalidRequestError(f"not a report of traffic: {first_problems(error)}") from error
