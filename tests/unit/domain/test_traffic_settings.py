"""Settings of traffic: defaults, overrides, and every problem at once."""

from typing import Any

import pytest

from flywheel.domain.traffic_settings import (
    TrafficSettings,
    apply_settings,
    load_default_settings,
    parse_settings,
    settings_to_dict,
)
from flywheel.errors import InvalidRequestError


def test_the_packaged_settings_are_valid_and_written_out() -> None:
    settings = load_default_settings()
    assert parse_settings(settings_to_dict(settings)) == settings
    assert settings.personas == ("default",)
    assert parse_settings({}) == TrafficSettings()


def test_overrides_stand_in_place_of_the_defaults() -> None:
    settings = apply_settings(load_default_settings(), {"profile": "ramp", "rate_per_minute": 30, "seed": 7})
    assert (settings.profile, settings.rate_per_minute, settings.seed) == ("ramp", 30, 7)
    assert settings.max_usd == load_default_settings().max_usd
    assert settings.load_profile().kind == "ramp"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"profile": "wave"}, "profile is 'wave'; expected one of constant, ramp, burst"),
        ({"profile": ["constant"]}, "profile is"),
        ({"rate_per_minute": 0}, "rate_per_minute is 0; expected a number from 0.1"),
        ({"duration_s": 601}, "duration_s is 601; expected a number from 1 to 600"),
        ({"max_usd": float("inf")}, "max_usd is inf"),
        ({"max_usd": None}, "max_usd is None"),
        ({"concurrency": 1.5}, "concurrency is 1.5; expected a whole number"),
        ({"concurrency": True}, "concurrency is True"),
        ({"parts": 41}, "parts is 41"),
        ({"seed": -1}, "seed is -1"),
        ({"personas": []}, "personas is []"),
        ({"personas": ["gates/x/plan.json"]}, "personas is"),
        ({"personas": ["traffic/../gates/plan.json"]}, "personas is"),
        ({"ratte": 3}, "unknown key 'ratte'"),
        ({"profile": "burst", "burst_s": 90, "burst_every_s": 60}, "burst_s is 90, more than burst_every_s"),
        ({"parts": 8, "concurrency": 4}, "concurrency is 4, less than parts, 8"),
        ({"concurrency": 401, "parts": 2}, "set parts to 3"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"the traffic settings are invalid") as caught:
        parse_settings(change)
    assert said in str(caught.value)


def test_all_problems_come_at_once() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_settings({"profile": "wave", "parts": 0, "x": 1})
    assert str(caught.value).count(";") >= 3


@pytest.mark.parametrize("data", [[], "x", None])
def test_settings_are_an_object(data: Any) -> None:
    for read in (parse_settings, lambda given: apply_settings(TrafficSettings(), given)):
        with pytest.raises(InvalidRequestError, match="are a JSON object"):
            read(data)
