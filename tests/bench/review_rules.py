"""One day of traces -> what people who review 200 of them would find and say of the failure rate, by one rule; pure.

The sampler is the product's own. Beside it stand the usual rules, and mutants of the sampler: wrong on purpose.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import fsum, sqrt
from random import Random
from statistics import fmean
from unittest import mock

from flywheel.domain import sampled_traces, sampling
from flywheel.domain.binomial_interval import clopper_pearson
from flywheel.domain.sampled_traces import Trace, columns, weighing
from flywheel.domain.sampling import Estimate, Selected, estimate, select
from tests.bench.traffic import RARE, Traffic, position, upstream

Z = 1.959964
type Review = tuple[float, bool]
type Select = Callable[[Sequence[Trace], int, bytes], list[Selected]]
type Estimating = Callable[[Sequence[Review], int], Estimate]


@dataclass(frozen=True, slots=True)
class Reviewed:
    """`truth`: the day's failure rate. `rare`: bad rare topics of which a failure was seen.

    `stands_for`: the sum of 1 / probability over the traces there are; 1 on average, if the probabilities are true.
    """

    truth: float
    said: Estimate
    reviews: int
    failures: int
    rare: frozenset[str]
    population: int
    stands_for: float = 1.0
    sample: tuple[Review, ...] = ()


@dataclass(frozen=True, slots=True)
class Design:
    """Who is reviewed, and what is concluded."""

    select: Select = select
    estimate: Estimating = estimate


def by_sampler(design: Design, traffic: Traffic, day: range, budget: int, key: bytes) -> Reviewed:
    """Select, let the reviewers find out, estimate."""
    traces = traffic.traces[day.start : day.stop]
    chosen = design.select(traces, budget, key)
    seen = [position(one.trace_id) for one in chosen]
    sample = tuple((one.inclusion_probability, traffic.failed[at]) for one, at in zip(chosen, seen, strict=True))
    stands_for = fsum(1 / probability for probability, _ in sample) / len(day)
    said = design.estimate(sample, len(day))
    return _reviewed(traffic, day, seen, said, stands_for=stands_for, sample=sample)


def uniform(traffic: Traffic, day: range, budget: int, rng: Random) -> Reviewed:
    return _plainly(traffic, day, rng.sample(day, budget))


def flagged_only(traffic: Traffic, day: range, budget: int, rng: Random) -> Reviewed:
    """Traces with an error or a thumb down, as many at random as there is budget for."""
    flagged = [at for at in traffic.flagged if at in day]
    return _plainly(traffic, day, rng.sample(flagged, min(budget, len(flagged))))


def top_risk(traffic: Traffic, day: range, budget: int, _rng: Random) -> Reviewed:
    highest = (at for at in traffic.by_risk if at in day)
    return _plainly(traffic, day, [at for at, _ in zip(highest, range(budget), strict=False)])


NAIVE = {"uniform, Wald": uniform, "flagged only": flagged_only, "top risk": top_risk}


def _plainly(traffic: Traffic, day: range, seen: Sequence[int]) -> Reviewed:
    """The mean with the textbook's interval (Wald), as if the reviewed ones had been drawn alike."""
    rate = fmean(traffic.failed[at] for at in seen)
    half = Z * sqrt(rate * (1 - rate) / len(seen))
    return _reviewed(traffic, day, seen, Estimate(rate, max(0.0, rate - half), min(1.0, rate + half)))


def _reviewed(
    traffic: Traffic,
    day: range,
    seen: Sequence[int],
    said: Estimate,
    *,
    stands_for: float = 1.0,
    sample: tuple[Review, ...] = (),
) -> Reviewed:
    failing = [at for at in seen if traffic.failed[at]]
    return Reviewed(
        truth=traffic.failure_rate(day),
        said=said,
        reviews=len(seen),
        failures=len(failing),
        rare=frozenset(traffic.traces[at][2] for at in failing) & frozenset(RARE),
        population=len(day),
        stands_for=stands_for,
        sample=sample,
    )


def unweighted_mean(sample: Sequence[Review], _population: int) -> Estimate:
    """Mutant: the share of failures among those reviewed."""
    failed = sum(failed for _, failed in sample)
    return Estimate(failed / len(sample), *clopper_pearson(failed, len(sample)))


def without_floor(traces: Sequence[Trace], budget: int, key: bytes) -> list[Selected]:
    """Mutant: the equal part of the weight goes to the risk."""
    both = sampled_traces.RISK_SHARE + sampled_traces.UNIFORM_SHARE
    with mock.patch.multiple(sampled_traces, RISK_SHARE=both, UNIFORM_SHARE=0.0):
        return select(traces, budget, key)


def by_upstream_hash(traces: Sequence[Trace], budget: int, key: bytes) -> list[Selected]:
    """Mutant: the plain hash by which a head sampler has already kept a tenth of the ids."""

    def uniforms(trace_ids: Iterable[str], _seed: bytes) -> list[float]:
        return [upstream(trace_id) for trace_id in trace_ids]

    with mock.patch.object(sampling, "_uniforms", uniforms):
        return select(traces, budget, key)


def stale_poisson(traces: Sequence[Trace], budget: int, key: bytes) -> list[Selected]:
    """Mutant: every trace by itself, at the rate that would have met the budget on a day with 3 % fewer traces."""
    checked = columns(traces)
    yesterday = columns(traces[: round(0.97 * len(traces))]).totals()
    weighed = weighing(yesterday)
    numbers = sampling._uniforms(checked.trace_ids, key)
    return [
        Selected(trace_id, probability, ("uniform",), risk, topic)
        for trace_id, probability, risk, topic, number in zip(
            checked.trace_ids,
            [min(1.0, budget * weight) for weight in weighed.weights(checked)],
            checked.risks,
            checked.topics,
            numbers,
            strict=True,
        )
        if number < probability
    ]
