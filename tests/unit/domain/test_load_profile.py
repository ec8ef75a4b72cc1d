"""When users arrive: as many as the profile's area, never later than it ends, the same for the same seed."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.load_profile import KINDS, Arrival, LoadProfile, arrivals, part_of

profiles = st.builds(
    LoadProfile,
    kind=st.sampled_from(KINDS),
    rate_per_minute=st.floats(1, 2_000),
    duration_s=st.floats(1, 300),
    spacing=st.sampled_from(["poisson", "even"]),
    ramp_from_per_minute=st.floats(0, 2_000),
    burst_factor=st.floats(1, 20),
    burst_s=st.floats(1, 20),
    burst_every_s=st.floats(20, 60),
)


def times(profile: LoadProfile, seed: int = 1, most: int = 100_000) -> list[float]:
    return [one.at_s for one in arrivals(profile, seed, most=most)]


@given(profiles, st.integers(0, 1_000))
def test_arrivals_are_in_order_within_the_duration_and_the_same_again(profile: LoadProfile, seed: int) -> None:
    found = list(arrivals(profile, seed, most=500))
    assert found == list(arrivals(profile, seed, most=500))
    assert [one.number for one in found] == list(range(len(found)))
    assert all(0 <= one.at_s < profile.duration_s for one in found)
    assert [one.at_s for one in found] == sorted(one.at_s for one in found)


@given(profiles, st.integers(1, 8))
def test_the_parts_of_several_workers_are_the_whole_and_share_nothing(profile: LoadProfile, parts: int) -> None:
    whole = list(arrivals(profile, 3, most=300))
    shares = [[one for one in whole if part_of(one.number, parts) == part] for part in range(parts)]
    assert sorted((one for share in shares for one in share), key=lambda one: one.number) == whole
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_poisson_arrivals_have_the_rate_and_the_spread_of_chance() -> None:
    profile = LoadProfile(rate_per_minute=600, duration_s=600)
    found = times(profile, seed=5)
    gaps = [b - a for a, b in pairwise(found)]
    mean = sum(gaps) / len(gaps)
    deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert mean == pytest.approx(0.1, rel=0.05)
    assert deviation / mean == pytest.approx(1.0, abs=0.05)


def test_a_ramp_climbs() -> None:
    found = times(LoadProfile("ramp", rate_per_minute=120, duration_s=100, spacing="even"))
    assert len(found) == pytest.approx(100, abs=1)
    assert sum(at < 50 for at in found) == pytest.approx(25, abs=1)


def test_a_ramp_may_fall() -> None:
    profile = LoadProfile("ramp", 0.1, 100, "even", ramp_from_per_minute=120)
    assert sum(at < 50 for at in times(profile)) == pytest.approx(75, abs=1)


def test_a_burst_comes_again_and_again() -> None:
    found = times(LoadProfile("burst", 60, 120, "even", burst_factor=5, burst_s=10, burst_every_s=60))
    assert sum(at % 60 < 10 for at in found) == pytest.approx(100, abs=2)
    assert sum(at % 60 >= 10 for at in found) == pytest.approx(100, abs=2)


def test_the_number_of_arrivals_is_bounded() -> None:
    assert len(times(LoadProfile(rate_per_minute=6_000, duration_s=600), most=10)) == 10
    first = next(arrivals(LoadProfile(spacing="even"), 1, most=1))
    assert first == Arrival(0, 0.0)
