"""Rate over time -> when users arrive, whatever the agent does meanwhile (open loop).

Arrivals are those of a process of rate 1 (evenly apart, or Poisson), carried over to the profile by the inverse of its
cumulative rate; so every profile has exactly the arrivals that its area asks for.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from flywheel.domain.personas import drawn

type ProfileKind = Literal["constant", "ramp", "burst"]
type Spacing = Literal["poisson", "even"]

KINDS: tuple[ProfileKind, ...] = ("constant", "ramp", "burst")
SPACINGS: tuple[Spacing, ...] = ("poisson", "even")
_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class LoadProfile:
    """How many users arrive when. `rate_per_minute` is the rate of `constant`, the last of `ramp`, the calm of `burst`.

    `ramp` starts at `ramp_from_per_minute`. `burst`: of each `burst_every_s` the first `burst_s` have `burst_factor`
    times the rate.
    """

    kind: ProfileKind = "constant"
    rate_per_minute: float = 10.0
    duration_s: float = 60.0
    spacing: Spacing = "poisson"
    ramp_from_per_minute: float = 0.0
    burst_factor: float = 5.0
    burst_s: float = 10.0
    burst_every_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """`number` counts from 0 over the whole run; `at_s` is the intended time since its start."""

    number: int
    at_s: float


def arrivals(profile: LoadProfile, seed: int, *, most: int, fewest: int = 0) -> Iterator[Arrival]:
    """The arrivals in order, at most `most`; the same for the same profile and seed.

    `fewest`: where the profile ends before so many have come, it goes on as it is until they have.

    Evenly spaced, the first is at the very start; Poisson, the gaps are exponential.
    """
    area = 0.0
    for number in range(most):
        if profile.spacing == "poisson":
            area -= math.log(1.0 - drawn(seed, "gap", number))
        else:
            area = float(number)
        at_s = _inverse(profile, area)
        if at_s is None or (at_s >= profile.duration_s and number >= fewest):
            return
        yield Arrival(number, at_s)


def part_of(number: int, parts: int) -> int:
    """Which of several workers has the arrival, from 0: they take turns, so that each sees the whole profile."""
    return number % parts


def _inverse(profile: LoadProfile, area: float) -> float | None:
    """The time by which `area` arrivals are due; None when that never comes."""
    rate = profile.rate_per_minute / _MINUTE_S
    if profile.kind == "ramp":
        first = profile.ramp_from_per_minute / _MINUTE_S
        # (rate - first) / 2D t^2 + first t = area, in the form that stays exact when the slope is near 0.
        slope = (rate - first) / profile.duration_s
        under = first * first + 2 * slope * area
        if under < 0:
            return None
        below = first + math.sqrt(under)
        return 2 * area / below if below > 0 else (0.0 if area == 0 else None)
    if profile.kind == "burst":
        of_period = rate * (profile.burst_every_s + (profile.burst_factor - 1.0) * profile.burst_s)
        periods, rest = divmod(area, of_period)
        busy = rate * profile.burst_factor * profile.burst_s
        within = rest / (rate * profile.burst_factor) if rest < busy else profile.burst_s + (rest - busy) / rate
        return periods * profile.burst_every_s + within
    return area / rate
