"""Random numbers -> days of traces, with the truth about which of them failed; pure.

A day has 100,000 traces in 200 topics, of which 4 % fail. Ten topics are rare and bad: each has .05 % of the traffic
and fails 40 % of the time. Five of those are silent as well: nothing that a machine sees tells their failures from
their successes. The other topics share the rest in proportion to rank^-.8 and fail alike.

The risk of a trace is what a calibrated judge would say: the probability of failure given a normal score that separates
failures from successes with the stated AUC, and given a flag (an error, a thumb down), which 40 % of the failures have
and .8 % of the successes. With a judge of pure noise the same risks are dealt to the traces at random.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import accumulate
from math import exp, log, sqrt
from random import Random
from statistics import NormalDist

from flywheel.domain.sampled_traces import Trace

DAY, SPARE = 100_000, 20_000
FAILING, RARE_FAILING = 0.04, 0.4
RARE_SHARE = 0.0005
SILENT = tuple(f"silent-{n}" for n in range(5))
RARE = (*(f"rare-{n}" for n in range(5)), *SILENT)
_ORDINARY = tuple(f"topic-{n}" for n in range(190))
_FLAGGED_IF_FAILED, _FLAGGED_ELSE = 0.4, 0.008
_KEPT_UPSTREAM = 0.1


@dataclass(frozen=True, slots=True)
class TrafficWorld:
    """`auc` of the judge's score; `noise`: its risks say nothing. `head_sampled`: a tenth is kept, by a plain hash."""

    words: str
    auc: float = 0.85
    noise: bool = False
    head_sampled: bool = False


TRAFFIC_WORLDS = {
    "auc-85": TrafficWorld("100,000 traces a day, judge of AUC .85"),
    "auc-75": TrafficWorld("100,000 traces a day, judge of AUC .75", auc=0.75),
    "noise": TrafficWorld("100,000 traces a day, judge of pure noise", noise=True),
    "head-sampled": TrafficWorld("10,000 traces a day, the tenth that a head sampler kept", head_sampled=True),
}


@dataclass(frozen=True)
class Traffic:
    """Traces of some days; a day is a stretch of them. An id ends in the position of its trace."""

    traces: Sequence[Trace]
    failed: Sequence[bool]
    flagged: Sequence[int]
    day: int

    @cached_property
    def by_risk(self) -> list[int]:
        """Positions, the highest risk first."""
        return sorted(range(len(self.traces)), key=lambda position: -self.traces[position][1])

    @cached_property
    def _failures_before(self) -> list[int]:
        return list(accumulate(self.failed, initial=0))

    def failure_rate(self, day: range) -> float:
        return (self._failures_before[day.stop] - self._failures_before[day.start]) / len(day)

    def a_day(self, rng: Random) -> range:
        """Positions of the traces of one day."""
        start = rng.randrange(len(self.traces) - self.day + 1)
        return range(start, start + self.day)


def position(trace_id: str) -> int:
    return int(trace_id[-8:], 16)


def upstream(trace_id: str) -> float:
    """The number in (0, 1] by which a head sampler keeps a trace: its plain hash, without a key."""
    return (int.from_bytes(blake2b(trace_id.encode(), digest_size=8).digest()) + 0.5) / 2.0**64


def traffic(world: TrafficWorld, rng: Random) -> Traffic:
    """Draw the traces of some days."""
    kept = _KEPT_UPSTREAM if world.head_sampled else 1.0
    size = round((DAY + SPARE) * kept)
    topics = rng.choices([*RARE, *_ORDINARY], cum_weights=list(accumulate(_topic_shares())), k=size)
    failing = dict.fromkeys(_ORDINARY, (FAILING - len(RARE) * RARE_SHARE * RARE_FAILING) / (1 - len(RARE) * RARE_SHARE))
    failing |= dict.fromkeys(RARE, RARE_FAILING)
    failed = [rng.random() < failing[topic] for topic in topics]
    shows = [fails and topic not in SILENT for fails, topic in zip(failed, topics, strict=True)]
    flags = [rng.random() < (_FLAGGED_IF_FAILED if shown else _FLAGGED_ELSE) for shown in shows]
    risks = _risks(world.auc, shows, flags, rng)
    if world.noise:
        rng.shuffle(risks)
    # What a head sampler keeps, it keeps by its id: the rest of the trace is like any other's.
    traces = [(_id(rng, number, kept), risks[number], topics[number]) for number in range(size)]
    return Traffic(traces, failed, [number for number in range(size) if flags[number]], round(DAY * kept))


def _id(rng: Random, number: int, kept: float) -> str:
    """An id that is among the share that a head sampler keeps."""
    while True:
        trace_id = f"{rng.getrandbits(96):024x}{number:08x}"
        if kept == 1 or upstream(trace_id) < kept:
            return trace_id


def _topic_shares() -> list[float]:
    sizes = [(n + 1) ** -0.8 for n in range(len(_ORDINARY))]
    rest = 1 - len(RARE) * RARE_SHARE
    return [RARE_SHARE] * len(RARE) + [rest * size / sum(sizes) for size in sizes]


def _risks(auc: float, shows: Sequence[bool], flags: Sequence[bool], rng: Random) -> list[float]:
    """Probability of failure given score and flag, by Bayes' rule."""
    apart = sqrt(2) * NormalDist().inv_cdf(auc)
    prior = log(FAILING / (1 - FAILING)) - apart**2 / 2
    if_flagged = prior + log(_FLAGGED_IF_FAILED / _FLAGGED_ELSE)
    else_ = prior + log((1 - _FLAGGED_IF_FAILED) / (1 - _FLAGGED_ELSE))
    return [
        1 / (1 + exp(-apart * (rng.gauss() + apart * shown) - (if_flagged if flag else else_)))
        for shown, flag in zip(shows, flags, strict=True)
    ]
