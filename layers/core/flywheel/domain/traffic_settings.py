"""Settings of synthetic traffic: the JSON of the SSM parameter `traffic` -> checked settings, or all that is wrong."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib import resources
from typing import Any

from flywheel.domain.json_words import kind, shown
from flywheel.domain.load_profile import KINDS, SPACINGS, LoadProfile, ProfileKind, Spacing
from flywheel.errors import InvalidRequestError

DEFAULT_CAST = "default"
# A worker is one Lambda invocation of 15 minutes: the load, its last answers and the report must fit.
LONGEST_S = 600.0
_S3_KEY = re.compile(r"traffic/[A-Za-z0-9._/-]{1,200}\.json")
_NUMBERS: dict[str, tuple[float, float]] = {
    "rate_per_minute": (0.1, 60_000),
    "duration_s": (1, LONGEST_S),
    "ramp_from_per_minute": (0, 60_000),
    "burst_factor": (1, 1_000),
    "burst_s": (1, LONGEST_S),
    "burst_every_s": (1, LONGEST_S),
    "max_usd": (0.001, 10_000),
    "think_s": (0, 120),
    "answer_timeout_s": (1, 200),
}
_COUNTS: dict[str, tuple[int, int]] = {
    "max_arrivals": (1, 100_000),
    "concurrency": (1, 4_000),
    "parts": (1, 40),
}
MOST_AT_ONCE = 200  # conversations of one worker: a thread and a connection each


@dataclass(frozen=True, slots=True)
class TrafficSettings:
    """One run of synthetic users.

    `concurrency` (conversations at once) and `max_usd` are of the whole run, shared evenly by its `parts`. `personas`
    are S3 keys of personas files or `default`, merged in this order. `think_s`: how long a person reads before the next
    question. `seed` None: another one each run.
    """

    profile: ProfileKind = "constant"
    rate_per_minute: float = 10.0
    duration_s: float = 300.0
    spacing: Spacing = "poisson"
    ramp_from_per_minute: float = 0.0
    burst_factor: float = 5.0
    burst_s: float = 10.0
    burst_every_s: float = 60.0
    max_arrivals: int = 2_000
    concurrency: int = 20
    max_usd: float = 1.0
    parts: int = 1
    think_s: float = 1.0
    answer_timeout_s: float = 120.0
    personas: tuple[str, ...] = (DEFAULT_CAST,)
    seed: int | None = None

    def load_profile(self) -> LoadProfile:
        return LoadProfile(
            kind=self.profile,
            rate_per_minute=self.rate_per_minute,
            duration_s=self.duration_s,
            spacing=self.spacing,
            ramp_from_per_minute=self.ramp_from_per_minute,
            burst_factor=self.burst_factor,
            burst_s=self.burst_s,
            burst_every_s=self.burst_every_s,
        )


def load_default_settings() -> TrafficSettings:
    """The settings of the package's `traffic.json`."""
    return parse_settings(json.loads(resources.files("flywheel").joinpath("traffic.json").read_text("utf-8")))


def settings_to_dict(settings: TrafficSettings) -> dict[str, Any]:
    """The file form, all fields written out; `parse_settings` reverses it."""
    return asdict(settings) | {"personas": list(settings.personas)}


def apply_settings(default: TrafficSettings, partial: Mapping[str, Any]) -> TrafficSettings:
    """`default` with the keys of `partial` in place of its own; checked as `parse_settings` does."""
    if not isinstance(partial, Mapping):
        raise InvalidRequestError(f"traffic settings are a JSON object, not {kind(partial)}")
    return parse_settings(settings_to_dict(default) | dict(partial))


def parse_settings(data: Mapping[str, Any]) -> TrafficSettings:
    """Check the file form; `{}` gives the defaults.

    Raises:
        InvalidRequestError: names everything that is wrong.
    """
    if not isinstance(data, Mapping):
        raise InvalidRequestError(f"traffic settings are a JSON object, not {kind(data)}")
    known = {spec.name for spec in fields(TrafficSettings)}
    problems = [f"unknown key {shown(key)}" for key in data if key not in known]
    problems += _range_problems(data)
    for key, choices in (("profile", KINDS), ("spacing", SPACINGS)):
        if key in data and data[key] not in list(choices):
            problems.append(f"{key} is {shown(data[key])}; expected one of {', '.join(choices)}")
    seed = data.get("seed")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**53):
        problems.append(f"seed is {shown(seed)}; expected null or a whole number from 0 on")
    personas = data.get("personas", [DEFAULT_CAST])
    if not isinstance(personas, list) or not 0 < len(personas) <= 20 or not all(_is_cast(one) for one in personas):  # noqa: PLR2004
        problems.append(
            f"personas is {shown(personas)}; expected a list of 1 to 20 of: default, or a key such as "
            "traffic/personas/mine.json"
        )
    if not problems:
        settings = TrafficSettings(**{**data, "personas": tuple(personas)})
        problems = _contradictions(settings)
    if problems:
        raise InvalidRequestError("the traffic settings are invalid: " + "; ".join(problems))
    return settings


def _range_problems(data: Mapping[str, Any]) -> list[str]:
    problems = []
    for key, (low, high) in (_NUMBERS | _COUNTS).items():
        value = data.get(key, low)
        whole = key in _COUNTS
        fits = isinstance(value, int) if whole else isinstance(value, int | float)
        if isinstance(value, bool) or not fits or not math.isfinite(value) or not low <= value <= high:
            words = "a whole number" if whole else "a number"
            problems.append(f"{key} is {shown(value)}; expected {words} from {low:g} to {high:g}")
    return problems


def _contradictions(settings: TrafficSettings) -> list[str]:
    problems = []
    if settings.profile == "burst" and settings.burst_s > settings.burst_every_s:
        problems.append(f"burst_s is {settings.burst_s:g}, more than burst_every_s, {settings.burst_every_s:g}")
    if settings.concurrency < settings.parts:
        problems.append(f"concurrency is {settings.concurrency}, less than parts, {settings.parts}")
    if settings.concurrency > settings.parts * MOST_AT_ONCE:
        needed = -(-settings.concurrency // MOST_AT_ONCE)
        problems.append(
            f"concurrency is {settings.concurrency}, more than {MOST_AT_ONCE} for each part: set parts to {needed}"
        )
    return problems


def _is_cast(value: Any) -> bool:
    return isinstance(value, str) and (value == DEFAULT_CAST or (bool(_S3_KEY.fullmatch(value)) and ".." not in value))
