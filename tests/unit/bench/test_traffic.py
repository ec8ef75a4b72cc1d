"""The simulated days are what their words say."""

from random import Random
from statistics import fmean

import pytest

from tests.bench.traffic import DAY, RARE, SILENT, TRAFFIC_WORLDS, Traffic, position, traffic, upstream


@pytest.fixture(scope="module", params=TRAFFIC_WORLDS)
def drawn(request: pytest.FixtureRequest) -> tuple[str, Traffic]:
    return request.param, traffic(TRAFFIC_WORLDS[request.param], Random(3))


def test_four_traces_in_a_hundred_fail_and_the_rare_topics_often(drawn: tuple[str, Traffic]) -> None:
    _, traces = drawn
    rare = [failed for (_, _, topic), failed in zip(traces.traces, traces.failed, strict=True) if topic in RARE]
    assert fmean(traces.failed) == pytest.approx(0.04, abs=0.006)
    assert len(rare) / len(traces.traces) == pytest.approx(0.005, abs=0.002)
    assert fmean(rare) == pytest.approx(0.4, abs=0.2)


def test_the_risk_is_a_probability_of_failure_unless_it_is_noise(drawn: tuple[str, Traffic]) -> None:
    name, traces = drawn
    by_risk = traces.by_risk
    top = by_risk[: len(by_risk) // 100]
    expected = fmean(traces.traces[at][1] for at in top)
    seen = fmean(traces.failed[at] for at in top)
    assert fmean(risk for _, risk, _ in traces.traces) == pytest.approx(0.04, abs=0.006)
    assert seen == pytest.approx(0.04 if name == "noise" else expected, abs=0.12 if name == "head-sampled" else 0.05)


def test_silent_failures_look_like_successes(drawn: tuple[str, Traffic]) -> None:
    _, traces = drawn
    flagged = set(traces.flagged)
    silent = [at for at, trace in enumerate(traces.traces) if trace[2] in SILENT and traces.failed[at]]
    assert fmean(traces.traces[at][1] for at in silent) < 0.12
    assert sum(at in flagged for at in silent) <= 0.1 * len(silent) + 1


def test_a_day_is_a_stretch_of_the_traces_and_an_id_ends_in_its_position(drawn: tuple[str, Traffic]) -> None:
    name, traces = drawn
    day = traces.a_day(Random(1))
    assert len(day) == (DAY // 10 if name == "head-sampled" else DAY)
    assert traces.failure_rate(day) == sum(traces.failed[at] for at in day) / len(day)
    assert [position(traces.traces[at][0]) for at in (day[0], day[-1])] == [day[0], day[-1]]


def test_a_head_sampler_has_kept_a_tenth_by_its_own_hash(drawn: tuple[str, Traffic]) -> None:
    name, traces = drawn
    kept = fmean(upstream(trace_id) < 0.1 for trace_id, _, _ in traces.traces[:5_000])
    assert kept == (1 if name == "head-sampled" else pytest.approx(0.1, abs=0.03))
