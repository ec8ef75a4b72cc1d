"""What each rule of review finds in a day, and that every mutant differs from the sampler in what it is named after."""

from collections import Counter
from random import Random

import pytest

from flywheel.domain import sampled_traces
from flywheel.domain.sampling import select
from tests.bench.review_rules import (
    NAIVE,
    Design,
    by_sampler,
    by_upstream_hash,
    stale_poisson,
    unweighted_mean,
    without_floor,
)
from tests.bench.traffic import TRAFFIC_WORLDS, Traffic, traffic


@pytest.fixture(scope="module")
def traces() -> Traffic:
    return traffic(TRAFFIC_WORLDS["head-sampled"], Random(5))


@pytest.fixture(scope="module")
def day(traces: Traffic) -> range:
    return traces.a_day(Random(5))


def test_every_rule_reviews_within_its_budget_and_knows_the_truth(traces: Traffic, day: range) -> None:
    found = [by_sampler(Design(), traces, day, 50, b"key")]
    found += [review(traces, day, 50, Random(5)) for review in NAIVE.values()]
    for one in found:
        assert one.reviews == 50
        assert one.truth == traces.failure_rate(day)
        assert 0 <= one.said.low <= one.said.rate <= one.said.high <= 1


def test_flags_and_risks_find_more_failures_and_overstate_their_rate(traces: Traffic, day: range) -> None:
    found = {name: review(traces, day, 50, Random(5)) for name, review in NAIVE.items()}
    assert found["top risk"].failures > found["flagged only"].failures > 5 * found["uniform, Wald"].failures
    assert found["flagged only"].said.low > 5 * found["flagged only"].truth


def test_without_the_floor_ordinary_traces_are_less_likely_and_the_sampler_is_left_as_it_was(
    traces: Traffic, day: range
) -> None:
    part = traces.traces[day.start : day.stop]
    before = select(part, 50, b"key")
    least = min(one.inclusion_probability for one in before)
    mutant = min(one.inclusion_probability for k in range(5) for one in without_floor(part, 50, bytes([k + 1])))
    assert mutant < 0.5 * least
    assert (sampled_traces.RISK_SHARE, sampled_traces.UNIFORM_SHARE) == (0.5, 0.3)
    assert select(part, 50, b"key") == before


def test_with_the_upstream_hash_a_sample_stands_for_ten_times_too_many(traces: Traffic, day: range) -> None:
    assert by_sampler(Design(select=by_upstream_hash), traces, day, 50, b"key").stands_for > 5
    assert by_sampler(Design(), traces, day, 50, b"key").stands_for == pytest.approx(1, abs=0.6)


def test_selecting_each_trace_by_itself_misses_the_budget(traces: Traffic, day: range) -> None:
    part = traces.traces[day.start : day.stop]
    sizes = Counter(len(stale_poisson(part, 50, bytes([key]))) for key in range(1, 9))
    assert len(sizes) > 1


def test_the_unweighted_mean_takes_a_sample_for_the_day() -> None:
    assert unweighted_mean([(1.0, True), (0.001, False)], 1_001).rate == 0.5
